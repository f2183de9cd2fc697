"""Measure the candidate by itself: to compare it with stored numbers, or with nothing yet."""

from __future__ import annotations

from ..baselines.store import Record
from ..measure import turns
from ..measure.timed_trial import TIMED, typical
from ..model.metrics import METRICS
from ..model.results import Verdict
from ..stats.comparison import compare_stored, uncompared
from . import extras
from .peaks import peak
from .state import Bench, Findings

_TRIALS = 4  # the fewest that can be judged
_STORED_ARMS = 3  # behind stored numbers


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


def show(bench: Bench, found: Findings, verdict: Verdict, message: str) -> None:
    """Measure once, without a comparison, to show the numbers."""
    _measure(bench, found, 1)
    values = typical(found.timings)
    values["peak_memory"] = found.survey.peak_memory
    found.message = message
    found.comparisons = {
        name: uncompared(name, value, verdict, judged=name in found.judged)
        for name, value in values.items()
    }
    extras.show(bench, found, verdict)


def repeat(bench: Bench, found: Findings) -> None:
    """Measure the candidate as a stored comparison does, in several arms, to store the numbers.

    All trials of an arm share its luck: how far arms lie apart is what another day will see.
    """
    found.timings, found.peaks, found.extras = [], [found.survey.peak_memory], {}
    while True:
        _measure(bench, found, len(found.timings) + 1)
        extras.add(bench, found)
        if len(found.timings) == _STORED_ARMS:
            return
        bench.start_anew()
        found.peaks.append(peak(bench, bench.candidate, found))


def _measure(bench: Bench, found: Findings, trials: int) -> None:
    while len(found.timings) < trials:
        bench.progress(f"trial {len(found.timings) + 1}")
        timing = turns.time_alone(bench.arm(), bench.spec.nodeid, found.plan)
        found.timings.append(timing)
