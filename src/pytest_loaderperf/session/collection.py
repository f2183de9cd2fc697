"""Loader checks as pytest nodes of processes that import no test module.

To hooks and plugins they are tests like any other. What only an imported function tells is had by
importing its module, once somebody asks for that.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FunctionType, ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pytest

from ..errors import LoaderPerfError
from ..items import NEEDS_OPTION
from .stand_in import stand_in

if TYPE_CHECKING:  # a plain `pytest` needs no messages
    from _pytest.fixtures import FixtureManager, FuncFixtureInfo

    from ..protocol.messages import Collected, CollectedCheck
    from .discovery import WrittenCheck

# Attributes of pytest.Function that only the imported function has, and those that the text tells.
_OF_FUNCTIONS = ("function", "obj", "instance")
_OF_ARGUMENTS = ("fixturenames", "_fixtureinfo")


class UnimportedModule(pytest.Module):
    """A test module that is imported when somebody asks for what its text does not tell."""

    _ALLOW_MARKERS = False  # of the module: each test has them already

    def _getobj(self) -> ModuleType:
        return stand_in(self.path, _module_name(self.path), self._real)

    def _real(self) -> ModuleType:
        if isinstance(self._imported, str):
            raise ImportError(self._imported)
        return self._imported[0]

    def function(self, names: Sequence[str], original: str) -> pytest.Function:
        """A test of the module as it is imported; where that fails, as its text has it."""
        imported = [] if isinstance(self._imported, str) else self._imported[1]
        same = [test for test in imported if _is_test(test, names, original)]
        same = same or [test for test in self._written if _is_test(test, names, original)]
        if not same:
            raise AttributeError(f"{self.nodeid} has no test {'::'.join(names)}")
        return next((test for test in same if test.name == names[-1]), same[0])

    def fixtureinfo(self, check: UnimportedCheck) -> FuncFixtureInfo:
        """The fixtures of a check and of the module, as pytest finds them from their arguments."""
        function = getattr(check.cls or check.module, check.originalname)
        return self._fixtures.getfixtureinfo(check, function, check.cls)

    @functools.cached_property
    def _fixtures(self) -> FixtureManager:
        manager = self.session._fixturemanager
        manager.parsefactories(self)
        return manager

    @functools.cached_property
    def _imported(self) -> tuple[ModuleType, list[pytest.Function]] | str:
        """The module and its tests, as pytest collects them, or why it cannot be imported."""
        module: pytest.Module = pytest.Module.from_parent(self.parent, path=self.path)
        try:
            return module.obj, list(_functions(module))
        except (Exception, pytest.skip.Exception, pytest.fail.Exception) as error:  # noqa: BLE001  (whatever it raises)
            return f"it cannot be imported: {error}"

    @functools.cached_property
    def _written(self) -> list[pytest.Function]:
        module: pytest.Module = pytest.Module.from_parent(self.parent, path=self.path)
        module.obj = self.obj
        return list(_functions(module))


class UnimportedClass(pytest.Class):
    """A class of such a module, with the nodes of its tests."""

    _ALLOW_MARKERS = False
    members: Callable[[pytest.Collector], Iterator[pytest.Item | pytest.Collector]]

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        yield from self.members(self)


class UnimportedCheck(pytest.Item):
    """A check that is not run here, with all attributes of a pytest.Function."""

    place: tuple[str, ...]  # its names below the module
    line: int | None  # from 0
    parametrized: bool
    attributes: Sequence[str] = ()  # names of those that its function has been given
    _fixtureinfo: FuncFixtureInfo
    fixturenames: list[str]

    def __init__(self, name: str, parent: pytest.Collector, **options: Any) -> None:
        super().__init__(name, parent, **options)
        self.funcargs: dict[str, object] = {}

    @property
    def originalname(self) -> str:
        """The name of the function."""
        return self.name.partition("[")[0]

    @property
    def module(self) -> ModuleType:
        """The module, or what its text tells of it until somebody asks for more."""
        found: ModuleType = self._module.obj
        return found

    @property
    def cls(self) -> type | None:
        """The class, likewise."""
        node = self.getparent(pytest.Class)
        return node.obj if node else None

    @functools.cached_property
    def imported(self) -> pytest.Function:
        """The test as pytest makes it of the imported module."""
        return self._module.function(self.place, self.originalname)

    @property
    def told(self) -> FunctionType:
        """Its function as text and arm tell it; of its attributes, the names."""
        found = vars(self.cls or self.module).get(self.originalname)
        if isinstance(found, staticmethod | classmethod):
            found = found.__func__
        if isinstance(found, FunctionType):
            told = _copy(found, self.originalname)
        else:  # inherited, or made by a call
            line = (self.line or 0) + 1
            code = _undefined.__code__.replace(co_filename=str(self.path), co_firstlineno=line)
            told = FunctionType(code, {}, self.originalname)
        vars(told).update(dict.fromkeys(self.attributes))
        if "__wrapped__" in self.attributes:  # where pytest looks for its place
            told.__wrapped__ = _copy(told, self.originalname)  # type: ignore[attr-defined]
        return told

    @property
    def callspec(self) -> Parameters:
        """Its parameters."""
        # Pytest itself sorts the tests of each run by them, for fixtures that are not set up here.
        if _pytest_asks() or not (self.parametrized or self._has_parametrized_fixture):
            raise AttributeError("callspec")
        return Parameters(self)

    def __getattr__(self, name: str) -> Any:
        """What hooks may replace as well, so that it is no property."""
        if name in _OF_ARGUMENTS:
            self._fixtureinfo = self._module.fixtureinfo(self)
            self.fixturenames = self._fixtureinfo.names_closure
            return vars(self)[name]
        if name in _OF_FUNCTIONS:
            return self.told if _pytest_asks() else getattr(self.imported, name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name}")

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """File, line and name, as pytest tells them of a function."""
        return self.path, self.line, ".".join([*self.place[:-1], self.name])

    def runtest(self) -> None:
        """Never called: it is skipped, or the coordinator runs it."""
        raise NotImplementedError

    @property
    def _has_parametrized_fixture(self) -> bool:
        fixtures = self._fixtureinfo.name2fixturedefs.values()
        return any(each[-1].params is not None for each in fixtures if each)

    @property
    def _module(self) -> UnimportedModule:
        node = self.getparent(UnimportedModule)
        assert node is not None
        return node


class Parameters:
    """The parameters of a check, which are had by importing it."""

    def __init__(self, check: UnimportedCheck) -> None:
        self._check = check

    def __getattr__(self, name: str) -> Any:
        none = SimpleNamespace(params={}, indices={}, marks=[], id="")  # it cannot be imported
        return getattr(getattr(self._check.imported, "callspec", none), name)


class CheckFile(UnimportedModule):
    """A test module whose checks an arm has collected."""

    collect_in_arm: Callable[[str], Collected]

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """The checks of the module, below a node for each class."""
        try:
            collected = self.collect_in_arm(self.nodeid)
        except LoaderPerfError as error:
            raise self.CollectError(str(error)) from None
        if collected.error:
            raise self.CollectError(collected.error)
        yield from _nodes(self, collected.checks, _check)


class Check(UnimportedCheck):
    """A loader check that the coordinator runs."""

    collected: CollectedCheck

    @property
    def location(self) -> tuple[str, int | None, str]:
        """File, line and name, as the arm's pytest has them."""
        return self.collected.location


class SkippedFile(UnimportedModule):
    """A test module with nothing but checks, in a run without ``--loaderperf``."""

    written: Sequence[WrittenCheck]

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """One skipped test for each check: its parameters show only when it is imported."""
        yield from _nodes(self, self.written, _skipped)


class SkippedCheck(UnimportedCheck):
    def setup(self) -> None:
        """Skip it, also where a hook has taken its marks."""
        pytest.skip(NEEDS_OPTION)


class _Named(Protocol):
    @property
    def names(self) -> Sequence[str]: ...


_N = TypeVar("_N", bound=_Named)


def _nodes(
    parent: pytest.Collector,
    checks: Sequence[_N],
    make: Callable[[pytest.Collector, _N], pytest.Item],
    depth: int = 0,
) -> Iterator[pytest.Item | pytest.Collector]:
    named: dict[str, list[_N]] = {}  # in the order in which the module has them
    for check in checks:
        named.setdefault(check.names[depth], []).append(check)
    for name, members in named.items():
        inside = [check for check in members if len(check.names) > depth + 1]
        for check in members:
            if check not in inside:
                yield make(parent, check)
        if inside:
            group: UnimportedClass = UnimportedClass.from_parent(parent, name=name)
            group.members = functools.partial(_nodes, checks=inside, make=make, depth=depth + 1)
            yield group


def _check(parent: pytest.Collector, collected: CollectedCheck) -> Check:
    name = collected.names[-1]
    # With its id as a text pytest tells the parameters from the name, as --lf needs it.
    item: Check = Check.from_parent(parent, name=name, nodeid=f"{parent.nodeid}::{name}")
    item.collected = collected
    item.place, item.line = tuple(collected.names), collected.location[1]
    item.parametrized = "[" in name
    item.fixturenames = collected.fixturenames  # told by the arm: nothing need be imported
    item.attributes = collected.attributes
    item.extra_keyword_matches.update(collected.keywords)
    for marker, args, kwargs in collected.markers:
        item.add_marker(getattr(pytest.mark, marker)(*args, **kwargs))
    return item


def _skipped(parent: pytest.Collector, written: WrittenCheck) -> SkippedCheck:
    item: SkippedCheck = SkippedCheck.from_parent(parent, name=written.names[-1])
    item.place, item.line = written.names, written.line
    item.parametrized = written.parametrized
    for mark in written.marks:
        item.add_marker(getattr(pytest.mark, mark.name).with_args(*mark.args, **mark.kwargs))
    item.add_marker(pytest.mark.skip(reason=NEEDS_OPTION))
    return item


def _pytest_asks() -> bool:
    """Whether the caller of the caller is pytest, which wants names, attributes' and text (-k, -v).

    An import for them could end the run: not all test modules can be imported into one process.
    """
    asking: str = sys._getframe(2).f_globals["__name__"]
    return asking.partition(".")[0] == "_pytest"


def _undefined() -> None: ...


def _copy(function: FunctionType, name: str) -> FunctionType:
    closure = function.__closure__
    copy = FunctionType(function.__code__, {}, name, function.__defaults__, closure)
    copy.__doc__, copy.__kwdefaults__ = function.__doc__, function.__kwdefaults__
    return copy


def _functions(collector: pytest.Collector) -> Iterator[pytest.Function]:
    for node in collector.collect():
        if isinstance(node, pytest.Function):
            yield node
        elif isinstance(node, pytest.Collector):
            yield from _functions(node)


def _is_test(test: pytest.Function, names: Sequence[str], original: str) -> bool:
    """Whether it is the function of this name in these classes, whatever its parameters."""
    classes = [node.name for node in test.listchain() if isinstance(node, pytest.Class)]
    return test.originalname == original and classes == [*names[:-1]]


def _module_name(path: Path) -> str:
    """The name by which a test module is imported: with its packages."""
    packages = []
    for folder in path.parents:
        if not (folder / "__init__.py").exists():
            break
        packages.append(folder.name)
    return ".".join([*reversed(packages), path.stem])
