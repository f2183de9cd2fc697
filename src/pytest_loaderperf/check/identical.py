"""Checks that use nothing which differs: both versions would run the same code.

What a check uses is recorded when its numbers are accepted; later runs compare it.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from ..baselines.reference import References
from ..child.loaderperf_sources import WHOLLY
from ..child.loaderperf_watch import OPENED
from ..errors import LoaderPerfError, UseError
from ..measure import calibration
from ..measure.calibration import Calibration
from ..measure.plan import LONGEST_EPOCH
from ..model.results import CheckResult, Verdict
from ..model.version import Version
from ..settings import RunSettings
from ..supervisor.arms import Arms
from ..supervisor.trial import TrialOver
from ..system.machine import machine_class, runs_the_same
from ..versions import generated, git
from ..versions.footprint import (
    Footprint,
    SourceTree,
    changes_since,
    conftests,
    name_of,
    why_measured,
)
from ..versions.project import Project
from ..versions.proof import Proof
from ..versions.source_text import needs_numbers
from ..versions.sources import Changes, Sources, read
from ..versions.usage import Evidence, UsedFiles, gathered, is_of, recorded, words_of
from ..versions.worktree import is_never_carried
from .state import Bench, Known, Spec

_SHOWN = 3  # of several files that are to be named
_OF_BUDGET = 4  # an epoch that is read for a record may take such a part of the budget
_PACKAGE = Path(__file__).resolve().parents[1]  # the same for both versions, also in its repository


class Identical:
    """Says of each check whether it is to be measured, and why."""

    def __init__(
        self,
        references: References,
        candidate: Version,
        proof: Proof,
        settings: RunSettings,
        packages: Callable[[Version, str], Mapping[str, str] | None],
        arguments: Sequence[str],
    ) -> None:
        self._references = references
        self._candidate = candidate
        self._proof = proof
        self._settings = settings
        self._packages = packages  # that the arm of a module has imported
        self._arguments = arguments  # of pytest's command line
        self._changes: dict[str, list[str]] = {}
        # What is in the files of commits, and which of them have only been modified since.
        self._commits: dict[str, tuple[Mapping[str, str], frozenset[str]]] = {}
        self._footprints: dict[str, Footprint] = {}
        self.reasons: dict[str, str] = {}  # why checks are measured, as far as that was asked
        self._alone: set[str] = set()  # those that only their numbers are measured for

    @property
    def is_asked(self) -> bool:
        """Whether checks may be left unmeasured in this run."""
        settings = self._settings
        asked = (settings.always, settings.update)
        packages = (settings.baseline_python, settings.baseline_requirements)
        others = (settings.selftest, settings.sweep, settings.bisect)
        return not any((*asked, *packages, *others)) and bool(self._references.repository)

    def why_measured(self, spec: Spec) -> str:
        """Why a check is measured that its arm has collected; empty where it is identical.

        StoreError or CheckoutError where its baseline cannot be had; ArmError where its arm has run
        what is not its own.
        """
        if spec.nodeid not in self.reasons:
            self.reasons[spec.nodeid] = self._why_measured(spec)
        return self.reasons[spec.nodeid]

    def for_its_numbers(self, spec: Spec) -> str:
        """What to note of a check that is measured though nothing differs; empty of others.

        Its test looks at numbers, for which it needs no baseline.
        """
        why = self.why_measured(spec)
        if spec.nodeid not in self._alone:
            return ""
        return f"measured alone, since {why}: {self._told(spec)}"

    def _why_measured(self, spec: Spec) -> str:
        self._proof.check(self._candidate, spec.module)
        commit = self._references.commit(spec.module, spec.key)
        if commit is None:
            return "there is no commit to compare it with"
        if differs := self._why_it_may_differ(spec, commit):
            return differs
        numbers = self._why_numbers_are_needed(spec)
        if numbers:
            self._alone.add(spec.nodeid)
        return numbers

    def _why_numbers_are_needed(self, spec: Spec) -> str:
        if spec.benchmark or needs_numbers(self._source(spec.module), spec.names):
            return "its test looks at numbers"
        wraps = self._footprint(spec.module).wraps
        return f"a fixture in {wraps} may look at numbers" if wraps else ""

    def _why_it_may_differ(self, spec: Spec, commit: str) -> str:
        module = spec.module
        changes = self._differing(commit)
        if hidden := self._hidden(module, changes):
            return f"git ignores {hidden}, which it uses: nobody knows what that was"
        if not changes:
            return ""
        evidence, doubt = self._evidence(spec, commit)
        why = why_measured(changes, self._footprint(module), self._unused, evidence)
        return f"{why} ({doubt})" if doubt and why.endswith("may be run") else why

    def result(self, spec: Spec) -> CheckResult:
        """The result of a check that was not measured."""
        told = self._told(spec)
        return CheckResult(
            nodeid=spec.nodeid,
            verdict=Verdict.IDENTICAL,
            parameters=spec.parameters,
            outcome="passed",
            reason=told,
            notes=(f"not measured: {told}",),
        )

    def _told(self, spec: Spec) -> str:
        """That nothing differs, and from which commit."""
        module = spec.module
        commit = self._references.commit(module, spec.key)
        assert commit is not None
        compared = ""
        if changes := self._differing(commit):
            footprint = self._footprint(module)
            excused = [each for each in changes if why_measured([each], footprint, self._unused)]
            compared = f" ({len(footprint.files)} files compared{_not_used(excused)})"
        return f"nothing that it uses differs from commit {commit[:12]}{compared}"

    def _differing(self, commit: str) -> list[str]:
        """In what the working tree differs from a commit, but for this package itself."""
        if commit not in self._changes:
            changes = changes_since(Path(self._project.top), commit)
            self._changes[commit] = [each for each in changes if not self._is_own(each)]
        return self._changes[commit]

    def _evidence(self, spec: Spec, commit: str) -> tuple[Evidence | None, str]:
        """What the record of a check proves, if there is one to be believed; else why it is not."""
        entry = self._references.entries(spec.module).get(spec.key)
        packages = self._packages(self._candidate, spec.module)
        dynamic = bool(self._footprint(spec.module).dynamic)
        if entry is None or packages is None:
            return None, ""
        doubt = ""
        for machine, record in entry.records.items():
            if record.used is None:
                continue
            if not _holds_here(machine, record.versions, packages, exactly=dynamic):
                doubt = doubt or "the record of what it uses is of another kind of machine"
            elif not is_of(record.used, self._commit(commit)[0]):
                doubt = f"the record of what it uses is of other files than commit {commit[:12]}"
            else:
                _, modified = self._commit(commit)
                return Evidence(usage=record.used, modified=modified, heard=self._heard), ""
        return None, doubt

    def _commit(self, commit: str) -> tuple[Mapping[str, str], frozenset[str]]:
        if commit not in self._commits:
            top = Path(self._project.top)
            self._commits[commit] = git.contents(top, commit), git.modified(top, commit)
        return self._commits[commit]

    @functools.cached_property
    def _heard(self) -> frozenset[str]:
        return words_of(os.environ, self._arguments)

    def _footprint(self, module: str) -> Footprint:
        if module not in self._footprints:
            file = f"{self._prefix}{module}"
            used = self._proof.used(self._candidate, module)
            roots = [file, *conftests(file), *used]
            theirs = [each for each in roots if not self._is_own(each)]
            self._footprints[module] = self._tree.footprint(theirs)
        return self._footprints[module]

    def _hidden(self, module: str, changes: Sequence[str]) -> str:
        """A module that git ignores and the check uses, unless it was generated as it is."""
        top, shared = Path(self._project.top), Changes(shared=self._references.shared)
        footprint = self._footprint(module)
        used = {each for each in footprint.files if each not in self._sources}
        used |= {each for each in self._ignored if name_of(each) in footprint.words}
        for file in sorted(used):
            # Some modules claim to be of a file that does not exist.
            is_one = file.endswith(".py") and (top / file).is_file()
            if not is_one or shared.is_shared(file):
                continue
            made = (generated.may_be_of(file, each, top) for each in changes)
            if not generated.says_so(top / file) or any(made):
                return file
        return ""

    @functools.cached_property
    def _ignored(self) -> list[str]:
        """The modules that git ignores, but for those of environments."""
        top, found = Path(self._project.top), list[str]()
        for each in git.all_ignored(top):
            if each.endswith("/"):
                found += _modules_below(top, each)
            elif each.endswith(".py"):
                found.append(each)
        return found

    @functools.cached_property
    def _sources(self) -> frozenset[str]:
        return frozenset(self._project.files)

    def _source(self, module: str) -> str:
        return Path(self._candidate.root, module).read_text("utf-8", "surrogateescape")

    @functools.cached_property
    def _project(self) -> Project:
        return self._proof.project

    @functools.cached_property
    def _tree(self) -> SourceTree:
        files = (each for each in self._project.files if not self._is_own(each))
        sources = [each for each in files if not fnmatch(each, self._stores)]  # which name tests
        return SourceTree(top=self._project.top, files=sources)

    def _is_own(self, file: str) -> bool:
        """Whether a file belongs to this package, which is the same for both versions."""
        return Path(self._project.top, file).is_relative_to(_PACKAGE)

    @property
    def _prefix(self) -> str:
        repository = self._references.repository
        return f"{repository.prefix}/" if repository and repository.prefix else ""

    @property
    def _unused(self) -> tuple[str, ...]:
        return (*self._settings.unused, self._stores)

    @property
    def _stores(self) -> str:
        return f"{self._prefix}baselines/*.json"


def _holds_here(
    machine: str, recorded: Mapping[str, str], packages: Mapping[str, str], *, exactly: bool
) -> bool:
    """Whether what was seen on a class of machine would be seen here.

    ``exactly``: code that computes the names of modules may do so from anything, as from the CPU.
    Other code names what it imports in its text, wherever it runs.
    """
    alike = machine == machine_class(packages) if exactly else runs_the_same(machine, packages)
    return alike and dict(recorded) == dict(packages)


def _not_used(excused: Sequence[str]) -> str:
    """What to say of the files that no text excuses, but the record does."""
    if not excused:
        return ""
    more = f" and {len(excused) - _SHOWN} more" if len(excused) > _SHOWN else ""
    return f"; not used when it was accepted: {', '.join(sorted(excused)[:_SHOWN])}{more}"


def _modules_below(top: Path, folder: str) -> Iterator[str]:
    """The modules in a folder that git ignores as a whole, unless it is none of the project's."""
    for at, folders, files in os.walk(top / folder):
        if "pyvenv.cfg" in files or is_never_carried(Path(at).name):
            folders.clear()
            continue
        yield from (os.path.relpath(Path(at, each), top) for each in files if each.endswith(".py"))


class Recording:
    """Has checks watched once more, and says which files they use."""

    def __init__(
        self, arms: Arms, references: References, candidate: Version, sources: Sources
    ) -> None:
        self._arms = arms
        self._references = references
        self._candidate = candidate
        self._sources = sources

    def used(self, bench: Bench, known: Known) -> tuple[UsedFiles | None, str]:
        """The record of a check, None where nobody can tell, and then why, to be noted."""
        if self._references.repository is None:
            return None, ""
        try:
            return self._used(bench, known), ""
        except TrialOver:
            why = "its test ended before its loader had been read"
        except LoaderPerfError as error:
            why = str(error).partition("\n")[0]
        return None, f"which files it uses is not recorded: {why}"

    def _used(self, bench: Bench, known: Known) -> UsedFiles:
        module, nodeid = bench.spec.module, bench.spec.nodeid
        bench.progress("files")
        if not bench.spec.settings.world.is_alone:
            raise UseError("each of its ranks may use files of its own")
        for command in self._sources.started_beside().values():
            raise UseError(f"pytest itself has started {command}, of which this tells nothing")
        longest = min(bench.spec.settings.budget / _OF_BUDGET, LONGEST_EPOCH)
        too_long = UseError(f"its epochs do not end within {longest:g} s each")
        if _lasts(known.calibration) > longest:
            raise too_long
        with self._arms.watched(self._candidate, module, WHOLLY) as arm:
            if not calibration.go_through(arm, nodeid, longest):
                raise too_long
            told = {each for folder in arm.ran for each in read(folder)}
        # Other trials may have run more. What they have opened was not told in the same way.
        ran = self._sources.ran(self._candidate, module, nodeid)
        told |= {each for each in ran if each.name != OPENED}
        own = self._sources.copies(self._candidate.python).own
        seen = gathered(told, self._sources.exchange(self._candidate), own.__contains__)
        return recorded(Path(self._sources.project.top), seen)


def _lasts(calibrated: Calibration) -> float:
    """How long an epoch takes (s), as far as calibration tells; infinite where it never ended."""
    batches = calibrated.plan.epoch_batches
    promised = math.inf if batches is None else batches / calibrated.pace
    return min(calibrated.epoch_seconds, promised)
