"""One timing trial: the slices that it runs, and the rates that come of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..errors import LoaderError
from ..model.workload import Workload
from ..protocol.messages import Begin, Handed, Open, Opened, RunSlice, Slice, Stretch
from ..supervisor.arm import Arm
from ..system import cpus, process_tree
from . import interference
from .in_flight import batches_made
from .plan import Plan

RATES = ("throughput", "cpu_time")  # the metrics that every slice gives
TIMED = (*RATES, "first_batch")  # those that a timing trial gives


@dataclass(frozen=True, kw_only=True)
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
    rounds: tuple[float, ...] = ()  # what a batch took in each slice, in seconds
    external_load: float = 0.0  # the share of the CPUs that others took while it ran
    paused: bool = False  # whether the whole machine seems to have stood still meanwhile
    settings: Mapping[str, str | int | bool] = field(default_factory=dict)  # as the loader has them

    @property
    def batch_seconds(self) -> float:
        """How long a batch takes in the steady state."""
        return self.taken.seconds / self.taken.batches


class TimedTrial:
    """A trial that has been opened, and the slices that it has run.

    It may be suspended at any time: what it is suspended for does not count.
    """

    def __init__(self, arm: Arm, nodeid: str, pace: Plan) -> None:
        self._trial = arm.trial(nodeid)
        self._pace = pace
        loader = self._trial.ask(Begin(timed=True), Handed)
        self._ahead = loader.workers * loader.prefetch
        self._settings = loader.settings
        self._trial.scattered = loader.scattered
        opening = Open(
            warmup=pace.warmup,
            drain=pace.drain,
            epoch_batches=pace.epoch_batches,
            follow=pace.follow,
        )
        self._opened = self._trial.ask(opening, Opened)
        self._slices: list[Slice] = []
        self._suspended_at = 0.0
        self._suspended: list[Stretch] = []
        self._watch = interference.Watch(self._trial.pid)

    def suspend(self) -> None:
        """Stop it."""
        self._trial.suspend()
        self._suspended_at = time.perf_counter()
        self._watch.stop()

    def resume(self) -> None:
        """Let it go on."""
        self._watch.start()
        self._suspended.append((self._suspended_at, time.perf_counter()))
        self._trial.resume()

    @property
    def has_one_thread(self) -> bool:
        """Whether it uses one CPU at a time."""
        return process_tree.has_one_thread(self._trial.pid)

    def pin(self, cpu: int) -> None:
        """Have it use this CPU alone, if it has one thread."""
        cpus.pin(self._trial.pid, cpu)

    def slice(self) -> None:
        self.begin_slice()
        self._ended(self._trial.answer(Slice, meanwhile=self._watch.tick))

    def begin_slice(self) -> None:
        """Have it time a slice from now on, or from when it is resumed."""
        self._trial.send(RunSlice(batches=self._pace.batches, epochs=self._pace.epochs))

    def take_turn(self, seconds: float) -> bool:
        """Let a suspended trial go on for so many seconds at most; whether it ended its slice."""
        self.resume()
        self._trial.wait(seconds)
        self.suspend()
        measured = self._trial.poll(Slice, 0.0)  # now, since that takes CPU time as well
        if measured is not None:
            self._ended(measured)
        return measured is not None

    def end(self) -> None:
        self._trial.end()

    def result(self) -> Timing:
        """What it has measured."""
        slices = [awake(measured, self._suspended) for measured in self._slices]
        taken = total(slices)
        made = batches_made(taken, taken.marks, self._ahead)
        values = {**rates(taken, made), "first_batch": self._opened.first_batch}
        halves = map(total, zip(slices[::2], slices[1::2], strict=False))
        parts = tuple(rates(half, batches_made(half, taken.marks, self._ahead)) for half in halves)
        batch = taken.batches / made
        rounds = tuple(batch * each.seconds / each.batches for each in slices)
        load, paused = self._watch.external_load, self._watch.paused
        return Timing(
            values=values,
            workload=self._opened.workload,
            taken=taken,
            made=made,
            parts=parts,
            rounds=rounds,
            external_load=load,
            paused=paused,
            settings=self._settings,
        )

    def _ended(self, measured: Slice) -> None:
        if not measured.batches:
            raise LoaderError(
                f"an epoch ended after {measured.epoch_batches} batches, too few to time; earlier "
                "ones were longer. Let the loader of this check give epochs of one length"
            )
        self._slices.append(measured)


def typical(timings: Sequence[Timing]) -> dict[str, float]:
    """The geometric mean of each metric: the ratio of two of them is the mean ratio of pairs."""
    return {
        name: statistics.geometric_mean(timing.values[name] for timing in timings) for name in TIMED
    }


def total(slices: Sequence[Slice]) -> Slice:
    """Several slices as one."""
    return Slice(
        stretches=[stretch for each in slices for stretch in each.stretches],
        samples=sum(each.samples for each in slices),
        batches=sum(each.batches for each in slices),
        cpu_seconds=sum(each.cpu_seconds for each in slices),
        epoch_batches=slices[-1].epoch_batches,
        spans=[span for each in slices for span in each.spans],
        marks=[mark for each in slices for mark in each.marks],
    )


def awake(taken: Slice, suspended: Iterable[Stretch]) -> Slice:
    """A slice without the time for which its process was suspended: its stretches end earlier."""
    first, last = taken.stretches[0][0], taken.stretches[-1][1]
    during = [(start, end) for start, end in suspended if start < last and end > first]
    stretches = []
    for began, ended in taken.stretches:
        lost = sum(max(0.0, min(ended, end) - max(began, start)) for start, end in during)
        stretches.append((began, ended - lost))
    return replace(taken, stretches=stretches)


def rates(taken: Slice, made: float) -> dict[str, float]:
    """Rates of a slice in which so many batches were made, whatever was taken."""
    scale = made / taken.batches
    # A loader may take less CPU time than the clock can tell: a nanosecond stands for nothing.
    cpu_seconds = taken.cpu_seconds - taken.worker_seconds * (1 - 1 / scale)
    cpu_time = max(cpu_seconds, 1e-9) / taken.samples
    return {"throughput": scale * taken.samples / taken.seconds, "cpu_time": cpu_time}
