"""Sweeps as text: a table with bars, the memory model, and the batch size that serves best."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.results import CheckResult
from ..model.units import format_duration, format_size, format_value
from ..stats.batch_size import Point, choose, memory_model, sweeps
from .terminal import aligned

_BAR = 20  # characters
_BARS = (2, 5)  # columns


def lines(results: Sequence[CheckResult], limit: float) -> list[str]:
    """What there is to say of each test that was measured at several batch sizes.

    ``limit`` is the memory that a loader may use, in bytes.
    """
    found = [_sweep(test, points, limit) for test, points in sweeps(results).items()]
    return [line for sweep in found for line in ("", *sweep)] + [""] * bool(found)


def _sweep(test: str, points: Sequence[Point], limit: float) -> list[str]:
    fastest = max(point.throughput for point in points)
    largest = max(point.peak_memory for point in points)
    rows = [("batch size", "throughput", "", "first batch", "peak memory", "")] + [
        (
            f"{point.batch_size:,}",
            format_value(point.throughput, "samples/s"),
            _bar(point.throughput, fastest),
            format_duration(point.first_batch),
            format_size(point.peak_memory),
            _bar(point.peak_memory, largest),
        )
        for point in points
    ]
    below = (*aligned(rows, left=_BARS), memory(points, limit), best(points, limit))
    return [f"{test}, by batch size", *(f"  {line}" for line in below)]


def _bar(value: float, highest: float) -> str:
    return "#" * round(_BAR * value / highest) if highest else ""


def memory(points: Sequence[Point], limit: float) -> str:
    """What the peaks of a sweep say of memory, and of what fits."""
    model = memory_model(points)
    if model is None:
        low, *_, high = sorted(point.peak_memory for point in points)
        return (
            f"memory: {format_size(low)} to {format_size(high)}, too near to each other to tell "
            "what a sample adds"
        )
    fits = f"; up to {model.largest(limit):,} fit in {format_size(limit)}"
    return (
        f"memory: {format_size(model.fixed)}, and {format_size(model.per_sample)} for each sample "
        f"of a batch, as if there were {model.batches:.1f} batches at a time{fits}"
    )


def best(points: Sequence[Point], limit: float) -> str:
    """Which batch size serves best, and why."""
    choice = choose(points, limit)
    if choice.batch_size is None:
        return f"best batch size: unknown; {choice.reason}"
    return f"best batch size: {choice.batch_size:,}, {choice.reason}"
