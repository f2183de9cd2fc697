"""Judge peak memory: with a stored number where that will do, else side by side."""

from __future__ import annotations

import time
from dataclasses import replace

from . import measure
from .baselines import Record
from .decision import Within
from .findings import Bench, Findings
from .judgement import compare, compare_stored, glance
from .launch import Version
from .model import METRICS, Comparison, Verdict

_METRIC = METRICS["peak_memory"]
# The fewest: pipelines that tune themselves can peak at one of two heights, and it is no rare thing
# that two pairs differ in the same way. They may show that nothing has grown, and confirm.
_TRIALS = 4
_FEW_TRIALS = 2
_TRIALS_AT_MOST = 8  # memory repeats well: what eight pairs leave open, more would too
# A pair is taken to scatter by the luck of its processes, until there are pairs enough to tell.
_FORETOLD = Within(variance=0.0, freedom=5)


def judge(bench: Bench, version: Version | None, record: Record | None, found: Findings) -> None:
    """Fill in the comparison of peak memory.

    The peak of a loader depends little on how busy its machine is, so that one look at the stored
    number settles it for most checks: where machine class and versions match, and it did not move.
    """
    comparison = None
    if record is not None:
        comparison = _glance(bench, record, found)
    if comparison is None and version is not None:
        comparison = _side_by_side(bench, version, found, found.peaks)
        if comparison.judged and comparison.verdict is Verdict.REGRESSED:
            comparison = _confirmed(bench, version, found, comparison)
    if comparison is None:
        comparison = _with_stored(bench, record, found)
    found.comparisons[_METRIC.name] = comparison


def _glance(bench: Bench, record: Record, found: Findings) -> Comparison | None:
    stored = record.metrics.get(_METRIC.name)
    if stored is None or record.versions != bench.versions:
        return None
    tolerance = bench.spec.settings.tolerances[_METRIC.name]
    judged = _METRIC.name in found.judged
    return glance(_METRIC, found.survey.peak_memory, stored, tolerance, judged=judged)


def _side_by_side(
    bench: Bench,
    version: Version,
    found: Findings,
    candidate: list[float],
    label: str = "",
    fewest: int = _TRIALS,
) -> Comparison:
    """Compare pairs of peaks, beginning with those of the candidate that there are.

    A regression takes the fewest pairs at least.
    """
    baseline: list[float] = []
    judged = _METRIC.name in found.judged
    while True:
        bench.progress(f"{label}memory, pair {len(baseline) + 1}")
        if len(candidate) == len(baseline):
            candidate.append(peak(bench, bench.candidate, found))
        baseline.append(peak(bench, version, found))
        comparison = compare(
            _METRIC,
            candidate[: len(baseline)],
            baseline,
            bench.spec.settings.tolerances[_METRIC.name],
            bench.rule,
            judged=judged,
            source=version.name,
            within=_FORETOLD,
        )
        late = time.monotonic() > found.deadline
        if comparison.verdict is Verdict.REGRESSED:
            enough = fewest
        elif comparison.verdict is Verdict.INCONCLUSIVE:
            enough = _TRIALS if late else _TRIALS_AT_MOST
        else:
            enough = _FEW_TRIALS
        if len(baseline) >= enough or not judged:  # one pair shows what nobody judges
            return comparison


def _confirmed(
    bench: Bench, version: Version, found: Findings, regressed: Comparison
) -> Comparison:
    """A regression as it is, if fresh processes repeat it; else it is not sure."""
    bench.start_anew(version)
    again = _side_by_side(bench, version, found, [], "confirming, ", _FEW_TRIALS)
    if again.verdict is Verdict.REGRESSED:
        return regressed
    found.doubt(_METRIC.name, regressed.pairs, again.pairs)
    return replace(regressed, verdict=Verdict.INCONCLUSIVE)


def _with_stored(bench: Bench, record: Record | None, found: Findings) -> Comparison:
    while len(found.peaks) < _TRIALS:
        found.peaks.append(peak(bench, bench.candidate, found))
    comparison = compare_stored(
        _METRIC,
        found.peaks,
        record.metrics.get(_METRIC.name) if record else None,
        bench.spec.settings.tolerances[_METRIC.name],
        bench.rule,
        judged=_METRIC.name in found.judged,
        drift=0.0,
    )
    return replace(comparison, pairs=0)


def peak(bench: Bench, version: Version, found: Findings) -> float:
    """The peak of a version in one more trial, as long as the survey's."""
    return measure.survey(bench.arm(version), bench.spec.nodeid, found.survey).peak_memory
