"""The proof that every version has run its own sources, and nothing of another one.

It is drawn from what the processes of all arms have written down (``sources``), and from the trees.
"""

from __future__ import annotations

import filecmp
import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from ..child.loaderperf_exchange import is_installed
from ..child.loaderperf_sources import MAPPED
from ..child.loaderperf_watch import OPENED, UNSEEN
from ..errors import ArmError
from ..model.version import Version
from . import generated
from .builds import SOURCES, check_age, is_compiled
from .project import Project
from .sources import Changes, Folders, Ran, Sources, not_seen, read

# What changes in such files cannot change what a loader does.
_DOCUMENTS = (".md", ".rst", ".txt", ".ipynb", ".png", ".svg", ".json5", ".cff")
_NAMELESS = ("__main__", "__mp_main__", MAPPED)
_SHOWN = 3  # of several files that are to be named


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The two versions of a check."""

    candidate: Version
    baseline: Version
    module: str
    nodeid: str

    @property
    def top(self) -> str:
        """The top folder of the candidate."""
        return self.candidate.moved_to or os.path.realpath(self.baseline.toplevel)

    def differ(self, file: str) -> bool:
        """Whether both have a file, relative to their top folders, and not of one content."""
        return _differ(Path(self.top, file), Path(self.baseline.moved_to, file))


class Proof:
    """Judges what the processes of a run have written down."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._top = sources.project.top
        self._contents: dict[str, str] = {}  # digests of files when they were seen to run

    @property
    def project(self) -> Project:
        """The working tree."""
        return self._sources.project

    def used(self, version: Version, module: str, nodeid: str = "") -> set[str]:
        """The files of the tree that a version has run or opened, relative to the top folder."""
        exchange = self._sources.exchange(version)
        ran = self._sources.ran(version, module, nodeid)
        paths = [each.path for each in ran if each.name != UNSEEN]
        return {self._relative(path) for path in paths if exchange.in_working_tree(path)}

    def reads_changes(self, compared: Compared) -> bool:
        """Whether the candidate has opened a file that has changed since a commit.

        Then the baseline must show that it opens its own: in a process that is watched.
        """
        return any(
            each.name == OPENED
            and each.path.startswith(compared.top + os.sep)
            and compared.differ(each.path[len(compared.top) + 1 :])
            for each in self._sources.ran(compared.candidate, compared.module, compared.nodeid)
        )

    def may_read_changes(self, compared: Compared, changes: Changes) -> bool:
        """Whether anything has changed that is neither a module nor a document."""
        return any(_may_matter(each, compared.top) for each in changes.since)

    def check(self, version: Version, module: str, nodeid: str = "") -> None:
        """Every version must be measured on its own sources, or a comparison means nothing.

        ArmError if anything was run that is not, or may not be, of this version.
        """
        for each in sorted(self._sources.ran(version, module, nodeid)):
            if each.name == UNSEEN:
                raise ArmError(not_seen(version, each.path))
            if each.name == OPENED:
                self._check_opened(version, each.path)
            else:
                self._check_content(each.path)
                self._check_place(version, each)

    def _check_place(self, version: Version, ran: Ran) -> None:
        """A file must lie where it is this version's own."""
        exchange = self._sources.exchange(version)
        copies = self._sources.copies(version.python)
        project = self._sources.project
        source = exchange.source(ran.path)
        if version.moved_to and exchange.in_working_tree(ran.path):
            own = os.path.realpath(version.moved_to + ran.path[len(exchange.old) :])
            if own != ran.path:  # else it is shared by both, or was carried over
                raise ArmError(_foreign(version, ran, self._relative(ran.path)))
        elif ran.path in copies.stray or (source != ran.path and Path(source).exists()):
            raise ArmError(_installed(version, ran))
        elif source != ran.path or ran.path in copies.own or ran.name in _NAMELESS:
            pass
        elif is_installed(ran.path):
            if project.is_copied(ran.name, ran.path):
                raise ArmError(_installed(version, ran))
        elif not self._is_of_a_tree(version, ran.path):
            hidden = project.shadowed_by(ran.name, ran.path)
            if hidden:
                raise ArmError(_shadowed(version, ran, hidden))

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

    def _check_content(self, path: str) -> None:
        """A file must stay as it was when it was first seen to run."""
        if not path.startswith(self._top + os.sep):
            return
        try:
            content = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        except OSError:
            return  # one that was generated, and has gone
        if self._contents.setdefault(path, content) != content:
            self._contents[path] = content  # the next check is measured with what is there now
            raise ArmError(
                f"{self._relative(path)} was changed while it was measured, so that the numbers "
                "are of no single version: run the check again"
            )

    def _is_of_a_tree(self, version: Version, path: str) -> bool:
        tops = [self._top, version.moved_to or self._top]
        return any(path.startswith(top + os.sep) for top in tops)

    def prove(
        self, compared: Compared, changes: Changes, pairs: Sequence[tuple[Folders, Folders]] = ()
    ) -> list[str]:
        """What the candidate took from its tree, the baseline must have taken from its own.

        ``pairs`` has the folders of each, the candidate's first. Returns what there is to note.
        ArmError where there is no proof.
        """
        candidate, baseline, top = compared.candidate, compared.baseline, compared.top
        self.check(candidate, compared.module, compared.nodeid)
        self.check(baseline, compared.module, compared.nodeid)
        ran = self._sources.ran(candidate, compared.module, compared.nodeid)
        here = _modules(ran, top)
        other = self._sources.ran(baseline, compared.module, compared.nodeid)
        there = _modules(other, baseline.moved_to)
        _check_unspoiled(baseline, {*changes.in_worktree} & there)
        _check_unspoiled(candidate, {*changes.in_candidate} & here)
        if any(each.endswith(".py") for each in changes.since):
            self._check_beside(_started(ran, top), _started(other, baseline.moved_to))
        self._check_carried(compared, here, there, changes)
        notes = self._check_builds(compared, ran, other, changes)
        differing = sorted(filter(compared.differ, here))
        self._check_pairs(compared, differing, pairs)
        if baseline.overlaid and not differing:
            notes.append(f"but for those tests, it runs what {baseline.name} has, too")
        missing = [each for each in differing if each not in there]
        if not missing:
            return notes
        # What a process was started to run, the baseline may do without. But who knows that?
        started = [each for each in missing if each in _started(ran, top)]
        explained = len(differing) > len(missing)
        explained |= any(not Path(baseline.moved_to, each).exists() for each in here)
        explained |= any(each not in missing and _may_matter(each, top) for each in changes.since)
        if started or not explained:
            raise ArmError(_not_run(baseline, started or missing))
        return [*notes, f"run by the working tree, not by {baseline.name}: {_list(missing)}"]

    def _check_beside(self, here: Set[str], there: Set[str]) -> None:
        """What pytest itself has started may serve both versions, unless each has started its own.

        ``here`` and ``there`` are the files that were started.
        """
        for file, command in self._sources.started_beside().items():
            if file not in here or file not in there:
                raise ArmError(
                    f"pytest has started a Python of the project, which both versions may use: "
                    f"{command}. Have a fixture start it, and not a conftest.py when it is loaded"
                )

    def _check_carried(
        self, compared: Compared, here: Set[str], there: Set[str], changes: Changes
    ) -> None:
        """What git ignores is the same for both versions: that is right of what is generated."""
        baseline = compared.baseline
        tracked = {*self._sources.project.files}
        for file in sorted(here):
            is_same = Path(baseline.moved_to, file).exists() and file not in tracked
            is_own = changes.is_shared(file) or file in changes.built
            if not is_same or not file.endswith(".py") or is_own:
                continue
            kind = generated.kind(Path(compared.top, file))
            if kind == "written":
                raise ArmError(
                    f"git ignores {file}, so that {baseline.name} has no version of its own, and "
                    "would run that of the working tree. If it is a source, have git track it (git "
                    "add --force); if it is generated, name it in loaderperf_share"
                )
            makers = [
                each
                for each in changes.since
                if each not in here
                and each not in there
                and generated.may_be_of(file, each, Path(compared.top))
            ]
            if kind == "generated" and makers:
                raise ArmError(
                    f"{file} is generated, and {_list(sorted(makers))}, which may be what it is "
                    f"made of, has changed: {baseline.name} would run what the working tree has "
                    "made. If it is the same for both, name it in loaderperf_share"
                )

    def _check_pairs(
        self,
        compared: Compared,
        differing: Iterable[str],
        pairs: Sequence[tuple[Folders, Folders]],
    ) -> None:
        """A file that differs must have run on both sides: one may serve the other as well.

        Both may have started a program at the same moment, of which one ends at once, since its
        port is taken: where one is started in every pair, it must be on both sides of each.
        """
        in_all = {(each, way) for each in differing for way in (False, True)} if pairs else set()
        alone = set(in_all)
        once: set[tuple[str, bool]] = set()
        served: set[tuple[str, bool]] = set()
        for here, there in pairs:
            candidates = _in_two_ways(_all_of(here), compared.top)
            baselines = _in_two_ways(_all_of(there), compared.baseline.moved_to)
            in_all &= candidates | baselines
            alone &= candidates ^ baselines
            once |= candidates ^ baselines
            served |= baselines
        alone |= {(each, started) for each, started in in_all & once if started}
        files = sorted({each for each, _ in alone & served})
        if files:  # else the baseline never ran it, which is another matter
            raise ArmError(
                f"in a pair of trials only one version ran {_list(files)}, which has changed: "
                "perhaps a server that the first one starts serves the other one, too. Have each "
                "process start its own, on a port that is free"
            )

    def _check_builds(
        self, compared: Compared, here: Iterable[Ran], there: Iterable[Ran], changes: Changes
    ) -> list[str]:
        """A compiled file that both have run is right only while its sources are the same."""
        baseline = compared.baseline
        sources = sorted(each for each in changes.since if each.endswith(SOURCES))
        if not sources:
            return []
        built = {Path(each.path).name: each.path for each in here if is_compiled(each)}
        if changes.built:
            check_age(built.values(), sources, Path(self._top))
        tracked = {*self._sources.project.files}
        shared = []
        for each in sorted(there):
            path = built.get(Path(each.path).name)
            if os.path.relpath(each.path, baseline.moved_to) in changes.built:
                continue
            if path is None or not is_compiled(each) or _differ(each.path, path):
                continue
            within = os.path.relpath(path, compared.top)
            if within in tracked:
                continue
            if not changes.is_shared(within):
                raise ArmError(
                    f"{baseline.name} ran {each.path}, which was compiled from the working tree, "
                    f"and sources of such have changed since: {_list(sources)}. Give it the build "
                    "of its own commit (loaderperf_build, the command that makes it; or "
                    "--loaderperf-baseline-python=PATH, an environment that has it), or name the "
                    "file in loaderperf_share if it is the same for both"
                )
            shared.append(within)
        if not shared:
            return []
        return [f"the same for both, as loaderperf_share says, although {_list(sources)} has "
                f"changed: {_list(shared)}"]  # fmt: skip

    def _relative(self, path: str) -> str:
        return os.path.relpath(path, self._top)


def _may_matter(changed: str, top: str) -> bool:
    """Whether a changed file that is no module may change what a loader does."""
    hidden = any(part.startswith(".") for part in changed.split("/"))
    return (
        not hidden
        and not changed.endswith((".py", *_DOCUMENTS))
        and "baselines/" not in changed
        and Path(top, changed).is_file()  # and no submodule, whose files are looked at
    )


def _check_unspoiled(version: Version, changed: Set[str]) -> None:
    if changed:
        raise ArmError(
            f"{version.name}: {_list(sorted(changed))} was changed in its worktree while it was "
            "measured, so that it is not the commit's any more: a test or a loader must not "
            "write to the project's files"
        )


def _all_of(folders: Folders) -> Iterator[Ran]:
    for folder in folders:
        yield from read(folder)


def _modules(ran: Iterable[Ran], top: str) -> set[str]:
    """The files of a tree among those that were run, relative to its top folder."""
    inside = top + os.sep
    return {
        each.path[len(inside) :]
        for each in ran
        if not each.name.startswith("*") and each.path.startswith(inside)
    }


def _started(ran: Iterable[Ran], top: str) -> set[str]:
    """The files that processes were started to run."""
    return _modules((each for each in ran if each.name == "__main__"), top)


def _in_two_ways(ran: Iterable[Ran], top: str) -> set[tuple[str, bool]]:
    """The files that were run, and whether processes were started to run them."""
    every = [*ran]
    others = [each for each in every if each.name != "__main__"]
    started = {(each, True) for each in _started(every, top)}
    return started | {(each, False) for each in _modules(others, top)}


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


def _not_run(baseline: Version, files: Collection[str]) -> str:
    return (
        f"the working tree ran {_list(files)}, which has changed; {baseline.name} did not run its "
        "own, and nothing shows why not. Perhaps it used a server that the working tree has "
        "started, or another copy. Have each process start its own, on a port that is free"
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
