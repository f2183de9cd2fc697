"""Metrics that are measured only where somebody asks for them, in trials of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ..baselines.store import Record
from ..measure import epochs, memory_growth
from ..model.metrics import METRICS
from ..model.results import Verdict
from ..model.version import Version
from ..stats.comparison import uncompared
from .repeats import Quantity, beside, with_stored
from .state import Bench, Findings

# What one more trial of a version gives for each.
MEASURED: Mapping[str, Callable[[Bench, Findings, Version], float]] = {
    "memory_growth": memory_growth.grown,
    "epoch_overhead": epochs.overhead,
    "stall": epochs.share,
}


def judge(bench: Bench, version: Version | None, record: Record | None, found: Findings) -> None:
    """Fill in the comparison of each that somebody wants."""
    for name in _wanted(found):
        quantity = Quantity(metric=METRICS[name], measure=partial(MEASURED[name], bench, found))
        if version is not None:
            comparison = beside(bench, version, found, quantity, found.extras[name])
        else:
            stored = record.metrics.get(name) if record else None
            comparison = with_stored(bench, stored, found, quantity, found.extras[name])
        found.comparisons[name] = comparison


def show(bench: Bench, found: Findings, verdict: Verdict) -> None:
    """Measure each that somebody wants once, without a comparison."""
    add(bench, found)
    for name in _wanted(found):
        value = found.extras[name][0]
        found.comparisons[name] = uncompared(name, value, verdict, judged=name in found.judged)


def add(bench: Bench, found: Findings) -> None:
    """Measure the candidate once more for each that somebody wants."""
    for name in _wanted(found):
        found.extras[name].append(MEASURED[name](bench, found, bench.candidate))


def _wanted(found: Findings) -> list[str]:
    names = [name for name in MEASURED if name in found.wanted]
    for name in names:
        found.extras.setdefault(name, [])
    return names
