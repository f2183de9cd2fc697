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
if TYPE_CHECKING or __package__:
    from .loaderperf_commands import main
    from .loaderperf_exchange import SYSTEM, USUAL, Exchange, is_installed
    from .loaderperf_watch import Watcher
else:  # as sitecustomize imports it
    from loaderperf_commands import main
    from loaderperf_exchange import SYSTEM, USUAL, Exchange, is_installed
    from loaderperf_watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import ModuleType
    from typing import Any

# Set for an arm, and inherited by all that it starts.
EXCHANGE = "LOADERPERF_EXCHANGE"  # the file that says which tree stands for which
RAN = "LOADERPERF_RAN"  # the folder that takes a file of each process: what it has run
WATCH = "LOADERPERF_WATCH"  # if set, the files that are opened are written down, too
WHOLLY = "wholly"  # a value of it: with all that a record of the files that are used needs

# What stands in the place of a module's name where a file was not run as one.
MAPPED = "*mapped"  # a library that is no part of the system, nor of an installed package


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
        if name in self._exchange.names:  # nothing leads to where it was
            return self._elsewhere(name, os.path.join(self._exchange.old, name))
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
        if exchanged is None:  # of a kind that only its own finder knows
            raise ImportError(f"{real} cannot be exchanged for {place}", name=spec.name)
        return exchanged

    def _elsewhere(self, name: str, source: str) -> ModuleSpec | None:
        """Where a version has a top-level module that has moved since, from a flat layout, say."""
        if "." in name or not self._exchange.new:
            return None
        folders = []
        folder = os.path.dirname(source)
        while folder.startswith(self._exchange.old):
            inside = self._exchange.new + folder[len(self._exchange.old) :]
            folders += [os.path.join(inside, each) for each in USUAL]
            folder = os.path.dirname(folder)
        found = self._find(name, folders)
        return found if found is not None and found.has_location else None

    def _folders(self, folders: Iterable[str]) -> list[str]:
        """Where submodules are looked for: in the version's own tree first."""
        found = []
        for each in folders:
            real = self._exchange.real(each) if os.path.isabs(each) else each  # a path hook's
            found.append(self._exchange.place(real) or real)
            if self._exchange.source(real) != real:
                found.append(real)  # a copy, in which there may be what was made for it alone
        return list(dict.fromkeys(found))


class Ledger:
    """What a process has run: a file of names and paths, each of them ended by a zero byte."""

    def __init__(self, exchange: Exchange, folder: str) -> None:
        self._exchange = exchange
        self._folder = folder
        self._seen: set[tuple[str, str]] = set()
        self._links: Callable[[str], None] | None = None  # tells by which links a file is reached
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
        if self._exchange.is_told(name, real):
            self.tell(name, real)
            if self._links is not None:
                self._links(path)

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
        for path in _mapped():
            self.tell(MAPPED, path)

    def watch(self) -> None:
        """Write down also what is opened, and which Pythons are started that cannot be seen.

        For the rest of this process, and for all that it starts. It makes some operations slower.
        """
        wholly = os.environ.setdefault(WATCH, "1") == WHOLLY
        watcher = Watcher(self._exchange, self.tell, (EXCHANGE, RAN), wholly=wholly)
        if wholly:
            self._links = watcher.links
        sys.addaudithook(watcher.hook)

    def _write(self, data: bytes) -> None:
        # No file stays open: a loader may close what it does not know, or count on its number.
        try:
            path = os.path.join(self._folder, str(os.getpid()))
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(file, data)
            finally:
                os.close(file)
        except OSError as error:
            # The run has ended, or the disk is full: what is not told is not proven. In a record,
            # which proves what was not used, nothing may be missing.
            if self._links is not None:
                raise RuntimeError("what it does cannot be written down") from error


def start() -> None:
    """Exchange and write down, as the environment says."""
    if EXCHANGE not in os.environ or RAN not in os.environ:
        return
    try:
        with open(os.environ[EXCHANGE], encoding="utf-8", errors="surrogateescape") as file:
            exchange = Exchange.load(file.read())
    except OSError:  # the run has ended
        return
    script, module = main(getattr(sys, "orig_argv", []))
    global record  # noqa: PLW0603  (one for each process)
    record = Ledger(exchange, os.environ[RAN])
    sys.path[:] = [_on_path(exchange, each) for each in sys.path]
    sys.meta_path.insert(0, Finder(exchange))
    _tell_of(SourceFileLoader, "get_code", module)
    _tell_of(BytecodeLoader, "get_code", module)
    _tell_of(ExtensionFileLoader, "create_module", module)
    os.register_at_fork(after_in_child=record.note_start)
    if script:
        record.note("__main__", script)
    if WATCH in os.environ:
        record.watch()


record: Ledger | None = None


def _on_path(exchange: Exchange, folder: str) -> str:
    """A folder on ``sys.path`` as this version has it, also if it is new in the working tree."""
    if not folder or not os.path.isabs(folder):
        return folder
    real = exchange.real(folder)
    if exchange.new and (real == exchange.old or exchange.in_working_tree(real)):
        return exchange.new + real[len(exchange.old) :]
    return folder


def _tell_of(loader: type, method: str, main: str) -> None:
    """Have loaders of a type write down what they load; ``main`` is what the process runs."""
    load = getattr(loader, method)

    def told(self: Any, argument: Any) -> Any:
        if record is not None:
            name = getattr(argument, "name", argument) or ""
            record.note(name, self.path)
            if main and name in (main, f"{main}.__main__"):
                record.note("__main__", self.path)
        return load(self, argument)

    setattr(loader, method, told)


def _mapped() -> Iterable[str]:
    """The shared libraries that this process has loaded, but for those of packages and systems."""
    found = set()
    try:
        with open("/proc/self/maps", errors="surrogateescape") as maps:
            for line in maps:
                path = line[line.find("/") :].rstrip("\n") if "/" in line else ""
                if ".so" in path and not path.startswith(SYSTEM) and not is_installed(path):
                    found.add(path)
    except OSError:  # on this system nobody tells
        pass
    return found
