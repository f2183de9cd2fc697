"""The proof that every version has run its own sources, and nothing of another one.

It is drawn from what the processes of all arms have written down (``sources``), and from the trees.
"""

from __future__ import annotations

import ast
import filecmp
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from .child.loaderperf_sources import OPENED, UNSEEN
from .errors import ArmError
from .sources import Folders, Ran, Sources, not_seen, read
from .version import Version

# What changes in such files cannot change what a loader does.
_DOCUMENTS = (".md", ".rst", ".txt", ".ipynb", ".png", ".svg", ".json5", ".cff")
# Sources of what is compiled, and what says how.
_COMPILED = (
    ".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".cu", ".cuh", ".pyx", ".pxd", ".pxi", ".rs",
    ".f", ".f90", ".go", ".zig", ".i", "CMakeLists.txt", "meson.build", "Cargo.toml", "Cargo.lock",
)  # fmt: skip
_MAIN = ("__main__", "__mp_main__")
# As compilers of protocols, version tools and the like begin what they write.
_GENERATED = re.compile(r"generated|do not edit|automatically", re.IGNORECASE)
_HEAD_LINES = 10
_SHOWN = 3  # of several files that are to be named


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

    def is_shared(self, file: str) -> bool:
        """Whether the user has said that a file is the same for both versions."""
        return any(file == name or file.startswith(f"{name}/") for name in self.shared)


class Proof:
    """Judges what the processes of a run have written down."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._top = sources.project.top
        self._states: dict[str, tuple[int, int]] = {}  # of files when they were seen to run

    def used(self, version: Version, module: str, nodeid: str = "") -> set[str]:
        """The files of the tree that a version has run or opened, relative to the top folder."""
        exchange = self._sources.exchange(version)
        paths = {
            each.path for each in self._sources.ran(version, module, nodeid) if each.name != UNSEEN
        }
        return {self._relative(path) for path in paths if exchange.in_working_tree(path)}

    def reads_changes(
        self, candidate: Version, baseline: Version, module: str, nodeid: str
    ) -> bool:
        """Whether the candidate has opened a file, not to run it, that has changed since a commit.

        Then the baseline must show that it opens its own: in a trial that is watched.
        """
        ran = self._sources.ran(candidate, module, nodeid)
        modules = {each.path for each in ran if each.name not in (OPENED, UNSEEN)}
        opened = {each.path for each in ran if each.name == OPENED} - modules
        return any(_differ(path, baseline.moved_to + path[len(self._top) :]) for path in opened)

    def check(self, version: Version, module: str, nodeid: str = "") -> None:
        """Every version must be measured on its own sources, or a comparison means nothing.

        ArmError if anything was run that is not, or may not be, of this version.
        """
        exchange = self._sources.exchange(version)
        copies = self._sources.copies(version.python)
        for each in sorted(
            self._sources.ran(version, module, nodeid), key=lambda ran: (ran.path, ran.name)
        ):
            if each.name == UNSEEN:
                raise ArmError(not_seen(version, each.path))
            if each.name == OPENED:
                self._check_opened(version, each.path)
                continue
            self._check_state(each.path)
            source = exchange.source(each.path)
            if version.moved_to and exchange.in_working_tree(each.path):
                own = os.path.realpath(version.moved_to + each.path[len(exchange.old) :])
                if own != each.path:  # else it is shared by both, or was carried over
                    raise ArmError(_foreign(version, each, self._relative(each.path)))
            elif each.path in copies.stray or (source != each.path and Path(source).exists()):
                raise ArmError(_installed(version, each))
            elif not self._is_of_a_tree(version, each.path) and each.path not in copies.own:
                hidden = each.name not in _MAIN and self._sources.project.shadowed_by(
                    each.name, each.path
                )
                if hidden and source == each.path:
                    raise ArmError(_shadowed(version, each, hidden))

    def _check_opened(self, version: Version, path: str) -> None:
        """A commit must not read what has changed since from the working tree."""
        exchange = self._sources.exchange(version)
        if version.moved_to and exchange.in_working_tree(path):
            own = version.moved_to + path[len(exchange.old) :]
            if _differ(path, own):
                raise ArmError(
                    f"{version.name} read {self._relative(path)} from the working tree, where it "
                    "has changed: it would measure the wrong version. Have its path begin at "
                    "__file__ or the test's folder"
                )

    def _check_state(self, path: str) -> None:
        """A file must stay as it was when it was first seen to run."""
        if not path.startswith(self._top + os.sep):
            return
        try:
            found = Path(path).stat()
        except OSError:
            return  # one that was generated, and has gone
        state = found.st_mtime_ns, found.st_size
        if self._states.setdefault(path, state) != state:
            self._states[path] = state  # the next check is measured with what is there now
            raise ArmError(
                f"{self._relative(path)} was changed while it was measured, so that the numbers "
                "are of no single version: run the check again"
            )

    def _is_of_a_tree(self, version: Version, path: str) -> bool:
        tops = [self._top, version.moved_to or self._top]
        return any(path.startswith(top + os.sep) for top in tops)

    def prove(
        self,
        candidate: Version,
        baseline: Version,
        module: str,
        nodeid: str,
        *,
        changes: Changes,
        pairs: Sequence[tuple[Folders, Folders]] = (),
    ) -> list[str]:
        """What the candidate took from its tree, the baseline must have taken from its own.

        ``pairs`` has the folders of each, the candidate's first. Returns what there is to note.
        ArmError where there is no proof.
        """
        self.check(candidate, module, nodeid)
        self.check(baseline, module, nodeid)
        here = _modules(self._sources.ran(candidate, module, nodeid), self._top)
        there = _modules(self._sources.ran(baseline, module, nodeid), baseline.moved_to)
        spoiled = sorted({*changes.in_worktree} & there)
        if spoiled:
            raise ArmError(
                f"{baseline.name}: {_list(spoiled)} was changed in its worktree while it was "
                "measured, so that it is not the commit's any more: a test or a loader must not "
                "write to the project's files"
            )
        self._check_carried(baseline, here, changes)
        self._check_builds(candidate, baseline, module, nodeid, changes)
        old, new = Path(baseline.moved_to), Path(self._top)
        differing = sorted(each for each in here if _differ(new / each, old / each))
        self._check_pairs(baseline, differing, pairs)
        missing = [each for each in differing if each not in there]
        if not missing:
            return []
        explained = len(differing) > len(missing)
        explained |= any(not (old / each).exists() for each in here)
        explained |= any(each not in missing and self._may_matter(each) for each in changes.since)
        if explained:
            return [f"run by the working tree, not by {baseline.name}: {_list(missing)}"]
        raise ArmError(
            f"the working tree ran {_list(missing)}, which has changed; {baseline.name} did not "
            "run its own, and nothing else has changed that would explain it. Perhaps it used a "
            "server that the working tree has started, or another copy"
        )

    def _check_carried(self, baseline: Version, ran: Collection[str], changes: Changes) -> None:
        """What git ignores is the same for both versions: that is right of what is generated."""
        tracked = {*self._sources.project.files}
        untracked = sorted(
            each
            for each in ran
            if each.endswith(".py")
            and each not in tracked
            and Path(baseline.moved_to, each).exists()
            and not changes.is_shared(each)
            and is_source(Path(self._top, each))
        )
        if untracked:
            raise ArmError(
                f"git ignores {_list(untracked)}, so that {baseline.name} has no version of its "
                "own, and would run that of the working tree. If it is a source, have git track it "
                "(git add --force); if it is generated, name it in loaderperf_share"
            )

    def _may_matter(self, changed: str) -> bool:
        """Whether a changed file that is no module may change what a loader does."""
        hidden = any(part.startswith(".") for part in changed.split("/"))
        return (
            not hidden
            and not changed.endswith((".py", *_DOCUMENTS))
            and "baselines/" not in changed
            and Path(self._top, changed).is_file()  # and no submodule, whose files are looked at
        )

    def _check_pairs(
        self,
        baseline: Version,
        differing: Collection[str],
        pairs: Sequence[tuple[Folders, Folders]],
    ) -> None:
        """A file that differs must have run on both sides: one may serve the other as well."""
        alone = {*differing} if pairs else set()
        served: set[str] = set()
        for here, there in pairs:
            candidates = _modules(_all_of(here), self._top)
            baselines = _modules(_all_of(there), baseline.moved_to)
            alone &= candidates ^ baselines
            served |= baselines
        if alone & served:  # else the baseline never ran it, which is another matter
            raise ArmError(
                f"in each pair of trials only one version ran {_list(sorted(alone & served))}, "
                "which has changed: perhaps a server that the first one starts serves the other "
                "one, too. Have each process start its own, on a port that is free"
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
            for each in self._sources.ran(candidate, module, nodeid)
            if each.path.endswith(tuple(EXTENSION_SUFFIXES))
        }
        tracked = {*self._sources.project.files}
        for each in self._sources.ran(baseline, module, nodeid):
            path = built.get(each.name)
            if path is None or _differ(each.path, path):
                continue
            within = self._relative(path)
            if not changes.is_shared(within) and within not in tracked:
                raise ArmError(
                    f"{baseline.name} ran {each.path}, which was compiled from the working tree, "
                    f"and sources of such have changed since: {_list(sources)}. Give it the build "
                    "of its own commit (--loaderperf-baseline-python=PATH, an environment that has "
                    "it), or name the file in loaderperf_share if it is the same for both"
                )

    def _relative(self, path: str) -> str:
        return os.path.relpath(path, self._top)


def _all_of(folders: Folders) -> Iterator[Ran]:
    for folder in folders:
        yield from read(folder)


def _modules(ran: Iterable[Ran], top: str) -> set[str]:
    """The files of a tree among those that were run, relative to its top folder."""
    inside = top + os.sep
    return {
        each.path[len(inside) :]
        for each in ran
        if each.name not in (OPENED, UNSEEN) and each.path.startswith(inside)
    }


def is_source(path: Path) -> bool:
    """Whether somebody has written a module: it does something, and does not say it is generated.

    A module that defines neither functions nor classes, as one with a version number, does nothing.
    """
    try:
        text = path.read_text("utf-8", "replace")
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError):
        return True
    head = "\n".join(text.splitlines()[:_HEAD_LINES])
    if _GENERATED.search(head):
        return False
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    return any(isinstance(node, defined) for node in ast.walk(tree))


def _differ(one: str | Path, other: str | Path) -> bool:
    """Whether there are two files whose contents differ."""
    try:
        are_files = Path(one).is_file() and Path(other).is_file()
        return are_files and not filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def _list(files: Collection[str]) -> str:
    shown = list(files)[:_SHOWN]
    more = len(files) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


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
