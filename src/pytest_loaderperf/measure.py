"""What a coordinator measures with trials: peak memory, a single trial, a pair of trials."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from . import process
from .ahead import batches_made
from .arms import Arm, Trial, TrialOver
from .errors import LoaderError
from .memory import PeakMemory
from .messages import Begin, Handed, Open, Opened, Probe, Run, Slice
from .model import Workload
from .pacing import PAIR_SECONDS, Plan, plan, warmup_batches

_A = TypeVar("_A", Opened, Slice)

RATES = ("throughput", "cpu_time")  # the metrics that every slice gives
TIMED = (*RATES, "first_batch")  # those that a timing trial gives

_LOOK_SECONDS = 0.02  # between looks at memory
_SURVEY_SECONDS = 1.0
# Queues are full when a loader has done next to nothing (as a part of a CPU) for so long.
_IDLE_SECONDS = 0.25
_IDLE = 0.05
_LONGEST_FILL = 15.0  # seconds


@dataclass(frozen=True)
class Survey:
    """What a memory trial tells: how big the loader is, and how to pace its timing trials.

    ``values`` are those of the timed metrics, slowed down by the looks at memory.
    """

    loader: Handed
    workload: Workload
    peak_memory: float  # bytes
    values: dict[str, float]
    batches: int  # taken in the steady state
    plan: Plan
    asserted: tuple[str, ...]  # metrics that the test compares with a baseline


@dataclass(frozen=True)
class Timing:
    """What a timing trial measured: a value for each timed metric.

    ``parts`` holds the rates of every two slices: this side's half of an ABBA block. Rates are of
    the batches that were ``made`` (which may be a part of one), not of those ``taken``.
    """

    values: dict[str, float]
    workload: Workload
    taken: Slice
    made: float
    parts: tuple[dict[str, float], ...] = ()

    @property
    def batch_seconds(self) -> float:
        """How long a batch takes in the steady state."""
        return self.taken.seconds / self.taken.batches


def survey(
    arm: Arm, nodeid: str, like: Survey | None = None, pair_seconds: float = PAIR_SECONDS
) -> Survey:
    """Measure peak memory in a trial of its own; learn from it how to time this loader.

    With ``like`` the trial takes as many batches as that one did, so that the two compare.
    """
    with arm.trials():
        result = _survey(arm, nodeid, like, pair_seconds)
    if result.loader.built_data:
        # A trial that has built test data has spent memory on that: its peak says nothing.
        with arm.trials():
            result = _survey(arm, nodeid, like, pair_seconds)
    return result


def paced(survey: Survey, timing: Timing, pair_seconds: float = PAIR_SECONDS) -> Plan:
    """The plan for a loader that has been timed: a survey's looks at memory slow it down."""
    loader, epoch_batches = survey.loader, survey.plan.epoch_batches
    return plan(timing.batch_seconds, loader.workers, loader.prefetch, epoch_batches, pair_seconds)


def time_alone(arm: Arm, nodeid: str, pace: Plan) -> Timing:
    """Time one trial."""
    with arm.trials():
        timed = TimedTrial(arm, nodeid, pace)
        for _ in range(pace.slices):
            timed.slice()
        timed.end()
    return timed.result()


def time_pair(
    candidate: Arm, baseline: Arm, nodeid: str, pace: Plan, *, candidate_first: bool
) -> tuple[Timing, Timing]:
    """Time one trial of each arm, alive together, in alternating slices: a pair.

    Whoever is not being timed is frozen. Slices run ABBA BAAB ..., so that a drift of the machine
    hits both alike.
    """
    arms = (candidate, baseline) if candidate_first else (baseline, candidate)
    with candidate.trials(), baseline.trials():
        trials = []
        for arm in arms:
            trials.append(TimedTrial(arm, nodeid, pace))
            trials[-1].freeze()
        first, second = random.sample(trials, 2)
        for block in range(pace.slices // 2):
            a, b = (first, second) if block % 2 == 0 else (second, first)
            for trial in (a, b, b, a):
                trial.resume()
                trial.slice()
                trial.freeze()
        for trial in trials:
            trial.end()
    results = [trial.result() for trial in trials]
    return (results[0], results[1]) if candidate_first else (results[1], results[0])


def typical(timings: Sequence[Timing]) -> dict[str, float]:
    """The geometric mean of each metric: the ratio of two of them is the mean ratio of pairs."""
    return {
        name: statistics.geometric_mean(timing.values[name] for timing in timings) for name in TIMED
    }


class TimedTrial:
    """A trial that has been opened, and the slices that it has run."""

    def __init__(self, arm: Arm, nodeid: str, pace: Plan) -> None:
        self._trial = arm.trial(nodeid)
        self._pace = pace
        loader = self._trial.ask(Begin(timed=True), Handed)
        self._ahead = loader.workers * loader.prefetch
        opening = Open(pace.warmup, pace.drain, pace.epoch_batches, follow=pace.follow)
        self._opened = self._trial.ask(opening, Opened)
        self._slices: list[Slice] = []

    def freeze(self) -> None:
        """Stop it."""
        self._trial.freeze()

    def resume(self) -> None:
        """Let it go on."""
        self._trial.resume()

    def slice(self) -> None:
        """Time one slice."""
        measured = self._trial.ask(Run(self._pace.batches, self._pace.epochs), Slice)
        if not measured.batches:
            raise LoaderError(
                f"an epoch ended after {measured.epoch_batches} batches, too few to time; earlier "
                "ones were longer. Let the loader of this check give epochs of one length"
            )
        self._slices.append(measured)

    def end(self) -> None:
        """End the trial."""
        self._trial.end()

    def result(self) -> Timing:
        """What it has measured."""
        workload = Workload(**self._opened.workload)  # type: ignore[arg-type]
        taken = _sum(self._slices)
        made = batches_made(taken, taken.marks, self._ahead)
        values = {**_rates(taken, made), "first_batch": self._opened.first_batch}
        halves = map(_sum, zip(self._slices[::2], self._slices[1::2], strict=False))
        parts = tuple(_rates(half, batches_made(half, taken.marks, self._ahead)) for half in halves)
        return Timing(values, workload, taken, made, parts)


def _survey(arm: Arm, nodeid: str, like: Survey | None, pair_seconds: float) -> Survey:
    trial = arm.trial(nodeid)
    memory = PeakMemory(arm.memory_root)
    ask = _Followed(trial, memory.follow)
    loader = trial.ask(Begin(), Handed)  # what setting up has freed is not followed
    warmup = warmup_batches(loader.workers, loader.prefetch)
    drain = loader.workers * loader.prefetch
    epoch_batches = like.plan.epoch_batches if like else loader.epoch_batches
    opened = ask(Open(warmup, drain, epoch_batches), Opened)

    def pace_after(taken: Slice) -> Plan:
        pace = taken.seconds / taken.batches if taken.batches else 1.0
        return plan(pace, loader.workers, loader.prefetch, taken.epoch_batches, pair_seconds)

    taken = Slice(0.0, 0, 0, 0.0, opened.epoch_batches)
    while not _enough(taken, warmup, like):
        pace = pace_after(taken)
        # Steps grow: the first batches may come out of a queue, and say little of the pace.
        batches = max(loader.workers, min(pace.batches, taken.batches), 1)
        left = batches if like is None else like.batches - taken.batches
        taken = _sum([taken, ask(Run(min(batches, left), _epochs(pace, taken, like)), Slice)])
    _let_queues_fill(trial.pid, memory, 2 * warmup * taken.seconds / taken.batches)
    trial.send(Probe())
    finished = trial.finished()
    if finished and finished.misused:
        raise TrialOver(finished, arm.version)
    return Survey(
        loader,
        Workload(**opened.workload),  # type: ignore[arg-type]
        float(memory.peak),
        {**_rates(taken, taken.batches), "first_batch": opened.first_batch},
        taken.batches,
        pace_after(taken),
        tuple(finished.asserted) if finished else (),
    )


def _let_queues_fill(pid: int, memory: PeakMemory, longest: float) -> None:
    """Wait while a loader works ahead, as it does during a training step: then its peak comes.

    How full its queues are at other times is chance.
    """
    end = time.monotonic() + min(max(longest, _IDLE_SECONDS), _LONGEST_FILL)
    idle_since, used = time.monotonic(), process.cpu_seconds(pid)
    while (now := time.monotonic()) < end and now - idle_since < _IDLE_SECONDS:
        time.sleep(_LOOK_SECONDS)
        memory.follow()
        used_now = process.cpu_seconds(pid)
        if used_now - used > _IDLE * (time.monotonic() - now):
            idle_since = time.monotonic()
        used = used_now
    for _ in range(2):
        memory.sample()


def _epochs(pace: Plan, taken: Slice, like: Survey | None) -> int:
    """Whole epochs for the next step of a survey: twice as many each time, up to a slice."""
    length = pace.epoch_batches or 1
    left = taken.batches if like is None else like.batches - taken.batches
    return min(pace.epochs, max(1, min(taken.batches, left) // length))


def _enough(taken: Slice, at_least: int, like: Survey | None) -> bool:
    if like is not None:
        return taken.batches >= like.batches
    return taken.batches >= at_least and taken.seconds >= _SURVEY_SECONDS


class _Followed:
    """Asks a trial, looking at its memory while it works on the answer."""

    def __init__(self, trial: Trial, look: Callable[[], None]) -> None:
        self._trial = trial
        self._look = look

    def __call__(self, message: Open | Run, expected: type[_A]) -> _A:
        answer = self._trial.ask(message, expected, meanwhile=self._look, every=_LOOK_SECONDS)
        self._look()
        return answer


def _sum(slices: Sequence[Slice]) -> Slice:
    return Slice(
        sum(each.seconds for each in slices),
        sum(each.samples for each in slices),
        sum(each.batches for each in slices),
        sum(each.cpu_seconds for each in slices),
        slices[-1].epoch_batches,
        [span for each in slices for span in each.spans],
        [mark for each in slices for mark in each.marks],
    )


def _rates(taken: Slice, made: float) -> dict[str, float]:
    """Rates of a slice in which so many batches were made, whatever was taken."""
    scale = made / taken.batches
    # A loader may take less CPU time than the clock can tell: a nanosecond stands for nothing.
    cpu_seconds = taken.cpu_seconds - taken.worker_seconds * (1 - 1 / scale)
    cpu_time = max(cpu_seconds, 1e-9) / taken.samples
    return {"throughput": scale * taken.samples / taken.seconds, "cpu_time": cpu_time}
