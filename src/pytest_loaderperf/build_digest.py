"""Tells ways to build test data apart, by all that a build is made of.

That is its text, the data that it is called with, and what it uses of the project: the constants,
functions and classes that it names, and what these name. The digest of the same code and data is
the same in every process, and for every version of a project, wherever its tree lies.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import inspect
import itertools
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import is_dataclass
from pathlib import Path, PurePath
from types import CellType, CodeType, FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any

from .child.loaderperf_exchange import is_installed

_DIGITS = 8
# Globals of these kinds are constants, and of those that these packages have. What else a module
# holds, such as a lock or a logger, may be in another state in each process.
_CONSTANTS = (
    str, bytes, bool, int, float, complex, enum.Enum, PurePath,
    tuple, list, range, dict, set, frozenset, SimpleNamespace,
)  # fmt: skip
_PLAIN = frozenset({int, float, bool, complex, bytes, type(None)})  # of which repr says all
_WRAPPERS = 20  # at most, that lie around one another
_VALUES_OF = ("numpy", "datetime", "decimal", "fractions", "re", "uuid")


def digest(build: Any, project: Path | None) -> str:
    """Of a function that fills a folder; ``project`` is the root folder of its project, if any."""
    told = _Told(project).whole(build)
    return hashlib.sha256(told.encode(errors="backslashreplace")).hexdigest()[:_DIGITS]


class _Told:
    """Calls and values as texts, which tell them apart.

    Objects that are equal to themselves alone, such as a factory, count by their type: their state
    may be another one in each process.
    """

    def __init__(self, project: Path | None) -> None:
        here = [project, *project.parents] if project else []
        self._top = next(
            (str(each) for each in here if (each / ".git").exists()), str(project or "")
        )
        places = {self._top: "<project>", tempfile.gettempdir(): "<temporary>"}
        self._places = [
            (re.compile(rf"(?<![\w.-]){re.escape(place)}(?=/|$)"), name)
            for place, name in places.items()
            if len(place) > 1
        ]
        self._inside: list[int] = []  # the objects that are being told: some hold themselves
        self._named: list[Any] = []  # functions and classes of the project: several may use one
        self._constants: dict[int, str] = {}  # what was told of globals, likewise
        self._own_classes: dict[type, bool] = {}

    def whole(self, build: Any) -> str:
        """The text of a build, and of all that it uses of the project."""
        text = self.call(build)
        used: set[str] = set()
        for each in self._named:  # also what is named meanwhile
            used.add(self._class(each) if isinstance(each, type) else self.call(each))
        return "\0".join([text, *sorted(used)])

    def call(self, build: Any) -> str:
        """The text of a function, and the data that it is called with, if there is any."""
        given: list[object] = []
        while isinstance(build, functools.partial | MethodType):
            if isinstance(build, functools.partial):
                given += [each for each in (build.args, build.keywords) if each]
                build = build.func
            else:
                given.append(build.__self__)
                build = build.__func__
        functions = [each for each in _wrapped(build) if isinstance(each, FunctionType)]
        told: list[str] = []
        for each in functions:
            cells = [cell.cell_contents for cell in each.__closure__ or () if _is_full(cell)]
            given += [*(each.__defaults__ or ()), *(each.__kwdefaults__ or {}).values()]
            given += [cell for cell in cells if not any(cell is other for other in functions)]
            told += self._globals(each)
        if not functions:
            given.append(build)
        return "\0".join([_text(build), *map(self.value, given), *told])

    def value(self, value: Any) -> str:
        """A value, if it is plain data or equal to what has the same attributes."""
        if id(value) in self._inside:
            return "..."
        self._inside.append(id(value))
        try:
            return f"{type(value).__qualname__}({self._content(value)})"
        except Exception:  # noqa: BLE001  (whatever it raises that refuses to be looked at)
            return f"{type(value).__qualname__}()"
        finally:
            self._inside.pop()

    def _content(self, value: Any) -> str:
        if isinstance(value, str | PurePath):
            told = self._placed(str(value))
        elif isinstance(value, bool | int | float | complex | bytes | range | enum.Enum | None):
            told = repr(value)
        elif isinstance(value, Mapping):
            told = ", ".join(sorted(f"{self.value(k)}: {self.value(v)}" for k, v in value.items()))
        elif isinstance(value, Set):
            told = ", ".join(sorted(map(self.value, value)))
        elif isinstance(value, list | tuple) and _PLAIN.issuperset(map(type, value)):
            told = repr(value)  # fast: there may be millions
        elif isinstance(value, Sequence):
            told = ", ".join(map(self.value, value))
        elif isinstance(value, FunctionType | MethodType | functools.partial):
            told = self.call(value)
        elif isinstance(value, type):
            told = self._refer(value)
        elif hasattr(value, "tobytes"):  # an array; one of objects holds where they lie
            holds = getattr(getattr(value, "dtype", None), "hasobject", False)
            content = self.value(value.tolist()) if holds else value.tobytes()
            told = f"{getattr(value, 'dtype', '')} {getattr(value, 'shape', '')} {content}"
        elif fields := _fields(value):
            told = self.value(fields)
        else:
            told = _shown(value)
        if self._is_own_class(type(value)):
            told += self._refer(type(value))
        return told

    def _class(self, value: type) -> str:
        """The text of a class of the project, its constants, and what its methods name."""
        told = [_name(value), _text(value)]
        for base in value.__bases__:
            if self._is_own_class(base):
                told.append(self._refer(base))
        for name, each in sorted(vars(value).items()):
            told += map(self.call, _methods(each))
            if not name.startswith("__"):
                told += self._named_so(name, each)
        return "\0".join(told)

    def _refer(self, value: Any) -> str:
        """The name of a function or class, which is told elsewhere if it is the project's."""
        own = [each for each in _wrapped(value) if self._is_own(each)]
        if own and not any(value is each for each in self._named):
            self._named.append(value)
        return _name(own[-1] if own else value)

    def _globals(self, function: FunctionType) -> Iterator[str]:
        """The constants, functions and classes of the project that a function of it names."""
        if not self._is_own(function):
            return
        names = {*itertools.chain(*(code.co_names for code in _codes(function.__code__)))}
        named = sorted(each for each in names if not each.startswith("__"))
        for space in self._spaces(function.__globals__, named):
            for name in named:
                yield from self._named_so(name, space.get(name))

    def _named_so(self, name: str, value: Any) -> Iterator[str]:
        """What is told of a global, or an attribute of a class: of the project's, and constants."""
        if self._is_constant(value):
            yield f"{name} {self._constant(value)}"
        elif any(map(self._is_own, _wrapped(value))):
            yield f"{name} {self._refer(value)}"
        elif issubclass(type(value), functools.partial | MethodType):
            yield f"{name} {self.value(value)}"

    def _spaces(self, held: Mapping[str, Any], names: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """Where names are looked up: among globals, and in modules of the project named there."""
        spaces, seen = [held], {id(held)}
        for space in spaces:
            yield space
            for name in names:
                module = space.get(name)
                if not issubclass(type(module), ModuleType) or id(vars(module)) in seen:
                    continue
                without_file = getattr(module, "__file__", None) is None  # a namespace
                if self._is_in_project(module) or without_file:
                    seen.add(id(vars(module)))
                    spaces.append(vars(module))

    def _constant(self, value: Any) -> str:
        """A constant, in few words: it may be large, and named in many places."""
        if id(value) not in self._constants:
            told = self.value(value).encode(errors="backslashreplace")
            self._constants[id(value)] = hashlib.sha256(told).hexdigest()
        return self._constants[id(value)]

    def _is_constant(self, value: Any) -> bool:
        kind = type(value)  # what stands for another object may refuse to say what that is
        if issubclass(kind, type) or value is None:
            return False
        of = kind.__module__.partition(".")[0]
        alike = issubclass(kind, _CONSTANTS) or is_dataclass(kind) or of in _VALUES_OF
        return alike or self._is_own_class(kind)

    def _is_own(self, value: Any) -> bool:
        """Whether a function or class is the project's."""
        kind = type(value)
        if issubclass(kind, FunctionType):
            return self._is_in_project(value.__code__)
        return issubclass(kind, type) and self._is_own_class(value)

    def _is_own_class(self, value: type) -> bool:
        if value not in self._own_classes:
            self._own_classes[value] = self._is_in_project(inspect.getmodule(value))
        return self._own_classes[value]

    def _is_in_project(self, what: CodeType | ModuleType | None) -> bool:
        file = what.co_filename if isinstance(what, CodeType) else getattr(what, "__file__", None)
        inside = bool(self._top and file and file.startswith(self._top + "/"))
        return inside and not is_installed(file or "")

    def _placed(self, text: str) -> str:
        for place, name in self._places:
            text = place.sub(name, text)
        return text


def _wrapped(value: Any) -> list[Any]:
    """A function, and those that it wraps, by a decorator, say."""
    found = [value]
    while len(found) < _WRAPPERS and (inner := _dict_of(found[-1]).get("__wrapped__")) is not None:
        found.append(inner)
    return found


def _dict_of(value: Any) -> Mapping[str, Any]:
    """The attributes of an object itself; of what stands for another one none are asked for."""
    try:
        held = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return held if isinstance(held, Mapping) else {}


def _methods(value: Any) -> Iterator[Any]:
    """The functions of an attribute of a class: a method, of whatever kind, or a property."""
    kind = type(value)
    if issubclass(kind, FunctionType):
        yield value
    elif issubclass(kind, staticmethod | classmethod):
        yield from _methods(value.__func__)
    elif issubclass(kind, property):
        for each in (value.fget, value.fset, value.fdel):
            yield from _methods(each)
    elif issubclass(kind, functools.cached_property):
        yield value.func
    else:
        yield from (each for each in _wrapped(value)[1:] if isinstance(each, FunctionType))


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The code of a function, and of those that are written inside of it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


def _fields(value: object) -> dict[str, Any]:
    """What an object has that is equal to others like it, also where it has slots."""
    if not _is_like_others(value):
        return {}
    slots = [getattr(each, "__slots__", ()) for each in type(value).__mro__]
    names = [name for each in slots for name in ([each] if isinstance(each, str) else each)]
    held = {name: getattr(value, name) for name in names if hasattr(value, name)}
    return {**held, **getattr(value, "__dict__", {})}


def _shown(value: object) -> str:
    """How an object shows itself, unless that is but where it lies."""
    shows = type(value).__repr__ is not object.__repr__
    try:
        told = repr(value) if shows else ""
    except Exception:  # noqa: BLE001  (whatever it raises)
        return ""
    return "" if " at 0x" in told else told


def _is_like_others(value: object) -> bool:
    """Whether it is equal to other objects that are like it, as those of dataclasses are."""
    return any("__eq__" in vars(each) for each in type(value).__mro__[:-1])


def _is_full(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:  # of a name that has no value yet
        return False
    return True


def _text(build: Any) -> str:
    try:
        return inspect.getsource(build)
    except (OSError, TypeError):  # a function without a file: its name must do
        return str(getattr(build, "__qualname__", ""))
