"""What the page tells of a check below its row, and of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from ...baselines.history import History
from ...model.metrics import METRICS
from ...model.results import CheckResult, Comparison, MemorySample, Why
from ...model.units import format_duration, format_percent, format_size, format_value
from ...stats.sweeps import Sweep
from .. import explain, swept, terminal, variants
from ..accepted import history_rows

_CALLS = 12
UNITS = {"time": "ms", "first_batch": "ms", "memory": "MiB", "copies": "MiB"}
_WHERE = {
    "time": "Where the time of a sample goes",
    "first_batch": "Where the time of the first batch goes",
    "memory": "What holds memory at its peak",
    "copies": "What copies memory that processes share",
}


def of_check(result: CheckResult, past: History) -> dict[str, object]:
    failed = result.outcome == "failed"
    return {
        "nodeid": result.nodeid,
        "verdict_cell": terminal.verdict_cell(result),
        "open": failed,
        "explanation": "\n".join(explain.failure(result)) if failed else result.message,
        "facts": _facts(result),
        "metrics": [_metric(comparison) for comparison in result.metrics.values()],
        "variants": variants.rows(result),
        "variants_title": variants.title(result) if result.variants else "",
        "pairs": [_pairs(comparison) for comparison in drawn(result)],
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
            {"name": name, "title": _WHERE[name], "rows": _calls(why, UNITS[name])}
            for name, why in result.why.items()
        ],
    }


def drawn(result: CheckResult) -> list[Comparison]:
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


def of_sweep(sweep: Sweep) -> dict[str, object]:
    return {
        "title": swept.title(sweep),
        "columns": swept.columns(sweep),
        "rows": [swept.cells(point) for point in sweep.points],
        "words": [swept.memory(sweep), swept.best(sweep)],
    }


def _named(metric: str) -> str:
    return metric.replace("_", " ")
