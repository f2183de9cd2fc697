"""One timing trial: the slices that it runs, and the rates that come of them."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from ..errors import LoaderError
from ..model.ranks import mean
from ..model.workload import Workload
from ..protocol.messages import Begin, Handed, Open, Opened, Slice, Stretch
from ..supervisor.arm import Arm
from ..system import cpus, process_tree
from . import interference, waits
from .in_flight import batches_made
from .plan import SLICES_AT_LEAST, Plan
from .waits import Clock, Waits

# How a trial is found to wait when its turn is over: in so short a time (s), or such a part of a
# turn, it has used less than such a part of what it uses else.
_GLANCE_SECONDS = 0.01
_GLANCE = 1 / 4
_WORKING = 0.5
_LONGEST_TURN = 30.0  # seconds
_PARTS, _LONG_PARTS = 16, 4  # of the time of a trial, at most
_SLICES_IN_A_GO = 200  # an answer comes after half a minute then
RATES = ("throughput", "cpu_time")  # the metrics that every slice gives
# Those that a timing trial may give; ``epoch_time`` only one that takes whole epochs.
TIMED = (*RATES, "first_batch", "epoch_time", "wait_p99", "stalled")


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What a timing trial measured: a value for each timed metric.

    ``parts`` holds the rates of every two slices: this side's half of an ABBA block. Rates are of
    the batches that were ``made`` (which may be a part of one), not of those ``taken``. Where whole
    epochs are timed, or there are no turns, there are no ``parts``: ``segments`` says how long each
    part of each stretch took (s), and ``steady_segments`` those of their steady state. Of two whole
    epochs ``first_epoch`` is what the first one alone says.
    """

    values: dict[str, float]
    workload: Workload
    taken: Slice
    made: float
    parts: tuple[dict[str, float], ...] = ()
    segments: tuple[float, ...] = ()
    steady_segments: tuple[float, ...] = ()
    waits: Waits = Waits()  # noqa: RUF009  (frozen)
    rounds: tuple[float, ...] = ()  # what a batch took in each slice or segment, in seconds
    external_load: float = 0.0  # the share of the CPUs that others took while it ran
    paused: bool = False  # whether the whole machine seems to have stood still meanwhile
    settings: Mapping[str, str | int | bool] = field(default_factory=dict)  # as the loader has them
    first_epoch: Timing | None = None
    suspended: tuple[Stretch, ...] = ()  # when others had their turns
    needed: tuple[float, ...] = ()  # what each of several ranks needed for a batch (s)

    @property
    def batch_seconds(self) -> float:
        """How long a batch takes in the steady state, if there is one."""
        if self.taken.steady:
            return self.taken.steady_seconds / self.taken.steady_batches
        return self.taken.seconds / self.taken.batches


class TimedTrial:
    """A trial, and the slices that it has run once it has been opened.

    It begins to set up its test at once, and may be suspended at any time: what it is suspended for
    does not count.
    """

    def __init__(self, arm: Arm, nodeid: str, pace: Plan, stacks: str = "") -> None:
        self._trial = arm.trial(nodeid)
        self._trial.send(Begin(timed=True, stacks=stacks))
        self._pace = pace
        self._slices: list[Slice] = []
        self._suspended_at = 0.0
        self._suspended: list[Stretch] = []
        self._watch = interference.Watch(self._trial.pid)

    def set_up(self) -> None:
        """Wait until its test has handed over the loader, and suspend it."""
        loader = self._trial.answer(Handed)
        self._ahead = loader.workers * loader.prefetch
        self._settings = loader.settings
        self._trial.scattered = loader.scattered
        # What it has used of the CPUs in its turns so far; at first, what it may.
        self._ran = _GLANCE_SECONDS
        self._busy = _GLANCE_SECONDS * min(loader.hands, len(cpus.usable_cpus()))
        self._trial.suspend()

    def open(self) -> None:
        """Have one that is set up take its first batches."""
        opening = Open(
            warmup=self._pace.warmup,
            drain=self._pace.drain,
            epoch_batches=self._pace.epoch_batches,
            follow=self._pace.follow,
        )
        self._trial.resume()
        began = time.perf_counter()
        self._opened = self._trial.ask(opening, Opened)
        self.opening: Stretch = began, began + self._opened.first_batch  # of the first batch

    @property
    def _usual_load(self) -> float:
        return self._busy / self._ran

    def suspend(self) -> None:
        """Stop it."""
        self._suspended_at = self._trial.suspend()
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

    def run(self) -> None:
        """Have it time all of its slices, in one go: it is not suspended."""
        self._watch.start()
        left = self._pace.timed_slices
        while left:
            long = self._pace.whole or self._pace.slices <= SLICES_AT_LEAST
            slices = 1 if long else min(left, _SLICES_IN_A_GO)
            self._trial.send(self._pace.step(slices))
            self._ended(self._trial.answer(Slice, meanwhile=self._watch.tick))
            self._watch.tick()  # also where every answer comes before the first look
            left -= slices
        self._watch.stop()

    def begin_slice(self) -> None:
        """Have it time a slice from now on, or from when it is resumed."""
        self._trial.send(self._pace.step())

    def take_turn(self, seconds: float) -> bool:
        """Let a suspended trial go on for so many seconds; whether it ended its slice.

        Where it waits for something when its turn is over, it has a longer one: what it waits for
        would go on while it is suspended, and be there for nothing when it is resumed.
        """
        glance = min(_GLANCE_SECONDS, _GLANCE * seconds)
        # While it stands: to look for processes takes CPU time, of which it would have the less.
        used, processes = cpus.cpu_seconds(self._trial.pid), process_tree.tree(self._trial.pid)
        self.resume()
        began = time.perf_counter()
        ended = self._trial.wait(seconds - glance)
        while not ended and time.perf_counter() - began < _LONGEST_TURN:
            before, glanced = time.perf_counter(), _used_by(processes)
            ended = self._trial.wait(glance)
            now, used_now = time.perf_counter(), _used_by(processes)
            self._watch.tick()
            if used_now - glanced >= _WORKING * self._usual_load * (now - before):
                break
            processes = process_tree.tree(self._trial.pid)  # it waits, or others work by now
        self.suspend()
        if not ended:
            self._stop_clock_at_work(now, _used_by(processes) - used_now)
        self._busy += cpus.cpu_seconds(self._trial.pid) - used
        self._ran += self._suspended_at - began
        measured = self._trial.poll(Slice, 0.0)  # now, since that takes CPU time as well
        if measured is not None:
            self._ended(measured)
        return measured is not None

    def _stop_clock_at_work(self, asked: float, used: float) -> None:
        """Count of the time that it took to stop what it used a CPU for.

        Some processes stop at once, and the last one a millisecond or two later: meanwhile most of
        the CPUs stand still.
        """
        worked = asked + used / self._usual_load
        self._suspended_at = min(self._suspended_at, max(asked, worked))

    def end(self) -> None:
        self._trial.end()

    def result(self) -> Timing:
        """What it has measured."""
        timing = self._timing(self._slices)
        whole = self._pace.whole
        if whole is None or (whole.epochs, len(self._slices)) != (1, 2):
            return timing
        return replace(timing, first_epoch=self._timing(self._slices[:1]))

    def _timing(self, taken_slices: Sequence[Slice]) -> Timing:
        clock = Clock(self._suspended)
        slices = [awake(measured, clock) for measured in taken_slices]
        taken = total(slices)
        made = batches_made(taken, taken.marks, self._ahead)
        whole = self._pace.whole is not None
        in_slices = self._pace.short_turns and not whole
        waited = Waits.of(_waits(taken, whole=whole))
        values = {
            **rates(taken, made),
            "first_batch": self._opened.first_batch,
            "wait_p99": waited.p99,
            "stalled": waited.share,
        }
        if whole:
            values["epoch_time"] = taken.seconds / len(taken.stretches)
        if taken.steady or not (whole or in_slices):
            values["throughput"] = _in_bursts(taken)
        parts: tuple[dict[str, float], ...] = ()
        segments: list[tuple[float, int]] = []
        steady: list[tuple[float, int]] = []
        if in_slices:
            halves = map(total, zip(slices[::2], slices[1::2], strict=False))
            parts = tuple(rates(h, batches_made(h, taken.marks, self._ahead)) for h in halves)
            batch = taken.batches / made
            rounds = [batch * each.seconds / each.batches for each in slices]
        else:
            segments = waits.segments(taken.stretches, taken.arrivals)
            steady = waits.segments(taken.steady, _inside(taken.steady, taken.arrivals))
            batches = taken.batches / sum(map(len, taken.arrivals))
            rounds = [seconds / came / batches for seconds, came in segments if came]
        load, paused = self._watch.external_load, self._watch.paused
        return Timing(
            values=values,
            workload=self._opened.workload,
            taken=taken,
            made=made,
            parts=parts,
            segments=self._parts(segments),
            steady_segments=self._parts(steady or segments),
            waits=waited,
            rounds=tuple(rounds),
            external_load=load,
            paused=paused,
            settings=self._settings,
            suspended=tuple(self._suspended),
            needed=_needed(taken_slices, self._suspended),
        )

    def _parts(self, segments: Sequence[tuple[float, int]]) -> tuple[float, ...]:
        """How long the parts took that are compared with those of other pairs.

        Without turns a slow second of the machine hits one side alone, and several segments of it:
        they do not scatter independently, unless they are long.
        """
        seconds = [seconds for seconds, _ in segments]
        return tuple(waits.joined(seconds, _PARTS if self._pace.short_turns else _LONG_PARTS))

    def _ended(self, measured: Slice) -> None:
        if not measured.batches:
            raise LoaderError(
                f"an epoch ended after {measured.epoch_batches} batches, too few to time; earlier "
                "ones were longer. Let the loader of this check give epochs of one length"
            )
        self._slices.append(measured)


def _needed(slices: Sequence[Slice], suspended: Sequence[Stretch]) -> tuple[float, ...]:
    """How long each of several ranks needed for a batch, where it was not suspended meanwhile."""
    if not any(each.needed for each in slices):
        return ()
    taken = total(slices)
    rows, every = [], []
    for (began, _), came, noted in zip(taken.stretches, taken.arrivals, taken.needed, strict=True):
        for (start, end), row in zip(pairwise([began, *came]), noted, strict=False):
            every.append(row)
            if not any(start < resumed and stopped < end for stopped, resumed in suspended):
                rows.append(row)
    batches = taken.batches / len(every)
    return tuple(each / batches for each in mean(rows or every))


def _used_by(processes: Iterable[int]) -> float:
    return sum(map(cpus.cpu_seconds_of, processes))


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
        arrivals=[arrivals for each in slices for arrivals in each.arrivals],
        steady=[stretch for each in slices for stretch in each.steady],
        steady_batches=sum(each.steady_batches for each in slices),
        steady_samples=sum(each.steady_samples for each in slices),
        steady_cpu_seconds=sum(each.steady_cpu_seconds for each in slices),
        needed=[noted for each in slices for noted in each.needed],
    )


def awake(taken: Slice, clock: Clock) -> Slice:
    """A slice by the clock of its process, which stands still while that is suspended."""
    return replace(
        taken,
        stretches=[(clock(began), clock(ended)) for began, ended in taken.stretches],
        arrivals=[[clock(each) for each in arrivals] for arrivals in taken.arrivals],
        steady=[(clock(began), clock(ended)) for began, ended in taken.steady],
    )


def rates(taken: Slice, made: float) -> dict[str, float]:
    """Rates of a slice in which so many batches were made, whatever was taken."""
    scale = made / taken.batches
    # A loader may take less CPU time than the clock can tell: a nanosecond stands for nothing.
    cpu_seconds = taken.cpu_seconds - taken.worker_seconds * (1 - 1 / scale)
    cpu_time = max(cpu_seconds, 1e-9) / taken.samples
    return {"throughput": scale * taken.samples / taken.seconds, "cpu_time": cpu_time}


def _in_bursts(taken: Slice) -> float:
    """The throughput of a loader that may have many batches under way where a stretch begins.

    Where they come in bursts, only whole ones count.
    """
    periods = taken.steady or taken.stretches
    strides = counted = 0
    seconds = 0.0
    for (began, _), came in zip(periods, _inside(periods, taken.arrivals), strict=True):
        points = [began, *came]
        first, last = waits.bursts(points)
        strides += len(points) - 1
        counted += last - first
        seconds += points[last] - points[first]
    return (taken.steady_samples or taken.samples) * counted / strides / seconds


def _inside(
    periods: Sequence[Stretch], arrivals: Sequence[Sequence[float]]
) -> list[Sequence[float]]:
    """The arrivals in each of some periods, its start left out."""
    times = [each for came in arrivals for each in came]
    return [times[bisect_right(times, began) : bisect_right(times, end)] for began, end in periods]


def _waits(taken: Slice, *, whole: bool) -> list[float]:
    """How long the batches of a slice were waited for; of whole epochs, all but the first one."""
    found = []
    for (began, _), came in zip(taken.stretches, taken.arrivals, strict=True):
        times = came if whole else [began, *came]
        found += [after - before for before, after in pairwise(times)]
    return found
