"""How fast the private memory of a loader grows: leaks, caches, copy-on-write in its workers.

Measured only where it is asked for, in trials of its own: some seconds of batches, in which the
loader is let come to rest again and again, and its memory is read. Batches under way would else
make it look now larger, now smaller. What grows from epoch to epoch is a leak; what workers take
that live for one epoch, such as copies of pages that they share, grows within each.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ..model.metrics import METRICS
from ..model.units import format_value
from ..protocol.messages import Open, Opened, RunSlice, Slice
from ..supervisor.arm import Arm
from ..system.smaps import used_by_tree
from . import calibration
from .plan import SLICE_SECONDS, Plan

_METRIC = METRICS["memory_growth"]
_SAMPLES = 1000  # for which growth is told
_STEPS = 16  # points at which memory is read
_IN_AN_EPOCH = 4  # points at least, if an epoch is long enough for that
_DISCARDED = 0.25  # of the points, in which caches and heaps fill up
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


def growth(arm: Arm, nodeid: str, plan: Plan, seconds: float) -> Slope:
    """How fast memory grows in one more trial, over so many seconds of batches."""
    return slope(readings(arm, nodeid, plan, seconds))


def readings(arm: Arm, nodeid: str, pace: Plan, seconds: float) -> list[Reading]:
    """The memory of a loader in a trial of its own, over so many seconds of batches."""
    taken: list[Reading] = []
    restarts = batches = samples = 0
    with arm.begun(nodeid) as (trial, loader):
        trial.ask(
            Open(warmup=pace.warmup, drain=pace.drain, epoch_batches=pace.epoch_batches), Opened
        )
        step = _step(pace, loader.workers, seconds / _STEPS / SLICE_SECONDS)
        for _ in range(_STEPS):
            result = trial.ask(step, Slice)
            calibration.rest(trial.pid, _LONGEST_REST)
            restarts += len(result.stretches) - 1
            batches, samples = batches + result.batches, samples + result.samples
            used = used_by_tree(arm.memory_root).anonymous
            taken.append(
                Reading(epoch=epoch_of(pace, batches, restarts), samples=samples, used=used)
            )
    return taken[int(_DISCARDED * _STEPS) :]


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
