"""What the charts of the page are drawn from, by assets/report.js."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...baselines.history import History
from ...model.metrics import METRICS
from ...model.parameters import Parameter, titled, valued
from ...model.results import CheckResult, Comparison
from ...model.units import round_significant
from ...stats.sweeps import Point, Sweep
from ..accepted import METRICS_SHOWN
from .details import UNITS, drawn
from .forest import ForestRow, span

_SAMPLES = 200  # more would show no more of a chart's line


def of_rows(rows: Sequence[ForestRow]) -> list[dict[str, object]]:
    """What each row of the forest plot shows: shares of the baseline, below 0 what is worse."""
    return [_row(row.decides) for row in rows]


def _row(comparison: Comparison | None) -> dict[str, object]:
    if comparison is None or comparison.ratio is None or not math.isfinite(comparison.ratio):
        return {}
    bounds = span(comparison)
    return {
        "change": round_significant(-METRICS[comparison.metric].loss(comparison.ratio)),
        # JSON has no infinity: an interval without end is left out.
        "interval": bounds and [round_significant(-end) for end in reversed(bounds)],
        "tolerance": round_significant(comparison.tolerance or 0.0),
    }


def of_check(result: CheckResult, past: History) -> dict[str, object]:
    step = math.ceil(len(result.memory) / _SAMPLES) or 1
    peak = result.metrics.get("peak_memory")
    return {
        "pairs": {each.metric: _pairs_data(each) for each in drawn(result)},
        "memory": [
            {
                "seconds": round(sample.seconds, 3),
                "added": sample.added,
                "processes": sample.processes,
            }
            for sample in result.memory[::step]
        ],
        "peak": peak.value if peak else None,
        "why": {
            name: {
                "unit": UNITS[name],
                "stacks": [
                    (
                        each.calls,
                        round_significant(each.candidate),
                        round_significant(each.baseline),
                    )
                    for each in why.stacks
                ],
            }
            for name, why in result.why.items()
        },
        "history": [
            {
                "machine": machine,
                "commit": each.commit.hash[:10],
                "day": each.commit.day,
                **{
                    name: each.record.metrics[name].value
                    for name in METRICS_SHOWN
                    if name in each.record.metrics
                },
            }
            for machine, accepted in past.items()
            for each in accepted
        ],
    }


def _pairs_data(comparison: Comparison) -> dict[str, object]:
    better = METRICS[comparison.metric].better_ratio
    tolerance = comparison.tolerance or 0.0
    return {
        "ratios": [round_significant(ratio, 6) for ratio in comparison.ratios],
        "ratio": comparison.ratio,
        "interval": span(comparison) and comparison.interval,
        "limit": 1 - tolerance if better == "higher" else 1 + tolerance,
        "better": better,
    }


def _drawn_at(sweep: Sweep, point: Point) -> Parameter:
    return point.values[0] if sweep.by_size else ", ".join(map(valued, point.values))


def of_sweep(sweep: Sweep) -> dict[str, object]:
    return {
        "points": [
            {
                "setting": _drawn_at(sweep, point),
                "throughput": point.throughput,
                "peak_memory": point.peak_memory,
                "best": point.parameters == sweep.best.parameters,
            }
            for point in sweep.points
        ],
        "label": titled(sweep.names),
        "limit": sweep.limit,
    }
