"""Sweeps as text: a table with bars, the memory model, and the batch size that serves best."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.units import format_duration, format_size, format_value
from ..stats.batch_size import Sweep
from .terminal import aligned

_BAR = 20  # characters
_BARS = (2, 5)  # columns


def lines(sweeps: Sequence[Sweep]) -> list[str]:
    """What there is to say of each test that was measured at several batch sizes."""
    found = [_lines(sweep) for sweep in sweeps]
    return [line for each in found for line in ("", *each)] + [""] * bool(found)


def _lines(sweep: Sweep) -> list[str]:
    points = sweep.points
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
    below = (*aligned(rows, left=_BARS), memory(sweep), best(sweep))
    return [f"{sweep.test}, by batch size", *(f"  {line}" for line in below)]


def _bar(value: float, highest: float) -> str:
    return "#" * round(_BAR * value / highest) if highest else ""


def memory(sweep: Sweep) -> str:
    """What the peaks of a sweep say of memory, and of what fits."""
    model = sweep.memory
    if model is None:
        low, *_, high = sorted(point.peak_memory for point in sweep.points)
        return (
            f"memory: {format_size(low)} to {format_size(high)}, too near to each other to tell "
            "what a sample adds"
        )
    fits = f"; up to {model.largest(sweep.limit):,} fit in {format_size(sweep.limit)}"
    return (
        f"memory: {format_size(model.fixed)}, and {format_size(model.per_sample)} for each sample "
        f"of a batch, as if there were {model.batches:.1f} batches at a time{fits}"
    )


def best(sweep: Sweep) -> str:
    """Which batch size serves best, and why."""
    choice = sweep.best
    if choice.batch_size is None:
        return f"best batch size: unknown; {choice.reason}"
    return f"best batch size: {choice.batch_size:,}, {choice.reason}"
