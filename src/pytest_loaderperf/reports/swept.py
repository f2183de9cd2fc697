"""Sweeps as text: a table with bars, the memory model, and the setting that serves best."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.parameters import described, titled, valued
from ..model.units import format_duration, format_size, format_value
from ..stats.sweeps import Point, Sweep
from .console.screen import aligned

_BAR = 20  # characters


def title(sweep: Sweep) -> str:
    """The test, and what it was measured by."""
    return f"{sweep.test}, by {titled(sweep.names)}"


def columns(sweep: Sweep) -> list[str]:
    """What the cells of a row are, without bars."""
    names = map(titled, ([name] for name in sweep.names))
    return [*names, "throughput", "first batch", "peak memory"]


def cells(point: Point) -> list[str]:
    """A row of a table."""
    return [
        *map(valued, point.values),
        format_value(point.throughput, "samples/s"),
        format_duration(point.first_batch),
        format_size(point.peak_memory),
    ]


def lines(sweeps: Sequence[Sweep]) -> list[str]:
    """What there is to say of each test that was measured with several settings."""
    found = [_lines(sweep) for sweep in sweeps]
    return [line for each in found for line in ("", *each)] + [""] * bool(found)


def _lines(sweep: Sweep) -> list[str]:
    points = sweep.points
    fastest = max(point.throughput for point in points)
    largest = max(point.peak_memory for point in points)
    bars = [("", "")] + [
        (_bar(point.throughput, fastest), _bar(point.peak_memory, largest)) for point in points
    ]
    rows = [
        (*row[:-2], speed, *row[-2:], size)
        for row, (speed, size) in zip([columns(sweep), *map(cells, points)], bars, strict=True)
    ]
    count = len(sweep.names)
    below = (*aligned(rows, left=(count + 1, count + 4)), memory(sweep), best(sweep))
    return [title(sweep), *(f"  {line}" for line in below)]


def _bar(value: float, highest: float) -> str:
    return "#" * round(_BAR * value / highest) if highest else ""


def memory(sweep: Sweep) -> str:
    """What the peaks of a sweep say of memory, and of what fits."""
    model = sweep.memory
    if model is None:
        low, *_, high = sorted(point.peak_memory for point in sweep.points)
        near = ", too near to each other to tell what a sample adds" if sweep.by_size else ""
        return f"memory: {format_size(low)} to {format_size(high)}{near}"
    fits = f"; up to {model.largest(sweep.limit):,} fit in {format_size(sweep.limit)}"
    return (
        f"memory: {format_size(model.fixed)}, and {format_size(model.per_sample)} for each sample "
        f"of a batch, as if there were {model.batches:.1f} batches at a time{fits}"
    )


def best(sweep: Sweep) -> str:
    """Which setting serves best, and why."""
    choice, what = sweep.best, "batch size" if sweep.by_size else "setting"
    if choice.parameters is None:
        return f"best {what}: unknown; {choice.reason}"
    values = map(valued, choice.parameters.values())
    label = next(values) if sweep.by_size else described(choice.parameters)
    return f"best {what}: {label}, {choice.reason}"
