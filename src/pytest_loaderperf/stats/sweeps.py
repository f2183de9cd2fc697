"""The checks of one test at several batch sizes, or other parameters: pure functions of results.

Generator batch size trades throughput against memory, and does not change what a model learns. So
the best one is the smallest that is fast enough. So it is with workers and what they fetch ahead:
the best setting is the one that takes the least memory of those that are fast enough.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..model.parameters import BATCH_SIZE, Parameter, batch_size_among, described
from ..model.results import CheckResult, Verdict
from ..model.units import format_percent
from .sequential import quantile

# A setting is fast enough if it is not shown to be further than this from the fastest one.
NEAR = 0.05
_SURE = 0.95
_SCATTER = 0.02  # of a peak: what two trials at the same size may differ by


@dataclass(frozen=True, kw_only=True)
class Point:
    """A test with one setting of its ``parameters``, by name; sizes in bytes.

    Its throughput comes from so many ``pairs`` with the first setting, ``spread`` is that of the
    logarithms of their ratios. The first one has none, and is known exactly: only ratios count.
    """

    parameters: Mapping[str, Parameter]
    throughput: float  # samples/s
    spread: float
    pairs: int
    first_batch: float  # s
    peak_memory: float
    bytes_per_sample: float
    beside: bool  # whether it was compared with the first one side by side, in a sweep

    @property
    def values(self) -> tuple[Parameter, ...]:
        """Those of its parameters, in order."""
        return (*self.parameters.values(),)


@dataclass(frozen=True, kw_only=True)
class MemoryModel:
    """Peak memory as a straight line: what the process takes, and what each sample adds."""

    fixed: float  # bytes
    per_sample: float  # bytes, for one more sample in a batch
    batches: float  # that would explain it: those in flight, and what is made on the way

    def peak(self, batch_size: int) -> float:
        """The peak that a batch size will have, in bytes."""
        return self.fixed + self.per_sample * batch_size

    def largest(self, limit: float) -> int:
        """The largest batch size that fits in so many bytes."""
        return max(0, int((limit - self.fixed) / self.per_sample))


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The setting that serves best, None where that cannot be said; and why."""

    parameters: Mapping[str, Parameter] | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A test that was measured with several settings, by their values, and what that says.

    ``limit`` is the memory that a loader may use (bytes).
    """

    test: str
    points: Sequence[Point]
    limit: float
    memory: MemoryModel | None
    best: Choice

    @property
    def names(self) -> list[str]:
        """The parameters by which its points differ."""
        return [*self.points[0].parameters]

    @property
    def by_size(self) -> bool:
        """Whether they differ by batch size alone."""
        return self.names == [BATCH_SIZE]


def sweeps(results: Sequence[CheckResult], limit: float) -> list[Sweep]:
    """The tests that were measured with two settings or more."""
    found: dict[str, list[Point]] = {}
    for result in results:
        if not result.sweep or not result.parameters or "throughput" not in result.metrics:
            continue
        speed = result.metrics["throughput"]
        found.setdefault(result.sweep, []).append(
            Point(
                parameters=result.parameters,
                throughput=speed.value,
                spread=speed.spread,
                pairs=speed.pairs,
                first_batch=result.metrics["first_batch"].value,
                peak_memory=result.metrics["peak_memory"].value,
                bytes_per_sample=result.workload.bytes_per_sample if result.workload else 0.0,
                beside=speed.verdict is Verdict.MEASURED,
            )
        )
    return [
        Sweep(
            test=test,
            points=points,
            limit=limit,
            memory=memory_model(points),
            best=choose(points, limit),
        )
        for test, several in found.items()
        if len(points := _in_order(several)) > 1
    ]


def _in_order(points: Sequence[Point]) -> Sequence[Point]:
    """Numbers by their size, after None; words as they came."""
    if any(isinstance(value, str) for point in points for value in point.values):
        return points
    return sorted(
        points, key=lambda point: [(value is not None, value or 0) for value in point.values]
    )


def memory_model(points: Sequence[Point]) -> MemoryModel | None:
    """The line through the peaks (two of them at least) that misses them least, relative to them.

    Relative, since the error of a peak grows with it. None where it rises by less than peaks
    scatter: what it says of other batch sizes would be chance. None also where points differ by
    anything else.
    """
    import numpy as np  # noqa: PLC0415  (here: an arm needs none)

    alone = (each.parameters for each in points if [*each.parameters] == [BATCH_SIZE])
    sizes = [float(size) for each in alone if (size := batch_size_among(each)) is not None]
    if len(sizes) < len(points):
        return None
    peaks = [point.peak_memory for point in points]
    weights = [1 / max(peak, 1.0) for peak in peaks]
    slope, start = map(float, np.polyfit(sizes, peaks, 1, w=weights))
    if slope * (max(sizes) - min(sizes)) <= _SCATTER * max(peaks):
        return None
    sample = max(point.bytes_per_sample for point in points)
    return MemoryModel(
        fixed=max(0.0, start), per_sample=slope, batches=slope / sample if sample else 0.0
    )


def choose(points: Sequence[Point], limit: float) -> Choice:
    """The smallest batch size that is fast enough and keeps to a limit of memory (bytes).

    Of other parameters the setting that takes the least memory. What noise may have done is taken
    out: a setting is left out only if it is shown to be too slow.
    """
    by_size = all([*point.parameters] == [BATCH_SIZE] for point in points)
    settings = "sizes" if by_size else "settings"
    if not all(point.beside for point in points):
        return Choice(
            parameters=None,
            reason=f"{settings} were not compared side by side; pytest --loaderperf-sweep does",
        )
    fitting = [point for point in points if point.peak_memory <= limit]
    if not fitting:
        return Choice(parameters=None, reason=f"none of the {settings} keeps to the memory limit")
    best = max(fitting, key=lambda point: point.throughput)
    freedom = sum(max(0, point.pairs - 1) for point in points)
    if not freedom:
        return Choice(parameters=None, reason="too few pairs were measured to tell")
    # Pairs are taken to scatter alike at all sizes.
    squares = sum(max(0, point.pairs - 1) * point.spread**2 for point in points)
    scatter = quantile(_SURE, freedom) * math.sqrt(squares / freedom)

    def doubt(point: Point) -> float:
        """How much of a ratio to the best one noise may have made."""
        if point is best:
            return 0.0
        return scatter * math.sqrt(sum(1 / each.pairs for each in (point, best) if each.pairs))

    widest = max(map(doubt, fitting))
    if widest > math.log(1 + NEAR):
        return Choice(
            parameters=None,
            reason=f"throughputs are only known within {100 * math.expm1(widest):.0f} %: the "
            "machine is too noisy to choose",
        )
    cheapest = fitting if by_size else sorted(fitting, key=lambda point: point.peak_memory)
    chosen = next(
        point
        for point in cheapest
        if math.log(point.throughput / best.throughput) + doubt(point) >= math.log(1 - NEAR)
    )
    left_out = "" if len(fitting) == len(points) else " of those that keep to the memory limit"
    if chosen is best:
        return Choice(parameters=chosen.parameters, reason=f"it is the fastest{left_out}")
    which = "the smallest" if by_size else "it takes the least memory of those"
    fastest = best.parameters[BATCH_SIZE] if by_size else described(best.parameters)
    return Choice(
        parameters=chosen.parameters,
        reason=f"{which} that {'is' if by_size else 'are'} not shown to be more than "
        f"{format_percent(NEAR)} slower than the fastest{left_out}, {fastest}",
    )
