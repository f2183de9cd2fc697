"""Measure the candidate by itself: to compare it with stored numbers, or with nothing yet."""

from __future__ import annotations

from . import turns
from .baselines import Record
from .findings import Bench, Findings
from .judgement import compare_stored, uncompared
from .model import METRICS, Verdict
from .timing import TIMED, typical

_TRIALS = 4  # the fewest that can be judged


def judge(bench: Bench, record: Record, drift: float, found: Findings) -> None:
    """Compare all timed metrics with stored numbers: wide, since they come from another day."""
    _measure(bench, found, _TRIALS)
    for name in TIMED:
        found.comparisons[name] = compare_stored(
            METRICS[name],
            [timing.values[name] for timing in found.timings],
            record.metrics.get(name),
            bench.spec.settings.tolerances[name],
            bench.rule,
            judged=name in found.judged,
            drift=drift,
        )


def show(bench: Bench, found: Findings, verdict: Verdict, message: str, *, storing: bool) -> None:
    """Measure without a comparison: once to show the numbers, more often to store them."""
    _measure(bench, found, _TRIALS if storing else 1)
    values = typical(found.timings)
    values["peak_memory"] = found.survey.peak_memory
    found.message = message
    found.comparisons = {
        name: uncompared(name, values[name], verdict, judged=name in found.judged)
        for name in METRICS
    }


def _measure(bench: Bench, found: Findings, trials: int) -> None:
    while len(found.timings) < trials:
        bench.progress(f"trial {len(found.timings) + 1} of {trials}")
        timing = turns.time_alone(bench.arm(), bench.spec.nodeid, found.plan)
        found.timings.append(timing)
