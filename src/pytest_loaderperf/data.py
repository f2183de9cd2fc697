"""Folders of test data that are built once and reused: ``loaderperf_data``."""

from __future__ import annotations

import contextlib
import enum
import functools
import hashlib
import inspect
import itertools
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from pathlib import Path, PurePath
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from .child.loaderperf_exchange import is_installed
from .errors import SettingsError
from .system.files import locked

Build = Callable[[Path], object]
DataFolder = Callable[[str, Build], Path]  # the type of the fixture ``loaderperf_data``


def root(project: Path) -> Path:
    """Where a project's data folders lie."""
    return project / ".loaderperf" / "data"


def folder(root: Path, name: str, build: Build, project: Path | None = None) -> tuple[Path, bool]:
    """The data folder of this name below ``root``, and whether it had to be built now.

    ``build(path)`` fills an empty folder, which stays where it is: what it writes may name it. One
    that has not been filled to its end is built anew. Another text of ``build``, or of what it uses
    of the project, makes another folder. So do other data that it is called with, or that it names:
    tests that need different data never share it. Paths below ``project`` are the same for all
    versions of it.
    """
    if not re.fullmatch(r"[\w.-]+", name) or name.startswith("."):
        raise SettingsError(f"loaderperf_data({name!r}): a name is letters, digits, '_', '-', '.'")
    target = root / f"{name}-{_digest(build, project)}"
    return target, fill(target, build)


def fill(target: Path, build: Build) -> bool:
    """Have ``build`` fill a folder, ``name-digest``, unless that has been done; whether it had to.

    Folders of one name are filled one after the other.
    """
    unfinished = target.with_name(f"{target.name}.unfinished")  # from before the folder is there
    if target.is_dir() and not unfinished.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    # As pytest does for its cache: nobody wants generated data in a commit.
    (target.parent / ".gitignore").write_text("*\n")
    with locked(target.with_name(f"{target.name.rpartition('-')[0]}.lock")):
        if target.is_dir() and not unfinished.exists():  # another process has built it meanwhile
            return False
        unfinished.touch()
        shutil.rmtree(target, ignore_errors=True)  # of a build that was killed
        try:
            target.mkdir()
            target.chmod(0o755)  # whatever the umask: others may read it
            build(target)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            if not target.exists():
                unfinished.unlink()
            raise
        unfinished.unlink()
    return True


def forget(place: Path, kept: int) -> None:
    """Remove the folders that were not used for longest, but for so many that are kept."""
    used: list[tuple[float, Path]] = []
    for each in place.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another run has removed it
            if each.is_dir():
                used.append((each.stat().st_mtime, each))
    for _, each in sorted(used)[:-kept]:
        shutil.rmtree(each, ignore_errors=True)


def _digest(build: Build, project: Path | None) -> str:
    return hashlib.sha256(_Told(project).call(build).encode(errors="backslashreplace")).hexdigest()[
        :8
    ]


class _Told:
    """Calls and values as texts, which tell them apart, and are the same in every process.

    Objects that are equal to themselves alone, such as a factory, count by their type: their state
    may be another one in each process.
    """

    def __init__(self, project: Path | None) -> None:
        here = [project, *project.parents] if project else []
        top = next((str(each) for each in here if (each / ".git").exists()), str(project or ""))
        self._top = top
        self._places = {top: "<project>", tempfile.gettempdir(): "<temporary>"}
        self._inside: list[int] = []  # the objects that are being told: some hold themselves
        self._named_before: set[int] = set()  # functions and classes: many may use one

    def call(self, build: Any) -> str:
        """The text of a function, and the data that it is called with, if there is any."""
        given: list[object] = []
        while isinstance(build, functools.partial | MethodType):
            if isinstance(build, functools.partial):
                given += [each for each in (build.args, build.keywords) if each]
                build = build.func
            else:
                given += [build.__self__, *self._own_types(build.__self__)]
                build = build.__func__
        if isinstance(build, FunctionType):
            cells = [each.cell_contents for each in build.__closure__ or () if _is_full(each)]
            given += [*(build.__defaults__ or ()), *(build.__kwdefaults__ or {}).values(), *cells]
            given += self._named(build)
        else:
            given += [build, *self._own_types(build)]
        told = [self.value(each) for each in given]
        return "\0".join([_text(build), *told])

    def value(self, value: Any) -> str:
        """A value, if it is plain data or equal to what has the same attributes."""
        if id(value) in self._inside:
            return "..."
        self._inside.append(id(value))
        try:
            return f"{type(value).__qualname__}({self._content(value)})"
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
        elif isinstance(value, Sequence):
            told = ", ".join(map(self.value, value))
        elif isinstance(value, FunctionType | MethodType | functools.partial):
            told = self.call(value)
        elif isinstance(value, type):
            told = "\0".join([f"{value.__module__}.{value.__qualname__}", *self._class(value)])
        elif hasattr(value, "tobytes"):  # an array
            told = f"{getattr(value, 'dtype', '')} {getattr(value, 'shape', '')} {value.tobytes()}"
        elif fields := _fields(value):
            told = self.value(fields)
        else:
            told = _shown(value)
        return told

    def _class(self, value: type) -> Iterator[str]:
        """The text of a class of the project, and what its methods name."""
        for own in filter(self._may_change, value.__mro__):
            yield _text(own)
            for each in vars(own).values():
                if isinstance(each, FunctionType):
                    yield self.value(each)

    def _own_types(self, value: object) -> list[type]:
        return [type(value)] if any(map(self._may_change, type(value).__mro__)) else []

    def _named(self, function: FunctionType) -> Iterator[object]:
        """The constants, functions and classes of the project that a function of it names."""
        if not self._is_own(function.__code__):
            return
        names = sorted({*itertools.chain(*(code.co_names for code in _codes(function.__code__)))})
        held = function.__globals__
        modules = [held[name] for name in names if issubclass(type(held.get(name)), ModuleType)]
        for space in (held, *(vars(each) for each in modules if self._is_own(each))):
            for name in names:
                value = space.get(name)
                if name.startswith("__") or not self._may_change(value):
                    continue
                if not issubclass(type(value), FunctionType | type):
                    yield value
                elif id(value) not in self._named_before:
                    self._named_before.add(id(value))
                    yield value

    def _may_change(self, value: Any) -> bool:
        """Whether a global is a constant, or the project's; not what others hold together."""
        kind = type(value)  # what stands for another object may refuse to say what that is
        if issubclass(kind, FunctionType):
            return self._is_own(value.__code__)
        if issubclass(kind, type):
            return self._is_own(inspect.getmodule(value))
        return issubclass(kind, _CONSTANTS)

    def _is_own(self, what: CodeType | ModuleType | None) -> bool:
        """Whether a module or a function's code lies in the project."""
        file = what.co_filename if isinstance(what, CodeType) else getattr(what, "__file__", None)
        inside = bool(self._top and file and file.startswith(self._top + "/"))
        return inside and not is_installed(file or "")

    def _placed(self, text: str) -> str:
        for place, name in self._places.items():
            if place and (text == place or text.startswith(place + "/")):
                return name + text[len(place) :]
        return text


_CONSTANTS = (
    str, bytes, bool, int, float, complex, enum.Enum, PurePath,
    tuple, list, range, dict, set, frozenset,
)  # fmt: skip


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
