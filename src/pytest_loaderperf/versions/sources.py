"""Which sources each version is to run, and what its processes say that they have run.

All Python processes of an arm write down which files of the project they have run
(``child/loaderperf_sources.py``). What that proves is in ``proof``.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import child
from ..child.loaderperf_commands import main
from ..child.loaderperf_exchange import Exchange
from ..child.loaderperf_sources import EXCHANGE, RAN, WATCH
from ..errors import ArmError
from ..model.version import Version
from ..system import process_tree, strays
from .project import Copies, Project

_PACKAGE = __name__.partition(".")[0]
_PYTHON = re.compile(r"(python|pypy)[\d.]*t?")
_START_SECONDS = 3.0  # a Python that has just been started takes some milliseconds


# In which an arm wrote while it collected, and then its trial.
Folders = tuple[Path, Path]


@dataclass(frozen=True, order=True, kw_only=True)
class Ran:
    """A file that a process has run as a module of this name; its path has no links."""

    name: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Files, relative to the top folder.

    ``since``: in which a commit and the candidate differ; ``in_worktree``: in which the commit's
    worktree is not as the commit any more, and ``in_candidate`` that of a candidate; ``shared``:
    that are the same for both versions, as the user has said; ``built``: that were built in the
    commit's worktree.
    """

    since: Collection[str] = ()
    in_worktree: Collection[str] = ()
    in_candidate: Collection[str] = ()
    shared: Collection[str] = ()
    built: Collection[str] = ()

    def is_shared(self, file: str) -> bool:
        """Whether the user has said that a file is the same for both versions."""
        return any(file == name or file.startswith(f"{name}/") for name in self.shared)


class Sources:
    """What each version is to run, and what it has run. ``folder`` takes the records."""

    def __init__(self, project: Callable[[], Project], folder: Path) -> None:
        self._find = project
        self._folder = folder
        self._count = 0
        self._copies: dict[str, Copies] = {}
        self._numbers: dict[tuple[Version, str], int] = {}
        self._exchanges: dict[Version, tuple[Exchange, Path]] = {}

    @functools.cached_property
    def project(self) -> Project:
        """The working tree."""
        return self._find()

    def copies(self, python: str) -> Copies:
        """What an interpreter has installed of the project."""
        if python not in self._copies:
            self._copies[python] = self.project.copies(python)
        return self._copies[python]

    def environment(
        self, version: Version, folder: Path, given: Mapping[str, str], *, watch: str = ""
    ) -> dict[str, str]:
        """The variables that make all of an arm's processes run the sources of its version.

        They write down in ``folder`` what they have run, and with ``watch`` also what they open,
        or wholly what a record needs (``WHOLLY``).
        Each version has a temporary folder of its own, which goes with the run: trials end without
        Python's cleanup, and what one version has built must not be taken for the other's.
        """
        exchange = self._dumped(version)[1]
        temporary = exchange.with_name(exchange.name.replace("exchange-", "t"))
        temporary.mkdir(parents=True, exist_ok=True)
        path = (str(Path(child.__file__).parent), given.get("PYTHONPATH"))
        variables = {
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            "TMPDIR": str(temporary),
            EXCHANGE: str(exchange),
            RAN: str(folder),
        }
        return {**variables, WATCH: watch} if watch else variables

    def new_folder(
        self, version: Version, module: str, nodeid: str = "", *, apart: bool = False
    ) -> Path:
        """Where the processes of one more arm are to write while it collects, or of one trial.

        What is written ``apart`` is no proof, and is not among what they ``ran``.
        """
        self._count += 1
        name = f"{'apart-' * apart}{_name(nodeid)}-{self._count}"
        folder = self._all(version, module) / name
        folder.mkdir(parents=True)
        return folder

    def _all(self, version: Version, module: str) -> Path:
        number = self._numbers.setdefault((version, module), len(self._numbers))
        return self._folder / f"ran-{number}"

    def ran(self, version: Version, module: str, nodeid: str = "") -> set[Ran]:
        """What the processes of arms have run while they collected, and in trials of a check."""
        every = self._all(version, module)
        folders = [each for name in {"", nodeid} for each in every.glob(f"{_name(name)}-*")]
        return {each for folder in folders for each in read(folder)}

    def check_seen(self, version: Version, module: str, pid: int) -> None:
        """Look for Pythons below a process that write nothing down: ArmError names them."""
        root = self._all(version, module)
        end = time.monotonic() + _START_SECONDS
        while silent := self._silent(pid, root):
            if time.monotonic() > end:
                raise ArmError(not_seen(version, next(iter(silent.values()))))
            time.sleep(_START_SECONDS / 100)

    def started_beside(self) -> dict[str, str]:
        """The files of the project that Pythons run which pytest itself has started, and no arm.

        As a conftest does. With the command of each, by its path relative to the top folder.
        """
        found = {}
        for pid in process_tree.tree(os.getpid())[1:]:
            if _is_python(pid) and not strays.has_mark(pid):
                script, module = main(_words(pid))
                path = os.path.realpath(_folder_of(pid) / script) if script else ""
                if path.startswith(self.project.top + os.sep):
                    found[os.path.relpath(path, self.project.top)] = _command(pid)
                elif module.startswith(f"{_PACKAGE}."):
                    pass  # of the guard itself, whose own repository this may be
                elif file := self.project.file_of(module):
                    found[file] = _command(pid)
        return found

    @staticmethod
    def _silent(pid: int, root: Path) -> dict[int, str]:
        """The Pythons below a process that have written nothing, with their commands."""
        pythons = [each for each in process_tree.tree(pid)[1:] if _is_python(each)]
        if not pythons:
            return {}
        seen = {each.name for each in root.glob("*/*")}
        silent = {each: _command(each) for each in pythons if str(each) not in seen}
        return {each: command for each, command in silent.items() if command}  # else it has ended

    def exchange(self, version: Version) -> Exchange:
        """Which files stand for which in the processes of a version."""
        return self._dumped(version)[0]

    def _dumped(self, version: Version) -> tuple[Exchange, Path]:
        if version not in self._exchanges:
            copies = self.copies(version.python)
            exchange = Exchange(
                self.project.top,
                version.moved_to,
                copies.places,
                str(Path(__file__).resolve().parents[1]) if version.is_of_this_python else "",
                {*copies.own, *copies.stray},
                self.project.names,
                str(self._folder),
            )
            path = self._folder / f"exchange-{len(self._exchanges)}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(exchange.dump(), "utf-8", "surrogateescape")
            self._exchanges[version] = exchange, path
        return self._exchanges[version]


def read(folder: Path) -> Iterator[Ran]:
    """What the processes that write into a folder have run."""
    for file in folder.glob("*"):
        if file.is_file():
            fields = os.fsdecode(file.read_bytes()).split("\0")
            # The last line may be cut off: by a process that was killed, or by a full disk.
            for name, path in zip(fields[:-1:2], fields[1:-1:2], strict=False):
                yield Ran(name=name, path=path)


def _name(nodeid: str) -> str:
    """A name for the folders of a check, whose own may have any length and any letters."""
    if not nodeid:
        return "arm"
    return hashlib.sha256(nodeid.encode(errors="surrogatepass")).hexdigest()[:16]


def _is_python(pid: int) -> bool:
    try:
        program = Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return False
    return bool(_PYTHON.fullmatch(program))


def _words(pid: int) -> list[str]:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
    return [os.fsdecode(word) for word in words[:-1]]


def _command(pid: int) -> str:
    return " ".join(_words(pid))


def _folder_of(pid: int) -> Path:
    try:
        return Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return Path()


def not_seen(version: Version, command: str) -> str:
    """What to say of a Python that writes nothing down."""
    return (
        f"{version.name} started a Python that does not show which files it runs: {command}. It "
        "may run those of another version. Start it without -I, -E and -S, and let it inherit the "
        "environment, PYTHONPATH included (put folders before what is there)"
    )
