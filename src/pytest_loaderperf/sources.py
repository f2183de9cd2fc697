"""The proof that every version has run its own sources, and nothing of another one.

All Python processes of an arm write down which files of the project they have run
(``child/loaderperf_sources.py``). What they wrote is read here, and compared with the trees.
"""

from __future__ import annotations

import filecmp
import functools
import hashlib
import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from . import child, process
from .child.loaderperf_sources import EXCHANGE, OPENED, RAN, UNSEEN, WATCH, Exchange
from .errors import ArmError
from .project import Copies, Project
from .version import Version

# What changes in such files cannot change what a loader does.
_DOCUMENTS = (".md", ".rst", ".txt", ".ipynb", ".png", ".svg", ".json5", ".cff")
# Sources of what is compiled, and what says how.
_COMPILED = (
    ".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".cu", ".cuh", ".pyx", ".pxd", ".pxi", ".rs",
    ".f", ".f90", ".go", ".zig", ".i", "CMakeLists.txt", "meson.build", "Cargo.toml", "Cargo.lock",
)  # fmt: skip
_MAIN = ("__main__", "__mp_main__")
_PYTHON = re.compile(r"(python|pypy)[\d.]*t?")
_START_SECONDS = 3.0  # a Python that has just been started takes some milliseconds
_SHOWN = 3  # of several files that are to be named


@dataclass(frozen=True)
class Ran:
    """A file that a process has run as a module of this name; its path has no links."""

    name: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Files, relative to the top folder.

    ``since``: in which a commit and the working tree differ; ``in_worktree``: in which the
    commit's worktree is not as the commit any more; ``shared``: that are the same for both
    versions, as the user has said.
    """

    since: Collection[str] = ()
    in_worktree: Collection[str] = ()
    shared: Collection[str] = ()


class Sources:
    """What each version is to run, and what it has run. ``folder`` takes the records."""

    def __init__(self, project: Callable[[], Project], folder: Path) -> None:
        self._find = project
        self._folder = folder
        self._trials = 0
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

    def environment(self, version: Version, module: str, *, watch: bool = False) -> dict[str, str]:
        """The variables that make all of an arm's processes run the sources of its version."""
        path = [str(Path(child.__file__).parent)]
        path += map(version.place, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        collecting = self.folder(version, module)
        collecting.mkdir(parents=True, exist_ok=True)
        variables = {
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            EXCHANGE: str(self._exchange(version)[1]),
            RAN: str(collecting),
        }
        return {**variables, WATCH: "1"} if watch else variables

    def folder(self, version: Version, module: str) -> Path:
        """Where the processes of an arm write while it collects."""
        number = self._numbers.setdefault((version, module), len(self._numbers))
        return self._folder / f"ran-{number}" / "arm"

    def new_folder(self, version: Version, module: str, nodeid: str) -> Path:
        """Where those of one more trial are to write."""
        self._trials += 1
        return self.folder(version, module).with_name(f"{_name(nodeid)}-{self._trials}")

    def ran(self, version: Version, module: str, nodeid: str = "") -> set[Ran]:
        """What the processes of an arm have run while it collected, and in trials of a check."""
        collected = self.folder(version, module)
        trials = collected.parent.glob(f"{_name(nodeid)}-*") if nodeid else ()
        return {each for folder in (collected, *trials) for each in read(folder)}

    def used(self, version: Version, module: str, nodeid: str = "") -> set[str]:
        """The files of the tree that a version has run or opened, relative to the top folder."""
        exchange = self._exchange(version)[0]
        paths = {each.path for each in self.ran(version, module, nodeid) if each.name != UNSEEN}
        return {self._relative(path) for path in paths if exchange.in_working_tree(path)}

    def check_seen(self, version: Version, module: str, pid: int) -> None:
        """Look for Pythons below a process that write nothing down: ArmError names them."""
        root = self.folder(version, module).parent
        end = time.monotonic() + _START_SECONDS
        while silent := self._silent(pid, root):
            if time.monotonic() > end:
                raise ArmError(_not_seen(version, next(iter(silent.values()))))
            time.sleep(_START_SECONDS / 100)

    @staticmethod
    def _silent(pid: int, root: Path) -> dict[int, str]:
        """The Pythons below a process that have written nothing, with their commands."""
        pythons = [each for each in process.tree(pid)[1:] if _is_python(each)]
        if not pythons:
            return {}
        seen = {each.name for each in root.glob("*/*")}
        silent = {each: _command(each) for each in pythons if str(each) not in seen}
        return {each: command for each, command in silent.items() if command}  # else it has ended

    def check(self, version: Version, module: str, nodeid: str = "") -> None:
        """Every version must be measured on its own sources, or a comparison means nothing.

        ArmError if anything was run that is not, or may not be, of this version.
        """
        exchange = self._exchange(version)[0]
        copies = self.copies(version.python)
        for each in sorted(self.ran(version, module, nodeid), key=lambda ran: (ran.path, ran.name)):
            if each.name == UNSEEN:
                raise ArmError(_not_seen(version, each.path))
            if each.name == OPENED:
                continue
            source = exchange.source(each.path)
            if version.moved_to and exchange.in_working_tree(each.path):
                own = os.path.realpath(version.moved_to + each.path[len(exchange.old) :])
                if own != each.path:  # else it is shared by both, or was carried over
                    raise ArmError(_foreign(version, each, self._relative(each.path)))
            elif each.path in copies.stray or (source != each.path and Path(source).exists()):
                raise ArmError(_installed(version, each))
            elif not self._is_of_a_tree(version, each.path) and each.path not in copies.own:
                hidden = each.name not in _MAIN and self.project.shadowed_by(each.name, each.path)
                if hidden and source == each.path:
                    raise ArmError(_shadowed(version, each, hidden))

    def _is_of_a_tree(self, version: Version, path: str) -> bool:
        tops = [self.project.top, version.moved_to or self.project.top]
        return any(path.startswith(top + os.sep) for top in tops)

    def prove(
        self,
        candidate: Version,
        baseline: Version,
        module: str,
        nodeid: str,
        *,
        changes: Changes,
        pairs: Sequence[tuple[Path, Path]] = (),
    ) -> list[str]:
        """What the candidate took from its tree, the baseline must have taken from its own.

        ``pairs`` are the folders of the trials of each pair, the candidate's first. Returns what
        there is to note. ArmError where there is no proof.
        """
        self.check(candidate, module, nodeid)
        self.check(baseline, module, nodeid)
        here = _modules(self.ran(candidate, module, nodeid), self.project.top)
        there = _modules(self.ran(baseline, module, nodeid), baseline.moved_to)
        spoiled = sorted({*changes.in_worktree} & there)
        if spoiled:
            raise ArmError(
                f"{baseline.name}: {_list(spoiled)} was changed in its worktree while it was "
                "measured, so that it is not the commit's any more: a test or a loader must not "
                "write to the project's files"
            )
        self._check_builds(candidate, baseline, module, nodeid, changes)
        old, new = Path(baseline.moved_to), Path(self.project.top)
        differing = sorted(each for each in here if _differ(new / each, old / each))
        self._check_pairs(candidate, baseline, module, differing, pairs)
        missing = [each for each in differing if each not in there]
        if not missing:
            return []
        explained = len(differing) > len(missing)
        explained |= any(not (old / each).exists() for each in here)
        explained |= any(
            not each.endswith((".py", *_DOCUMENTS)) and each not in missing
            for each in changes.since
        )
        if explained:
            return [f"run by the working tree, not by {baseline.name}: {_list(missing)}"]
        raise ArmError(
            f"the working tree ran {_list(missing)}, which has changed; {baseline.name} did not "
            "run its own, and nothing else has changed that would explain it. Perhaps it used a "
            "server that the working tree has started, or another copy"
        )

    def _check_pairs(
        self,
        candidate: Version,
        baseline: Version,
        module: str,
        differing: Collection[str],
        pairs: Sequence[tuple[Path, Path]],
    ) -> None:
        """A file that differs must have run on both sides: one may serve the other as well."""
        if not differing or not pairs:
            return
        tops = self.project.top, baseline.moved_to
        before = [
            _modules(self.ran(version, module), top)
            for version, top in zip((candidate, baseline), tops, strict=True)
        ]
        alone = {*differing}
        for pair in pairs:
            here, there = (before[side] | _modules(read(pair[side]), tops[side]) for side in (0, 1))
            alone &= here ^ there
        served = sorted(each for each in alone if any(
            each in _modules(read(there), baseline.moved_to) for _, there in pairs
        ))  # fmt: skip
        if served:
            raise ArmError(
                f"in each pair of trials only one version ran {_list(served)}, which has changed: "
                "perhaps a server that the first one starts serves the other one, too. Have each "
                "process start its own, on a port that is free"
            )

    def _check_builds(
        self,
        candidate: Version,
        baseline: Version,
        module: str,
        nodeid: str,
        changes: Changes,
    ) -> None:
        """A compiled extension that both have run is right only while its sources are the same."""
        sources = sorted(each for each in changes.since if each.endswith(_COMPILED))
        if not sources:
            return
        built = {
            each.name: each.path
            for each in self.ran(candidate, module, nodeid)
            if each.path.endswith(tuple(EXTENSION_SUFFIXES))
        }
        tracked = {*self.project.files}
        for each in self.ran(baseline, module, nodeid):
            path = built.get(each.name)
            if path is None or _differ(each.path, path):
                continue
            within = self._relative(path)
            named = any(within == name or within.startswith(f"{name}/") for name in changes.shared)
            if not named and within not in tracked:
                raise ArmError(
                    f"{baseline.name} ran {each.path}, which was compiled from the working tree, "
                    f"and sources of such have changed since: {_list(sources)}. Give it the build "
                    "of its own commit (--loaderperf-baseline-python=PATH, an environment that has "
                    "it), or name the file in loaderperf_share if it is the same for both"
                )

    def _relative(self, path: str) -> str:
        return os.path.relpath(path, self.project.top)

    def _exchange(self, version: Version) -> tuple[Exchange, Path]:
        if version not in self._exchanges:
            copies = self.copies(version.python)
            exchange = Exchange(
                self.project.top,
                version.moved_to,
                copies.places,
                str(Path(__file__).resolve().parent) if version.is_of_this_python else "",
                {*copies.own, *copies.stray},
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
                yield Ran(name, path)


def _name(nodeid: str) -> str:
    """A name for the folders of a check, whose own may have any length and any letters."""
    return hashlib.sha256(nodeid.encode(errors="surrogatepass")).hexdigest()[:16]


def _modules(ran: Iterable[Ran], top: str) -> set[str]:
    """The files of a tree among those that were run, relative to its top folder."""
    inside = top + os.sep
    return {
        each.path[len(inside) :]
        for each in ran
        if each.name not in (OPENED, UNSEEN) and each.path.startswith(inside)
    }


def _differ(one: str | Path, other: str | Path) -> bool:
    """Whether there are two files whose contents differ."""
    try:
        return not filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def _is_python(pid: int) -> bool:
    try:
        program = Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return False
    return bool(_PYTHON.fullmatch(program))


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return " ".join(map(os.fsdecode, words)).strip()


def _list(files: Collection[str]) -> str:
    shown = list(files)[:_SHOWN]
    more = len(files) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _not_seen(version: Version, command: str) -> str:
    return (
        f"{version.name} started a Python that does not show which files it runs: {command}. It "
        "may run those of another version. Start it without -I, -E and -S, and let it inherit the "
        "environment, PYTHONPATH included (put folders before what is there)"
    )


def _foreign(version: Version, ran: Ran, file: str) -> str:
    return (
        f"{version.name} ran {file} ({ran.name}) from the working tree: it would measure the wrong "
        "version. Something names that file by its absolute path: have it found by import, or "
        "from __file__ or the test's folder"
    )


def _installed(version: Version, ran: Ran) -> str:
    return (
        f"{version.name} ran {ran.path} ({ran.name}), an installed copy of the project, which is "
        "the same for every version. Install the project with pip install -e ."
    )


def _shadowed(version: Version, ran: Ran, source: str) -> str:
    return (
        f"{version.name} ran {ran.path} ({ran.name}), and not {source}: every version would "
        "measure that copy. Remove it from the path, or install the project with pip install -e ."
    )
