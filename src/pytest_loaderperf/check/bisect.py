"""Which commit, or which package, made a check worse: measured beside the good one, by halves."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ..baselines.reference import References
from ..environments.contents import Environment
from ..errors import ArmError, LoaderPerfError
from ..measure import calibration
from ..model.results import Blame, CheckResult, Comparison, Search, Tried, Verdict
from ..model.version import Version
from ..stats.bisection import search
from ..supervisor.arms import Arms
from ..supervisor.trial import TrialOver
from . import paired, per_trial
from .sides import Sides, what_hinders
from .state import Bench, Findings, Known

# What leaves open which of two commits is worse is measured once more, for so much longer.
_LONGER = 2
_TELLS = (Verdict.REGRESSED, Verdict.UNCHANGED, Verdict.IMPROVED)


@dataclass(kw_only=True)
class Bisection:
    """A search for one check: its ``steps`` so far, and the metrics that got worse (``judged``).

    ``bad`` has what is known of each commit that is worse than the good one. ``losses`` are the
    ratios of the bad one to the good one.
    """

    arms: Arms
    references: References
    sides: Sides
    steps: list[Tried] = field(default_factory=list)
    judged: frozenset[str] = frozenset()
    losses: Mapping[str, float] = field(default_factory=dict)
    bad: dict[str, tuple[Known, Findings]] = field(default_factory=dict)

    def run(self, bench: Bench, good: Version, known: Known) -> tuple[Known, Findings, Search]:
        """Search all commits from the good one to the bad one.

        Returns what is known of the one that made the check worse, beside the last good one: of
        the bad commit, beside the good one, where that is not worse. ``known`` is what the working
        tree's calibration tells. LoaderPerfError or TrialOver where the good or the bad commit
        cannot be measured.
        """
        first, commits = self._listed()
        ends = Search(good=first, bad=commits[-1][0], commits=len(commits))
        self.judged = known.judged
        known, found = self._tried(bench, good, *commits[-1])
        if found.verdict is not Verdict.REGRESSED:
            return known, found, replace(ends, steps=tuple(self.steps))
        worse = {name: each.ratio for name, each in found.comparisons.items() if _is_worse(each)}
        self.judged = frozenset(worse)
        self.losses = {name: ratio for name, ratio in worse.items() if ratio}

        between = search(len(commits), lambda n: self._is_bad(bench, good, *commits[n - 1]))
        suspects = tuple(commits[between.good : between.bad])
        if between.good == 0:  # what was bad has been measured beside that
            known, found = self.bad[suspects[-1][0]]
        else:
            with self._version(bench, commits[between.good - 1][0]) as before:
                known, found = self._beside(bench, before, suspects[-1][0])
        return known, found, replace(ends, steps=tuple(self.steps), suspects=suspects)

    def _listed(self) -> tuple[str, list[tuple[str, str]]]:
        """The good one, and all up to the bad one, with what there is to say of each."""
        return self.references.searched()

    def _is_bad(self, bench: Bench, good: Version, commit: str, subject: str) -> bool | None:
        """Whether a commit is worse than the good one; None where that cannot be told."""
        try:
            _, found = self._tried(bench, good, commit, subject)
        except TrialOver as over:
            self._skip(commit, subject, f"its test fails: {over.finished.text.strip()[-300:]}")
            return None
        except LoaderPerfError as error:
            self._skip(commit, subject, str(error))
            return None
        return found.verdict is Verdict.REGRESSED if self._tells(found) else None

    def _tells(self, found: Findings) -> bool:
        """Whether a comparison says if a commit is bad: by its verdict, or since it lacks the loss.

        The latter may be plain where noise leaves a loss as large as the tolerance open.
        """
        lack = [_lacks(found.comparisons.get(name), loss) for name, loss in self.losses.items()]
        plain = bool(lack) and all(lack) and not found.unproven
        return found.verdict in _TELLS or plain

    def _skip(self, commit: str, subject: str, why: str) -> None:
        self.steps.append(Tried(commit=commit, subject=subject, verdict=Verdict.ERROR, why=why))

    def _tried(
        self, bench: Bench, good: Version, commit: str, subject: str
    ) -> tuple[Known, Findings]:
        """What is known of a commit beside the good one: a step of the search."""
        known, found = self._beside(bench, good, commit)
        tried = Tried(
            commit=commit,
            subject=subject,
            verdict=found.verdict,
            ratio=_worst_ratio(found),
            why="" if self._tells(found) else "it stays in doubt",
        )
        self.steps.append(tried)
        if found.verdict is Verdict.REGRESSED:
            self.bad[commit] = known, found
        return known, found

    def _beside(self, bench: Bench, before: Version, commit: str) -> tuple[Known, Findings]:
        """What is known of a commit beside another one: measured again, where once does not do."""
        with self._version(bench, commit) as version:
            for longer in (1, _LONGER):
                known, found = self._judged(bench, before, version, longer)
                if self._tells(found):
                    break
        return known, found

    def _judged(
        self, bench: Bench, good: Version, version: Version, longer: float
    ) -> tuple[Known, Findings]:
        settings = bench.spec.settings
        spec = replace(bench.spec, settings=replace(settings, budget=longer * settings.budget))
        here = replace(bench, candidate=version, spec=spec)
        self._ready(here, good)
        calibrated = calibration.calibrate(here.arm(), spec.nodeid, here.lengths)
        known = Known(
            calibration=calibrated,
            judged=self.judged,
            deadline=time.monotonic() + spec.settings.budget,
        )
        known, found = paired.judge_pairs(here, good, known)
        of_trials = self.judged - set(found.comparisons)
        if of_trials and not found.difference and found.verdict is not Verdict.REGRESSED:
            found += per_trial.judge_trials(here, good, None, known)
        notes = self.sides.proven(here, good, found)
        if found.difference:
            raise ArmError(f"its workload is another one: {found.difference}")
        return known, found + Findings(notes=tuple(notes))

    def _ready(self, bench: Bench, good: Version) -> None:
        """Give both versions what they lack; ArmError where one cannot be measured."""
        for version in (good, bench.candidate):
            if self.sides.carry(bench, version, bench.spec.nodeid):
                self.arms.drop(version, bench.spec.module)
        for version in (good, bench.candidate):
            if problem := what_hinders(bench.arm(version), bench.spec.nodeid):
                raise ArmError(f"{version.name} cannot be measured: {problem}")

    @contextmanager
    def _version(self, bench: Bench, commit: str) -> Iterator[Version]:
        """A commit with the tests of the working tree, for a while."""
        version = self.references.overlaid(commit, bench.progress)
        bench.progress(f"commit {commit[:12]}, {len(self.steps) + 1}")
        try:
            yield version
        finally:
            self.arms.drop(version, bench.spec.module)
            self.references.release(version)


def _is_worse(comparison: Comparison) -> bool:
    return comparison.judged and comparison.verdict is Verdict.REGRESSED


def _lacks(comparison: Comparison | None, loss: float) -> bool:
    """Whether it is ruled out that a metric has lost half of what the bad commit has, or more."""
    if comparison is None or comparison.interval is None:
        return False
    half = math.sqrt(loss)
    return comparison.interval[0] > half if loss < 1 else comparison.interval[1] < half


def _worst_ratio(found: Findings) -> float | None:
    """That of the first metric that decides."""
    judged = [each for each in found.comparisons.values() if each.judged]
    deciding = [each for each in judged if each.verdict is found.verdict]
    return next((each.ratio for each in deciding or judged), None)


def is_sure(result: Search, found: Findings) -> bool:
    """Whether a search has found a single commit, which is worse than the one before it."""
    return len(result.suspects) == 1 and found.verdict is Verdict.REGRESSED


def told(result: Search, found: Findings) -> str:
    """What came of a search, in a sentence; ``found`` is what its ``run`` has returned."""
    tried = f"{len(result.steps)} of {result.commits} commits tried"
    skipped = sum(bool(step.why) for step in result.steps)
    if skipped:
        tried += f", {skipped} of them skipped"
    if not result.suspects:
        return (
            f"commit {result.bad[:12]} is not worse than {result.good[:12]} ({found.verdict}): "
            "there is nothing to find"
        )
    last, subject = result.suspects[-1]
    if is_sure(result, found):
        return f"made worse by commit {last[:12]}, {subject!r} ({tried})"
    if len(result.suspects) == 1:
        return (
            f"worse since commit {last[:12]}, {subject!r}, but beside the commit before it that is "
            f"{found.verdict}: perhaps it got worse in several steps ({tried})"
        )
    names = ", ".join(commit[:12] for commit, _ in result.suspects)
    return f"made worse by one of {len(result.suspects)} commits: {names} ({tried})"


@dataclass(kw_only=True)
class Packages(Bisection):
    """The same for packages, with the sources of the working tree.

    Each stands for all up to it, in an order in which they may change one after the other: these
    are as they are now, those behind it as in the ``environment`` of the baseline. ``measured`` is
    what is known of the check itself, where its sources are those of the commit.
    """

    environment: Environment
    measured: tuple[Known, Findings] | None = None

    @property
    def good(self) -> Version:
        """The working tree with the packages of the baseline."""
        return self._with(self.environment, f"the packages of {self.environment.label}")

    def _listed(self) -> tuple[str, list[tuple[str, str]]]:
        differing = self.environment.differing
        changes = {name: f"{old} -> {now or 'none'}" for name, (old, now) in differing.items()}
        return self.environment.label, [(name, changes[name]) for name in self._names]

    @property
    def _names(self) -> list[str]:
        return self.environment.in_order

    def _beside(self, bench: Bench, before: Version, commit: str) -> tuple[Known, Findings]:
        if self.measured is not None and before == self.good and commit == self._names[-1]:
            return self.measured  # that was a comparison of the same two
        return super()._beside(bench, before, commit)

    def _with(self, environment: Environment, label: str) -> Version:
        root = self.references.root
        return Version(root=root, python=environment.python, label=f"the working tree with {label}")

    @contextmanager
    def _version(self, bench: Bench, commit: str) -> Iterator[Version]:
        old = self._names[self._names.index(commit) + 1 :]
        bench.progress(f"packages up to {commit}, {len(self.steps) + 1}")
        if not old:
            yield bench.candidate
            return
        mixed = self.references.environments.mixed(self.environment, old)
        version = self._with(mixed, f"the packages up to {commit} as they are now")
        try:
            yield version
        finally:
            self.arms.drop(version, bench.spec.module)


def blamed(search: Packages, bench: Bench, known: Known, result: CheckResult) -> CheckResult:
    """The result of a check; if it got worse, with the package that did it, if that can be told."""
    if result.verdict is not Verdict.REGRESSED:
        return result
    if not search.environment.differing:
        label = search.environment.label
        note = f"no package is to blame: those of {label} are the ones that are here"
        return replace(result, notes=(*result.notes, note))
    with bench.phases("blaming"):
        try:
            _, found, came = search.run(bench, search.good, known)
        except (LoaderPerfError, TrialOver) as error:
            why = error.finished.text if isinstance(error, TrialOver) else str(error)
            note = f"which package did it cannot be told: {why.strip()}"
            return replace(result, notes=(*result.notes, note))
        finally:
            search.arms.drop(search.good, bench.spec.module)
    lost = {
        name: (each.ratio, each.interval)
        for name, each in found.comparisons.items()
        if came.suspects and _is_worse(each) and each.ratio and each.interval
    }
    text = named(came, found)
    return replace(result, blame=Blame(search=came, text=text, lost=lost))


def named(result: Search, found: Findings) -> str:
    """What came of a search for a package, in a sentence."""
    tried = f"{len(result.steps)} of {result.commits} packages tried"
    skipped = [step for step in result.steps if step.why]
    if skipped:
        tried += f", {len(skipped)} of them skipped: {skipped[-1].why}"
    if not result.suspects and found.verdict not in _TELLS:
        return (
            "no package can be named: whether the working tree is better with the packages of "
            f"{result.good} stays in doubt"
        )
    if not result.suspects:
        return (
            f"no package did it: the working tree is no better with the packages of {result.good} "
            f"({found.verdict}). What it lost by more than the tolerance is in its own sources"
        )
    each = ", ".join(f"{name} {change}" for name, change in result.suspects)
    if is_sure(result, found):
        return f"made worse by {each} ({tried})"
    if len(result.suspects) == 1:
        return f"worse with {each}, but by itself that is {found.verdict} ({tried})"
    return f"made worse by one of {len(result.suspects)} packages, or by several: {each} ({tried})"
