"""Results as one HTML file that needs nothing else: tables that all can read, and charts.

The text is made here; the charts are drawn by the reader's browser, from the numbers that the page
carries along (assets/report.js).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib import resources

from ..baselines.history import History
from ..model.metrics import METRICS
from ..model.parameters import Parameter, titled, valued
from ..model.results import CheckResult, Comparison, MemorySample, Run, Why
from ..model.units import (
    format_duration,
    format_percent,
    format_size,
    format_value,
    round_significant,
)
from ..stats.sweeps import Point, Sweep
from . import explain, swept, terminal, variants
from .accepted import METRICS_SHOWN, history_rows

_CALLS = 12
_UNITS = {"time": "ms", "memory": "MiB"}
_WHERE = {"time": "Where the time of a sample goes", "memory": "What holds memory at its peak"}
_SAMPLES = 200  # more would show no more of a chart's line


def render(run: Run, sweeps: Sequence[Sweep], histories: Mapping[str, History]) -> str:
    """The page; ``histories`` are those of the checks, by node id."""
    # Here, since only few runs ask for a page.
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

    checks = [_check(result, histories.get(result.nodeid, {})) for result in run.results]
    data = {
        "checks": [_check_data(result, histories.get(result.nodeid, {})) for result in run.results],
        "sweeps": [_sweep_data(sweep) for sweep in sweeps],
    }
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        _asset("report.html")
    )
    return template.render(
        headline=terminal.headline(run.results, run.problems),
        summary=terminal.summary(run.results),
        run=run,
        checks=checks,
        sweeps=[_sweep(sweep) for sweep in sweeps],
        remarks=[*run.problems, *terminal.below(run.results)],
        variants=variants.COLUMNS,
        data=data,
        style=_asset("report.css"),
        scripts=[_asset(name) for name in ("d3.min.js", "plot.umd.min.js", "report.js")],
    )


def _asset(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text("utf-8")


# --- what the template shows of a check


def _check(result: CheckResult, past: History) -> dict[str, object]:
    speed, memory = result.metrics.get("throughput"), result.metrics.get("peak_memory")
    failed = result.outcome == "failed"
    return {
        "nodeid": result.nodeid,
        "mark": terminal.mark(result.verdict),
        "verdict": result.verdict.value,
        "verdict_cell": terminal.verdict_cell(result),
        "throughput": terminal.value_cell(speed),
        "ratio": terminal.ratio_cell(speed),
        "memory": terminal.value_cell(memory),
        "memory_ratio": terminal.ratio_cell(memory),
        "open": failed,
        "explanation": "\n".join(explain.failure(result)) if failed else result.message,
        "facts": _facts(result),
        "metrics": [_metric(comparison) for comparison in result.metrics.values()],
        "variants": variants.rows(result),
        "variants_title": variants.title(result) if result.variants else "",
        "pairs": [_pairs(comparison) for comparison in _drawn(result)],
        "memory_words": _memory(result.memory),
        "history": [
            {"machine": machine, "rows": history_rows(accepted)}
            for machine, accepted in past.items()
        ],
        "moved": any(len(accepted) > 1 for accepted in past.values()),
        "notes": [
            *result.notes,
            *explain.packages_that_differ(result),
            *explain.ranks(result),
            *explain.blame(result),
        ],
        "why": [
            {"name": name, "title": _WHERE[name], "rows": _calls(why, _UNITS[name])}
            for name, why in result.why.items()
        ],
    }


def _drawn(result: CheckResult) -> list[Comparison]:
    """The comparisons of which the pairs are drawn."""
    return [c for c in result.metrics.values() if c.judged and len(c.ratios) > 1]


def _facts(result: CheckResult) -> list[tuple[str, str]]:
    facts = [("seconds", f"{result.seconds:.0f}")]
    if result.pairs:
        facts.insert(0, ("pairs", str(result.pairs)))
    if result.loader:
        facts.append(("loader", result.loader))
    facts += [(name, str(value)) for name, value in result.settings.items()]
    if result.workload:
        facts.append(("batch", result.workload.batch))
        if result.workload.samples_per_epoch is not None:
            facts.append(("samples per epoch", f"{result.workload.samples_per_epoch:,}"))
    if result.memory_source:
        facts.append(("memory from", result.memory_source))
    return facts


def _metric(comparison: Comparison) -> tuple[str, ...]:
    unit = METRICS[comparison.metric].unit
    return (
        _named(comparison.metric),
        format_value(comparison.value, unit),
        "-" if comparison.baseline is None else format_value(comparison.baseline, unit),
        terminal.ratio_cell(comparison),
        "-" if comparison.tolerance is None else format_percent(comparison.tolerance),
        comparison.verdict.value if comparison.judged else "not judged",
        comparison.source or "-",
    )


def _pairs(comparison: Comparison) -> dict[str, str]:
    return {
        "metric": comparison.metric,
        "title": f"{_named(comparison.metric)}: candidate / baseline, pair by pair",
        "words": ", ".join(f"{ratio:.3f}" for ratio in comparison.ratios),
    }


def _memory(samples: Sequence[MemorySample]) -> str:
    """What the chart of memory shows, in words."""
    if not samples:
        return ""
    highest = max(samples, key=lambda sample: sample.added)
    parts = ", ".join(f"{name} {format_size(used)}" for name, used in highest.processes.items())
    return (
        f"At the highest sample, {format_duration(highest.seconds)} after the start, the loader "
        f"had added {format_size(highest.added)}; processes, with their shares of common pages: "
        f"{parts or 'none'}."
    )


def _calls(why: Why, unit: str) -> list[tuple[str, ...]]:
    """What differs the most by itself."""
    stacks = sorted(why.stacks, key=lambda s: -abs(s.candidate - s.baseline))
    return [
        (
            stack.calls[-1],
            f"{stack.candidate:.3f} {unit}",
            f"{stack.baseline:.3f} {unit}",
            f"{stack.candidate - stack.baseline:+.3f} {unit}",
            ", ".join(reversed(stack.calls[:-1])),
        )
        for stack in stacks[:_CALLS]
    ]


def _sweep(sweep: Sweep) -> dict[str, object]:
    return {
        "title": swept.title(sweep),
        "columns": swept.columns(sweep),
        "rows": [swept.cells(point) for point in sweep.points],
        "words": [swept.memory(sweep), swept.best(sweep)],
    }


def _named(metric: str) -> str:
    return metric.replace("_", " ")


# --- what the charts are drawn from


def _check_data(result: CheckResult, past: History) -> dict[str, object]:
    step = math.ceil(len(result.memory) / _SAMPLES) or 1
    peak = result.metrics.get("peak_memory")
    return {
        "pairs": {each.metric: _pairs_data(each) for each in _drawn(result)},
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
                "unit": _UNITS[name],
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
    bounds = comparison.interval or (math.nan, math.nan)
    return {
        "ratios": [round_significant(ratio, 6) for ratio in comparison.ratios],
        "ratio": comparison.ratio,
        # JSON has no infinity: an interval without end is left out.
        "interval": bounds if all(map(math.isfinite, bounds)) else None,
        "limit": 1 - tolerance if better == "higher" else 1 + tolerance,
        "better": better,
    }


def _drawn_at(sweep: Sweep, point: Point) -> Parameter:
    return point.values[0] if sweep.by_size else ", ".join(map(valued, point.values))


def _sweep_data(sweep: Sweep) -> dict[str, object]:
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
