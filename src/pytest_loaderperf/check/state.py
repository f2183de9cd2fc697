"""One check while it runs: what is asked, what calibration tells, and what judges have found."""

from __future__ import annotations

import contextlib
import functools
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Concatenate, ParamSpec, TypeVar

from ..measure.calibration import Calibration, paced
from ..measure.plan import Lengths, Plan, together
from ..measure.timed_trial import Timing
from ..measure.turns import Side
from ..model.parameters import Parameter
from ..model.ranks import Paces, mean
from ..model.results import (
    CheckResult,
    Comparison,
    Coverage,
    Noise,
    Relation,
    Variant,
    Verdict,
    worst,
)
from ..model.units import format_changes
from ..model.version import Version
from ..settings import CheckSettings
from ..stats.sequential import Rule
from ..supervisor.arm import Arm
from ..supervisor.arms import Arms
from ..supervisor.diagnostics import shared_memory
from ..versions.sources import Folders

P = ParamSpec("P")
R = TypeVar("R")
Pair = tuple[Timing, Timing]  # candidate, baseline

# A start of fresh arms may take so much of the time that is left.
_FOR_STARTS = 0.1


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One check to run: ``module`` is relative to the root, ``key`` is its name in the store.

    ``names`` are those of its classes and of its test, without parameters; ``benchmark`` says
    whether it asks for the fixture of pytest-benchmark, too.
    """

    nodeid: str
    module: str
    key: str
    settings: CheckSettings
    parameters: Mapping[str, Parameter] = field(default_factory=dict)  # of its sweep
    sweep: str = ""  # the test without those, with its module
    names: tuple[str, ...] = ()
    benchmark: bool = False


class Phases:
    """The seconds of each phase so far: those of a phase inside of another count in it alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._inner: list[float] = []  # the seconds of inner phases, for each phase that goes on
        self.seconds = defaultdict[str, float](float)

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """A phase, however it ends."""
        began = self._clock()
        self._inner.append(0.0)
        try:
            yield
        finally:
            took = self._clock() - began
            self.seconds[name] += took - self._inner.pop()
            if self._inner:
                self._inner[-1] += took


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What measuring one check takes: its arms, the rule, and someone who hears the news.

    Without ``whole_epochs`` only the steady state is timed, however short an epoch is.
    """

    spec: Spec
    arms: Arms
    candidate: Version
    rule: Rule
    progress: Callable[[str], None]
    whole_epochs: bool = True
    phases: Phases = field(default_factory=Phases)

    def arm(self, version: Version | None = None) -> Arm:
        """The arm of a version, by default the candidate's."""
        world = self.spec.settings.world
        return self.arms.get(version or self.candidate, self.spec.module, world)

    def side(self, plan: Plan, version: Version | None = None) -> Side:
        """One side of a pair: the check in the arm of a version."""
        return Side(arm=self.arm(version), nodeid=self.spec.nodeid, pace=plan)

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

        What the memory layout of a process does to its speed stays for life, in all of its trials.
        """
        arms = [self.candidate] if version is None else [version, self.candidate]
        with self.phases("starting"):
            for each in arms:
                self.arms.drop(each, self.spec.module)
            for arm in [self.arm(each) for each in arms]:  # they import side by side
                _ = arm.collected

    def start_pays(self, left: float) -> bool:
        """Whether fresh arms are worth their time, if so many seconds are left for measuring."""
        arm = self.arm()
        return not arm.starts_anew and arm.start_seconds <= _FOR_STARTS * left

    @property
    def tolerance(self) -> float:
        """How much slower the loader may get, as a share."""
        return self.spec.settings.tolerances["throughput"].relative

    @property
    def lengths(self) -> Lengths:
        """How long to time each arm in a pair of this check."""
        settings = self.spec.settings
        lengths = Lengths.within(settings.budget, settings.coverage)
        return lengths if self.whole_epochs else replace(lengths, epoch=0.0)

    @property
    def versions(self) -> dict[str, str]:
        """The versions of the packages that matter, as the candidate uses them."""
        return self.arm().collected.versions


def phase(
    name: str,
) -> Callable[[Callable[Concatenate[Bench, P], R]], Callable[Concatenate[Bench, P], R]]:
    """Count the time of a function of a bench as a phase of its check."""

    def counted(function: Callable[Concatenate[Bench, P], R]) -> Callable[Concatenate[Bench, P], R]:
        @functools.wraps(function)
        def inner(bench: Bench, /, *arguments: P.args, **options: P.kwargs) -> R:
            with bench.phases(name):
                return function(bench, *arguments, **options)

        return inner

    return counted


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known before anything is judged; ``judged`` names the metrics that decide.

    ``deadline`` is the end of judging, on the monotonic clock. ``repaced`` is what timing has shown
    to fit better than the plan of the calibration. ``other`` is the calibration of the baseline,
    where that is another loader, which has plans of its own.
    """

    calibration: Calibration
    judged: frozenset[str]
    deadline: float = math.inf
    repaced: Plan | None = None
    other: Calibration | None = None
    other_repaced: Plan | None = None

    @property
    def wanted(self) -> frozenset[str]:
        """The metrics that somebody judges or looks at: some are measured only then."""
        return self.judged | {*self.calibration.used}

    @property
    def plan(self) -> Plan:
        """What each timing trial does, of the candidate where the baseline is another loader."""
        return self.repaced or self.calibration.plan

    @property
    def other_plan(self) -> Plan:
        """What each timing trial of the baseline does."""
        return self.plan if self.other is None else self.other_repaced or self.other.plan

    def beside(self, other: Calibration) -> Known:
        """The same, where the baseline is another loader: with plans that go together."""
        ours, theirs = together(self.calibration.plan, other.plan)
        calibration = replace(self.calibration, plan=ours)
        return replace(self, calibration=calibration, other=replace(other, plan=theirs))

    def paced_by(self, timings: Sequence[Timing], lengths: Lengths) -> Known:
        """The same with plans that fit the timings of all sides of a pair."""
        plan = paced(self.calibration, timings, lengths, self.other)
        if self.other is None:
            return replace(self, repaced=plan)
        other = paced(self.other, timings[::-1], lengths, self.calibration)
        plan, other = together(plan, other)
        return replace(self, repaced=plan, other_repaced=other)

    def outdoes(self, other: Known) -> bool:
        """Whether a side takes other turns than by another plan, or at least twice as much."""
        return self.plan.outdoes(other.plan) or self.other_plan.outdoes(other.other_plan)

    @property
    def of_one_epoch(self) -> Known:
        """The same with one whole epoch in a trial."""
        other = None if self.other is None else self.other_plan.of_one_epoch
        return replace(self, repaced=self.plan.of_one_epoch, other_repaced=other)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What judges have found; the sum of two is what both have, and the latest ``coverage``.

    ``values`` are those of the candidate by metric, from each of its trials. ``rounds`` says what a
    batch took in each of its slices (s), ``losses`` are those of throughput in each pair, ``noise``
    is that of all pairs, also of spoiled ones. ``ran`` has the folders where the two trials of each
    pair, the candidate's first, wrote down what they ran. ``variants`` are those of a test that
    compares some. ``difference`` says why the two cannot be compared.
    """

    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    values: Mapping[str, Sequence[float]] = field(default_factory=dict)
    rounds: tuple[float, ...] = ()
    pairs: int = 0
    losses: tuple[float, ...] = ()
    noise: tuple[Noise, ...] = ()
    ran: tuple[tuple[Folders, Folders], ...] = ()
    variants: tuple[Variant, ...] = ()
    difference: str = ""
    message: str = ""
    unproven: bool = False  # the pairs could not show a loss, however narrow their interval
    notes: tuple[str, ...] = ()
    coverage: Coverage | None = None
    paces: Paces | None = None  # of several ranks
    undelivered: tuple[str, ...] | None = None  # what is wrong with its samples, if that was read

    def __add__(self, other: Findings) -> Findings:
        return Findings(
            comparisons={**self.comparisons, **other.comparisons},
            values={**self.values, **other.values},
            rounds=self.rounds + other.rounds,
            pairs=self.pairs + other.pairs,
            losses=self.losses + other.losses,
            noise=self.noise + other.noise,
            ran=self.ran + other.ran,
            variants=self.variants + other.variants,
            difference=other.difference or self.difference,
            message=other.message or self.message,
            unproven=self.unproven or other.unproven,
            notes=self.notes + other.notes,
            coverage=other.coverage or self.coverage,
            paces=other.paces or self.paces,
            undelivered=self.undelivered if other.undelivered is None else other.undelivered,
        )

    @property
    def verdict(self) -> Verdict:
        if self.undelivered is not None:
            return Verdict.INCOMPLETE if self.undelivered else Verdict.COMPLETE
        if self.variants:
            unsure = any(each.relation is Relation.INCONCLUSIVE for each in self.variants)
            return Verdict.INCONCLUSIVE if unsure else Verdict.COMPARED
        return worst([each.verdict for each in self.comparisons.values() if each.judged])

    @property
    def moved(self) -> bool:
        """Whether a judged metric is not what it was, or cannot be compared any more."""
        moved = (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.INCOMPARABLE)
        return any(each.judged and each.verdict in moved for each in self.comparisons.values())


def seen(timings: Sequence[Timing], plan: Plan) -> Coverage:
    """How much of an epoch each of some trials has seen, such as both of a pair.

    In the steady states of several epochs nobody has seen a start and an end.
    """
    if plan.whole:
        epochs = (each.taken.batches / max(1, len(each.taken.stretches)) for each in timings)
        batches = round(min(epochs))
        return Coverage(batches=batches, epoch_batches=batches, whole=True)
    batches = min(timing.taken.batches for timing in timings)
    epoch = timings[0].taken.epoch_batches
    return Coverage(batches=min(batches, (epoch or batches + 1) - 1), epoch_batches=epoch)


def doubt(claim: Comparison, first: int, again: int) -> str:
    """That fresh processes did not confirm a verdict; after how many pairs each."""
    return (
        f"{claim.metric} {claim.verdict} in a first run of {first} pairs, which {again} pairs of "
        "fresh processes did not confirm"
    )


def changes(before: Mapping[str, object], now: Mapping[str, object]) -> str:
    """Which entries differ, as text; empty if none does."""
    differ = [n for n in dict.fromkeys([*before, *now]) if before.get(n) != now.get(n)]
    return format_changes({n: (before.get(n, "absent"), now.get(n, "absent")) for n in differ})


def notes_of(known: Known) -> list[str]:
    """What there is to note of a loader, and of how it is timed."""
    calibration, plan = known.calibration, known.plan
    notes = [*filter(None, [calibration.loader.note, calibration.thrashing])]
    if plan.epochs:  # and so there is no other figure of throughput
        notes.append(
            f"an epoch of {plan.epoch_batches} batches is too short for a steady state: whole "
            "epochs are timed, start included"
        )
    return notes


def result_of(spec: Spec, known: Known, found: Findings) -> CheckResult:
    """The check's result, so far without outcome and duration."""
    calibration = known.calibration
    notes = [*found.notes, *notes_of(known)]
    if calibration.loader.variants and not found.variants:
        first = calibration.loader.variants[0]
        notes.append(f"of its variants only the first one is measured: {first}")
    return CheckResult(
        nodeid=spec.nodeid,
        verdict=found.verdict,
        parameters=spec.parameters,
        pairs=found.pairs,
        workload=calibration.workload,
        message=found.message,
        notes=tuple(notes),
        metrics=found.comparisons,
        noise=found.noise,
        sweep=spec.sweep,
        loader=calibration.loader.kind,
        settings=calibration.loader.settings,
        memory_source=calibration.memory_source,
        memory=calibration.memory,
        batch_seconds=found.rounds,
        coverage=found.coverage,
        variants=found.variants,
        ranks=found.paces,
    )


def error_of(spec: Spec, message: str, said: str = "") -> CheckResult:
    """An error; what to do about it may show in what was ``said`` besides."""
    todo = shared_memory(f"{message}\n{said}")
    return CheckResult(
        nodeid=spec.nodeid,
        verdict=Verdict.ERROR,
        parameters=spec.parameters,
        outcome="failed",
        message=message,
        notes=(todo,) if todo else (),
    )


def paces_of(pairs: Sequence[Pair]) -> Paces | None:
    """How long each rank needs for a batch, by all pairs of a check; None where there is one."""
    candidates, baselines = ([each.needed for each in side] for side in zip(*pairs, strict=True))
    if not all(candidates):
        return None
    return Paces(
        candidate=mean(candidates),
        step=sum(candidate.batch_seconds for candidate, _ in pairs) / len(pairs),
        baseline=mean(baselines) if all(baselines) else (),
    )
