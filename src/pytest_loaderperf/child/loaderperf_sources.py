"""In every Python that takes part in a run: whose sources it gets, and which of them it runs.

An arm, its trials, their workers and the programs that a loader starts with Python are all to run
the files of one version of the project. However such a file is found (by an editable install, a
link, a folder on the path, an installed copy), the same file of the version's own tree takes its
place. And every process writes down what it has run, so that the run can prove it.

``sitecustomize`` starts this module, which needs nothing but the standard library: the interpreter
may be another one, without the package that this file belongs to.
"""

from __future__ import annotations

import copy
import importlib.machinery
import importlib.util
import os
import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder, SourceFileLoader
from importlib.machinery import SourcelessFileLoader as BytecodeLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import ModuleType
    from typing import Any

# Set for an arm, and inherited by all that it starts.
EXCHANGE = "LOADERPERF_EXCHANGE"  # the file that says which tree stands for which
RAN = "LOADERPERF_RAN"  # the folder that takes a file of each process: what it has run
WATCH = "LOADERPERF_WATCH"  # if set, the files that are opened are written down, too

# What stands in the place of a module's name where a file was not run as one.
OPENED = "*opened"
UNSEEN = "*unseen"  # not a file: the command of a Python that does not start this module

_INSTALLED = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)
_STANDARD_LIBRARY = os.path.dirname(os.path.realpath(os.__file__)) + os.sep
_HERE = os.path.dirname(os.path.abspath(__file__))
_USUAL = ("", "src", "lib", "python")  # folders in which the sources of a project begin


class Exchange:
    """Which file stands for which.

    ``old`` is the working tree and ``new`` the tree that takes its place, both empty where none
    does. ``copies`` gives the place in the working tree of files and folders that are installed as
    copies of it. ``kept`` (a package's folder, or nothing) is the same for all versions.
    """

    def __init__(
        self, old: str, new: str, copies: Mapping[str, str], kept: str = "", own: Iterable[str] = ()
    ) -> None:
        self.old, self.new = old, new
        self.copies = dict(sorted(copies.items(), key=lambda copy: -len(copy[0])))
        self.kept = kept
        self.own = frozenset(own)  # other installed files that belong to the project
        self._folders: dict[str, str] = {}

    def dump(self) -> str:
        """All of it as a text, which ``load`` reads."""
        fields = [self.old, self.new, self.kept, str(len(self.own)), *self.own]
        for place in self.copies.items():
            fields += place
        return "\0".join(fields)

    @classmethod
    def load(cls, text: str) -> Exchange:
        """The one that ``dump`` has made a text of."""
        old, new, kept, count, *rest = text.split("\0")
        own, places = rest[: int(count)], rest[int(count) :]
        return cls(old, new, dict(zip(places[::2], places[1::2])), kept, own)  # noqa: B905  (3.9)

    def real(self, path: str) -> str:
        """A path without links; a folder with installed packages is asked for only once."""
        folder, name = os.path.split(os.path.abspath(path))
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        real = os.path.join(self._folders[folder], name)
        return real if is_installed(real) else os.path.realpath(real)

    def in_working_tree(self, real: str) -> bool:
        """Whether a file is a source of the working tree; what is installed inside it is none."""
        return (
            bool(self.old)
            and real.startswith(self.old + os.sep)
            and not (self.new and real.startswith(self.new + os.sep))
            and not self._is_kept(real)
            and not real.startswith(_STANDARD_LIBRARY)
            and not is_installed(real + os.sep)
        )

    def place(self, real: str) -> str | None:
        """The path that stands for a path without links; None where its version has no such file.

        What no tree has (an extension that was compiled for an installed copy) stays where it is.
        """
        source = self.source(real)
        if self.new and self.in_working_tree(source):
            moved = self.new + source[len(self.old) :]
            if os.path.lexists(moved):
                return moved
            return real if source != real and not os.path.exists(source) else None
        return source if source == real or os.path.exists(source) else real

    def source(self, real: str) -> str:
        """The place in the working tree of what is a copy of it; other paths stay as they are."""
        for installed, source in self.copies.items():
            if real == installed or real.startswith(installed + os.sep):
                return source + real[len(installed) :]
        return real

    def is_told(self, real: str) -> bool:
        """Whether it is worth writing down that a file was run: it may be the project's."""
        if real.startswith(_STANDARD_LIBRARY) and not is_installed(real):
            return False
        if self._is_kept(real) or real.startswith(_HERE + os.sep):
            return False
        if not is_installed(real):
            return True
        return real in self.own or self.source(real) != real

    def _is_kept(self, real: str) -> bool:
        return bool(self.kept) and real.startswith(self.kept + os.sep)


def is_installed(path: str | os.PathLike[str]) -> bool:
    """Whether a path lies among installed packages."""
    return any(folder in os.fspath(path) for folder in _INSTALLED)


class Finder:
    """Stands before all other finders, has them find, and exchanges what they have found.

    That of folders on the path exchanges by itself: others ask it, as pytest does for what it
    rewrites, and stand before this one.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._find = find = PathFinder.find_spec

        def found(
            _: type[PathFinder],
            name: str,
            path: Sequence[str] | None = None,
            target: ModuleType | None = None,
        ) -> ModuleSpec | None:
            spec = find(name, path, target)
            return None if spec is None else self._exchanged(spec)

        setattr(PathFinder, "find_spec", classmethod(found))  # noqa: B010  (as mypy wants it)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the first of the other finders finds, exchanged.

        ModuleNotFoundError where this version has no such file: the others must not be asked.
        """
        kept = self._exchange.kept
        if kept and name == os.path.basename(kept):
            return importlib.util.spec_from_file_location(
                name, os.path.join(kept, "__init__.py"), submodule_search_locations=[kept]
            )
        for finder in list(sys.meta_path):
            find: Callable[..., ModuleSpec | None] | None = getattr(finder, "find_spec", None)
            spec = None if finder is self or find is None else find(name, path, target)
            if spec is not None:
                return self._exchanged(spec)
        return None

    def invalidate_caches(self) -> None:
        """Nothing is kept."""

    def _exchanged(self, spec: ModuleSpec) -> ModuleSpec:
        folders = spec.submodule_search_locations
        if not spec.has_location or spec.origin is None:
            if folders is not None:  # a namespace package
                spec.submodule_search_locations = self._folders(folders)
            return spec
        real = self._exchange.real(spec.origin)
        place = self._exchange.place(real)
        if place == real:
            return spec
        if place is None:
            moved = self._elsewhere(spec.name, self._exchange.source(real))
            if moved is not None:
                return moved
            raise ModuleNotFoundError(
                f"No module named {spec.name!r}: {real} is new in the working tree, or ignored by "
                f"git; {self._exchange.new} has none",
                name=spec.name,
            )
        if folders is not None:
            folders = list(dict.fromkeys([os.path.dirname(place), *self._folders(folders)]))
        loader: Any = None  # the usual one for such a file
        if isinstance(spec.loader, (SourceFileLoader, BytecodeLoader, ExtensionFileLoader)):
            loader = copy.copy(spec.loader)  # perhaps of a kind that does more
            loader.path = place
        exchanged = importlib.util.spec_from_file_location(
            spec.name, place, loader=loader, submodule_search_locations=folders
        )
        assert exchanged is not None
        return exchanged

    def _elsewhere(self, name: str, source: str) -> ModuleSpec | None:
        """Where a version has a top-level module that has moved since, from a flat layout, say."""
        if "." in name or not self._exchange.new:
            return None
        folders = []
        folder = os.path.dirname(source)
        while folder.startswith(self._exchange.old):
            inside = self._exchange.new + folder[len(self._exchange.old) :]
            folders += [os.path.join(inside, each) for each in _USUAL]
            folder = os.path.dirname(folder)
        found = self._find(name, folders)
        return found if found is not None and found.has_location else None

    def _folders(self, folders: Iterable[str]) -> list[str]:
        """Where submodules are looked for: in the version's own tree first."""
        real = map(self._exchange.real, folders)
        return list(dict.fromkeys(self._exchange.place(each) or each for each in real))


class Record:
    """What a process has run: a file of names and paths, each of them ended by a zero byte."""

    def __init__(self, exchange: Exchange, folder: str) -> None:
        self._exchange = exchange
        self._folder = folder
        self._seen: set[tuple[str, str]] = set()
        self._swept = 0
        self.note_start()

    def turn_to(self, folder: str) -> None:
        """Have this process, and all that it starts from now on, write into another folder."""
        os.makedirs(folder, exist_ok=True)
        self._folder = os.environ[RAN] = folder
        self._seen.clear()
        self.note_start()

    def note_start(self) -> None:
        """Show that this process writes down what it runs."""
        self._write(b"")

    def note(self, name: str, path: str) -> None:
        """Write down a file that is run now, unless it is none of the project's."""
        real = self._exchange.real(path)
        if self._exchange.is_told(real):
            self.tell(name, real)

    def tell(self, name: str, what: str) -> None:
        """Write something down, once."""
        if (name, what) not in self._seen:
            self._seen.add((name, what))
            self._write(os.fsencode(f"{name}\0{what}\0"))

    def sweep(self) -> None:
        """Write down all modules that there are: some were loaded by loaders of their own."""
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str):
                self.note(name, path)

    def watch(self) -> None:
        """Write down also what is opened, and which Pythons are started that cannot be seen.

        For the rest of this process, and for all that it starts. It makes some operations slower.
        """
        os.environ[WATCH] = "1"
        busy = False

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal busy
            if busy or event not in _WATCHED:
                return
            busy = True
            try:
                self._told(event, arguments)
            except (TypeError, ValueError, OSError):  # a descriptor is no path
                pass
            finally:
                busy = False

        sys.addaudithook(hook)

    def _told(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STARTS:
            unseen = _unseen(arguments[0], arguments[1], arguments[-1])
            if unseen:
                self.tell(UNSEEN, unseen)
        elif event != "open" or _reads(*arguments[1:]):
            path = os.fspath("." if arguments[0] is None else arguments[0])
            real = self._exchange.real(os.fsdecode(path))
            if self._exchange.in_working_tree(real) and os.path.exists(real):
                self.tell(OPENED, real)

    def _write(self, data: bytes) -> None:
        # No file stays open: a loader may close what it does not know, or count on its number.
        try:
            path = os.path.join(self._folder, str(os.getpid()))
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(file, data)
            finally:
                os.close(file)
        except OSError:  # the run has ended, or the disk is full: what is not told is not proven
            pass


def start() -> None:
    """Exchange and write down, as the environment says."""
    if EXCHANGE not in os.environ or RAN not in os.environ:
        return
    try:
        with open(os.environ[EXCHANGE], encoding="utf-8", errors="surrogateescape") as file:
            exchange = Exchange.load(file.read())
    except OSError:  # the run has ended
        return
    global record  # noqa: PLW0603  (one for each process)
    record = Record(exchange, os.environ[RAN])
    sys.path[:] = [_on_path(exchange, each) for each in sys.path]
    sys.meta_path.insert(0, Finder(exchange))
    _tell_of(SourceFileLoader, "get_code")
    _tell_of(BytecodeLoader, "get_code")
    _tell_of(ExtensionFileLoader, "create_module")
    os.register_at_fork(after_in_child=record.note_start)
    script = _script(getattr(sys, "orig_argv", []))
    if script:
        record.note("__main__", script)
    if WATCH in os.environ:
        record.watch()


record: Record | None = None


def _on_path(exchange: Exchange, folder: str) -> str:
    """A folder on ``sys.path`` as this version has it, also if it is new in the working tree."""
    if not folder or not os.path.isabs(folder):
        return folder
    real = exchange.real(folder)
    if exchange.new and (real == exchange.old or exchange.in_working_tree(real)):
        return exchange.new + real[len(exchange.old) :]
    return folder


def _tell_of(loader: type, method: str) -> None:
    """Have loaders of a type write down what they load."""
    load = getattr(loader, method)

    def told(self: Any, argument: Any) -> Any:
        if record is not None:
            record.note(getattr(argument, "name", argument) or "", self.path)
        return load(self, argument)

    setattr(loader, method, told)


def _script(command: Sequence[str]) -> str:
    """The script that a command line of Python runs; empty where it runs none."""
    arguments = iter(command[1:])
    for each in arguments:
        if each in ("-W", "-X", "--check-hash-based-pycs"):
            next(arguments, "")
        elif each.startswith(("-c", "-m")) or each == "-":
            return ""
        elif not each.startswith("-"):
            return each
        elif not each.startswith("--") and ("c" in each or "m" in each):  # as in -Im
            return ""
    return ""


# --- what is opened and started, where nothing is timed


# These tell of a start: program and arguments first, the environment last.
_STARTS = ("subprocess.Popen", "os.exec", "os.posix_spawn")
_WATCHED = frozenset(["open", "os.listdir", "os.scandir", *_STARTS])


def _reads(mode: Any, flags: int) -> bool:
    """Whether a file is opened to be read."""
    return "r" in mode if isinstance(mode, str) else flags & (os.O_WRONLY | os.O_RDWR) == 0


def _unseen(program: Any, arguments: Any, environment: Any) -> str:
    """The command of a Python that will not start this module; empty for any other command."""
    words = [
        os.fsdecode(each) for each in ([arguments] if isinstance(arguments, str) else arguments)
    ]
    name = os.path.basename(os.fsdecode(program or words[0]))
    if not name.startswith(("python", "pypy")):
        return ""
    isolated = False
    for word in words[1:]:
        if not word.startswith("-") or word.startswith(("-c", "-m", "--")):
            break
        isolated |= any(flag in word for flag in "IES")
    if environment is not None and not isolated:
        given = {os.fsdecode(key): os.fsdecode(value) for key, value in environment.items()}
        path = given.get("PYTHONPATH", "").split(os.pathsep)
        isolated = EXCHANGE not in given or RAN not in given or _HERE not in path
    return " ".join(words) if isolated else ""
