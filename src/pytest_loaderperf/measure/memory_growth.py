"""How fast the memory of a loader grows: leaks, caches, copy-on-write in its workers.

Measured only where it is asked for, in trials of its own, in which the loader is let come to rest
again and again, and its memory is read. Batches under way would else make it look now larger, now
smaller. Where several epochs fit, it is read between them: what an epoch frees at its end is no
growth, and what it keeps is. Processes that live for one epoch, as most workers do, free all of
theirs: what they take within it, such as copies of pages that they share, counts by itself.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..errors import LoaderError
from ..model.metrics import METRICS
from ..model.units import format_value
from ..protocol.messages import Open, Opened, RunSlice, Slice
from ..supervisor.arm import Arm
from ..supervisor.trial import Trial
from ..system import process_tree
from ..system.smaps import Tree, used_by_tree
from . import calibration
from .plan import SLICE_SECONDS, Plan

T = TypeVar("T")
_METRIC = METRICS["memory_growth"]
_SAMPLES = 1000  # for which growth is told
_STEPS = 16  # points at which memory is read
_IN_AN_EPOCH = 4  # points at least, if an epoch is long enough for that
_DISCARDED = 0.25  # of the points, in which caches and heaps fill up
_EPOCHS = 4  # at whose ends memory is read, at least
_LONGER = 2.5  # times as long as a trial should take, for that
_STEPS_WITHIN = 12  # points within epochs, after those between them
_FILES_SHOWN = 3
_TOO_SHORT = (
    "memory_growth cannot be told: an epoch has too few batches for its workers. Give this check a "
    "loader with longer ones, or leave the metric out"
)
_LONGEST_REST = 3.0  # seconds that a loader may take to come to rest


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The memory of a loader after so many samples, in bytes, and the epoch it was in."""

    epoch: int
    samples: int
    used: int


@dataclass(frozen=True, kw_only=True)
class Slope:
    """Bytes per 1000 samples, with its standard error."""

    value: float
    error: float

    def describe(self) -> str:
        """The slope with its 95 % interval."""
        low, value, high = (
            format_value(each, _METRIC.unit)
            for each in (self.value - 2 * self.error, self.value, self.value + 2 * self.error)
        )
        return f"private memory grew by {value} (95 %: {low} to {high})"


def slope(points: Sequence[Reading]) -> Slope:
    """The least-squares line through points, with a height of its own for each epoch.

    Zero, and infinitely uncertain, where no epoch has two points.
    """
    epochs: dict[int, list[Reading]] = defaultdict(list)
    for point in points:
        epochs[point.epoch].append(point)
    across, both, down = 0.0, 0.0, 0.0
    for epoch in epochs.values():
        samples = statistics.fmean(point.samples for point in epoch)
        used = statistics.fmean(point.used for point in epoch)
        across += sum((point.samples - samples) ** 2 for point in epoch)
        both += sum((point.samples - samples) * (point.used - used) for point in epoch)
        down += sum((point.used - used) ** 2 for point in epoch)
    if not across:
        return Slope(value=0.0, error=math.inf)
    rise = both / across
    freedom = len(points) - len(epochs) - 1
    if freedom < 1:
        return Slope(value=_SAMPLES * rise, error=math.inf)
    error = math.sqrt(max(0.0, down - rise * both) / freedom / across)
    return Slope(value=_SAMPLES * rise, error=_SAMPLES * error)


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How fast memory grows, in bytes per 1000 samples, and what else does.

    ``lasting`` is what is there for good, or within an epoch where those are long; ``passing`` what
    processes take that end with their epoch.
    """

    lasting: Slope
    passing: Slope = Slope(value=0.0, error=0.0)
    left_open: tuple[str, ...] = ()  # files of which more and more are open, and how many more

    @property
    def value(self) -> float:
        """Both together; what shrinks does not grow."""
        return max(0.0, self.lasting.value) + max(0.0, self.passing.value)

    def describe(self) -> str:
        """The growth with its 95 % interval, where it lies, and which files stay open."""
        error = math.hypot(self.lasting.error, self.passing.error)
        whole = Slope(value=self.lasting.value + self.passing.value, error=error)
        told = whole.describe()
        if self.passing.value > 2 * self.passing.error:
            passing = format_value(self.passing.value, _METRIC.unit)
            told += f", of which {passing} in processes that end with their epoch"
        if self.left_open:
            told += f"; more and more files are open: {', '.join(self.left_open)}"
        return told


@dataclass(frozen=True, kw_only=True)
class AtRest:
    """What a loader at rest uses and has open, after so many samples."""

    samples: int
    tree: Tree
    files: Mapping[int, Counter[str]]  # by process


class _Trial:
    """A trial that goes on through a loader, and is looked at while it rests."""

    def __init__(self, arm: Arm, trial: Trial, workers: int, pace: Plan) -> None:
        self._arm, self._trial = arm, trial
        self.workers, self.pace = workers, pace
        self.restarts = self.batches = self.samples = 0

    def run(self, step: RunSlice) -> Slice:
        """Go on."""
        result = self._trial.ask(step, Slice)
        if not result.stretches:
            raise LoaderError(_TOO_SHORT)
        self.restarts += len(result.stretches) - 1
        self.batches += result.batches
        self.samples += result.samples
        return result

    def look(self) -> AtRest:
        """Let it come to rest, and look at it."""
        calibration.rest(self._trial.pid, _LONGEST_REST)
        tree = used_by_tree(self._arm.pid)
        files = {pid: Counter(_names_of_open(pid)) for pid in tree.processes}
        return AtRest(samples=self.samples, tree=tree, files=files)


def _names_of_open(pid: int) -> Iterator[str]:
    """What a process has open: all of its sockets have one name, and so have all pipes."""
    for _, name in process_tree.open_files(pid):
        yield name if name.startswith("/") else name.partition(":")[0]


def growth(arm: Arm, nodeid: str, pace: Plan, seconds: float, epoch: float) -> Growth:
    """How fast memory grows in one more trial, over some such time of batches.

    An epoch takes so many seconds (of the candidate: both versions are measured in one way).
    LoaderError where its batches are too few to tell.
    """
    with arm.begun(nodeid) as (trial, loader):
        trial.ask(
            Open(warmup=pace.warmup, drain=pace.drain, epoch_batches=pace.epoch_batches), Opened
        )
        going = _Trial(arm, trial, loader.workers, pace)
        if pace.whole and epoch * _EPOCHS <= _LONGER * seconds:
            going.run(RunSlice(batches=0, epochs=1))
            return _over_epochs(going, epoch, seconds)
        return _within_epochs(going, seconds)


def _over_epochs(going: _Trial, epoch: float, seconds: float) -> Growth:
    """Growth from epoch to epoch of so many seconds, and within those of their own processes."""
    each = RunSlice(batches=0, epochs=max(1, round(seconds / _STEPS / epoch)))
    steps = min(_STEPS, max(_EPOCHS, round(seconds / epoch / each.epochs)))
    looks = []
    for _ in range(steps):
        going.run(each)
        looks.append(going.look())
    kept = _settled(looks)
    lasting = _slope_of([look.tree.anonymous for look in kept], kept)
    return Growth(
        lasting=_with_shared(lasting, kept),
        passing=_passing(going, set(looks[-1].tree.processes), seconds),
        left_open=left_open(kept),
    )


def _passing(going: _Trial, lasting: Container[int], seconds: float) -> Slope:
    """Growth within epochs, of what is not in processes that outlive them."""
    nothing = Slope(value=0.0, error=0.0)
    if not going.workers or going.pace.epochs:
        return nothing
    points: list[Reading] = []
    starting: list[Reading] = []
    going.restarts = going.batches = 0
    epoch = -1
    for _ in range(_STEPS_WITHIN):
        going.run(_step(going.pace, going.workers, seconds / _STEPS / SLICE_SECONDS))
        look = going.look()
        if all(pid in lasting for pid in look.tree.processes):
            return nothing
        # Pages that are shared count in full in those that stay: only copies of them are new.
        kept = sum(used.whole for pid, used in look.tree.processes.items() if pid in lasting)
        starts, epoch = epoch, epoch_of(going.pace, going.batches, going.restarts)
        used = look.tree.anonymous - kept
        point = Reading(epoch=epoch, samples=look.samples, used=used)
        # Those that have just started copy what they are made of.
        (points if epoch == starts else starting).append(point)
    found = slope(points)
    if not math.isfinite(found.error):
        found = slope([*starting, *points])
    if not math.isfinite(found.error):
        raise LoaderError(_TOO_SHORT)
    return found


def _within_epochs(going: _Trial, seconds: float) -> Growth:
    """Growth in an epoch, or in a few of them, each of which has a height of its own."""
    step = _step(going.pace, going.workers, seconds / _STEPS / SLICE_SECONDS)
    looks, epochs = [], []
    for _ in range(_STEPS):
        going.run(step)
        looks.append(going.look())
        epochs.append(epoch_of(going.pace, going.batches, going.restarts))
    kept, of_kept = _settled(looks), _settled(epochs)
    if len(set(of_kept)) > len(of_kept) // 2:  # each epoch has but one: from one to the next, then
        of_kept = [0] * len(kept)
    lasting = _slope_of([look.tree.anonymous for look in kept], kept, of_kept)
    return Growth(lasting=_with_shared(lasting, kept, of_kept), left_open=left_open(kept))


def _with_shared(anonymous: Slope, looks: Sequence[AtRest], epochs: Sequence[int] = ()) -> Slope:
    """With the growth of shared memory, where it is beyond doubt: batches under way vary."""
    shared = _slope_of([look.tree.shared for look in looks], looks, epochs)
    if not math.isfinite(shared.error) or shared.value <= 2 * shared.error:
        return anonymous
    return Slope(
        value=anonymous.value + shared.value, error=math.hypot(anonymous.error, shared.error)
    )


def _slope_of(used: Sequence[int], looks: Sequence[AtRest], epochs: Sequence[int] = ()) -> Slope:
    return slope(
        [
            Reading(epoch=epoch, samples=look.samples, used=each)
            for each, look, epoch in zip(used, looks, epochs or [0] * len(looks), strict=True)
        ]
    )


def _settled(looks: Sequence[T]) -> Sequence[T]:
    """Without the first ones, in which caches and heaps fill up."""
    return looks[max(1, int(_DISCARDED * len(looks))) :]


def left_open(looks: Sequence[AtRest]) -> tuple[str, ...]:
    """Files of which more are open in the second half than in the first, and at its end still."""
    first, middle, last = looks[0], looks[len(looks) // 2], looks[-1]
    before, between, after = (
        sum((each.files[pid] for pid in first.files if pid in last.files and pid in each.files),
            Counter[str]())
        for each in (first, middle, last)
    )  # fmt: skip
    more = {
        name: count - before[name]
        for name, count in after.items()
        if count > between[name] > before[name]
    }
    shown = sorted(more, key=lambda name: (-more[name], name))[:_FILES_SHOWN]
    return tuple(f"{name} ({more[name]} more)" for name in shown)


def epoch_of(pace: Plan, batches: int, restarts: int) -> int:
    """In which epoch a trial is after so many batches, and so many new epochs within steps.

    A step may also end where its epoch does: where the length of epochs is known, it tells.
    """
    if pace.epochs:  # whole ones are run, so that no point lies within one
        return 0
    if pace.epoch_batches is None:
        return restarts
    steady = pace.epoch_batches - 1 - pace.warmup - pace.drain
    return (batches - 1) // steady


def _step(pace: Plan, workers: int, slices: float) -> RunSlice:
    """What to run between two points: so many slices, and less where epochs are short."""
    if pace.epochs:
        return RunSlice(batches=0, epochs=max(1, round(slices * pace.epochs)))
    batches = round(slices * pace.batches)
    if pace.epoch_batches is not None:
        batches = min(batches, pace.epoch_batches // _IN_AN_EPOCH)
    return RunSlice(batches=max(batches, workers, 1))
