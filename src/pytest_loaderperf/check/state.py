"""One check while it runs: what is asked, and what has been found out so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..measure.calibration import Survey, paced
from ..measure.plan import Plan, pair_seconds
from ..measure.timed_trial import Timing
from ..measure.turns import Side
from ..model.results import CheckResult, Comparison, Noise, Verdict, worst
from ..model.version import Version
from ..settings import CheckSettings
from ..stats.sequential import Rule
from ..supervisor.arm import Arm, Arms
from ..versions.sources import Folders

# A start of fresh arms may take so much of the time that is left.
_FOR_STARTS = 0.1


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One check to run: ``module`` is relative to the root, ``key`` is its name in the store."""

    nodeid: str
    module: str
    key: str
    batch_size: int | None
    settings: CheckSettings
    sweep: str = ""  # the test without its batch size, with its module


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What measuring one check takes: its arms, the rule, and someone who hears the news."""

    spec: Spec
    arms: Arms
    candidate: Version
    rule: Rule
    progress: Callable[[str], None]

    def arm(self, version: Version | None = None) -> Arm:
        """The arm of a version, by default the candidate's."""
        return self.arms.get(version or self.candidate, self.spec.module)

    def side(self, pace: Plan, version: Version | None = None) -> Side:
        """One side of a pair: the check in the arm of a version."""
        return Side(arm=self.arm(version), nodeid=self.spec.nodeid, pace=pace)

    @property
    def confirming(self) -> Bench:
        """The same, for pairs that confirm a regression."""
        return replace(self, rule=self.rule.confirming)

    @property
    def ending(self) -> Bench:
        """The same, for pairs that no others follow."""
        return replace(self, rule=self.rule.ending)

    def start_anew(self, version: Version | None = None) -> None:
        """Replace the arms of candidate and baseline by fresh processes, the other one first.

        A process keeps the luck of its memory layout for life, and so do all of its trials.
        """
        arms = [self.candidate] if version is None else [version, self.candidate]
        for each in arms:
            self.arms.drop(each, self.spec.module)
        for arm in [self.arm(each) for each in arms]:  # they import side by side
            _ = arm.collected

    def start_pays(self, left: float) -> bool:
        """Whether fresh arms are worth their time, if so many seconds are left for measuring."""
        arm = self.arm()
        return not arm.starts_anew and arm.start_seconds <= _FOR_STARTS * left

    @property
    def pair_seconds(self) -> float:
        """How long to time each arm in a pair of this check."""
        return pair_seconds(self.spec.settings.budget)

    @property
    def versions(self) -> dict[str, str]:
        """The versions of the packages that matter, as the candidate uses them."""
        return self.arm().collected.versions


@dataclass(kw_only=True)
class Findings:
    """What has been found out; ``judged`` names the metrics that decide the check's verdict."""

    survey: Survey
    judged: frozenset[str]
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    timings: list[Timing] = field(default_factory=list)  # of the candidate
    peaks: list[float] = field(default_factory=list)  # of the candidate, bytes
    extras: dict[str, list[float]] = field(default_factory=dict)  # of the candidate, by metric
    repaced: Plan | None = None  # what timing showed to fit better than the survey's plan
    pairs: int = 0
    losses: list[float] = field(default_factory=list)  # of throughput, of each pair
    # Where those of each pair, the candidate's first, wrote down what they ran.
    ran: list[tuple[Folders, Folders]] = field(default_factory=list)
    noise: list[Noise] = field(default_factory=list)  # of all pairs, also of spoiled ones
    deadline: float = math.inf  # of judging, on the monotonic clock
    message: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def wanted(self) -> frozenset[str]:
        """The metrics that somebody judges or looks at: some are measured only then."""
        return self.judged | {*self.survey.used}

    @property
    def plan(self) -> Plan:
        """What each timing trial does."""
        return self.repaced or self.survey.plan

    def pace_by(self, timings: Sequence[Timing], pair_seconds: float) -> bool:
        """Fit the plan to the first timings; whether they took the turns that fit."""
        if self.repaced is not None:
            return True
        self.repaced = paced(self.survey, timings, pair_seconds)
        return self.repaced.short_turns == self.survey.plan.short_turns

    @property
    def verdict(self) -> Verdict:
        """The verdict of the check."""
        return worst([c.verdict for c in self.comparisons.values() if c.judged])

    def doubt(self, name: str, first: int, again: int) -> None:
        """Note that fresh processes did not confirm a regression; after how many pairs each."""
        self.notes.append(
            f"{name} regressed in a first run of {first} pairs, which {again} pairs of fresh "
            "processes did not confirm"
        )

    def compare_settings(self, baseline: Mapping[str, str | int | bool]) -> None:
        """Note which settings of the loader are not those of the baseline."""
        now = self.survey.loader.settings
        changes = [
            f"{name} {baseline.get(name, 'absent')} -> {now.get(name, 'absent')}"
            for name in dict.fromkeys([*baseline, *now])
            if baseline.get(name) != now.get(name)
        ]
        if changes:
            self.notes.append(f"settings differ: {', '.join(changes)}")

    def result(self, spec: Spec) -> CheckResult:
        """The check's result, so far without outcome and duration."""
        notes = [*self.notes, *filter(None, [self.survey.loader.note, self.survey.thrashing])]
        if self.plan.epochs:
            notes.append(
                f"an epoch of {self.plan.epoch_batches} batches is too short for a steady state: "
                "whole epochs are timed, start included"
            )
        return CheckResult(
            nodeid=spec.nodeid,
            verdict=self.verdict,
            batch_size=spec.batch_size,
            pairs=self.pairs,
            workload=self.survey.workload,
            message=self.message,
            notes=tuple(notes),
            metrics=self.comparisons,
            noise=tuple(self.noise),
            sweep=spec.sweep,
            loader=self.survey.loader.kind,
            settings=self.survey.loader.settings,
            memory_source=self.survey.memory_source,
            memory=self.survey.memory,
            batch_seconds=tuple(each for timing in self.timings for each in timing.rounds),
        )
