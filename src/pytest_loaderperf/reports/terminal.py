"""Results as text and JSON: pure functions that return lines or values; the plugin writes them."""

from __future__ import annotations

import math
import shlex
import statistics
from collections import Counter
from collections.abc import Callable, Sequence

from ..model.results import (
    METRICS,
    STORED,
    CheckResult,
    Comparison,
    Metric,
    Noise,
    Run,
    Verdict,
    worst,
)
from ..model.units import format_percent, format_value, round_significant
from ..stats import batch_size

SCHEMA = 1

_COLUMNS = (
    "", "throughput", "baseline", "ratio [95 %]", "peak memory", "baseline", "first batch",
    "pairs", "seconds", "verdict",
)  # fmt: skip
_FAILED = "❌"
_MARKS = {
    Verdict.UNCHANGED: "✅",
    Verdict.IMPROVED: "🚀",
    Verdict.INCONCLUSIVE: "❔",
    Verdict.MEASURED: "📏",
}
_TITLES = {
    Verdict.REGRESSED: "Loaders got worse",
    Verdict.INCOMPARABLE: "A loader cannot be compared with its baseline",
    Verdict.NO_BASELINE: "A loader has no baseline",
    Verdict.ERROR: "A loader could not be measured",
    Verdict.INCONCLUSIVE: "Nothing was proven about some loaders",
    Verdict.IMPROVED: "Loaders got better",
    Verdict.UNCHANGED: "No loader got worse",
    Verdict.MEASURED: "Loaders were measured",
}


def headline(results: Sequence[CheckResult]) -> str:
    """A run in a few words, its worst verdict first.

    One in which nothing was measured has proven nothing.
    """
    if not results:
        return f"{_FAILED} No loader was measured"
    verdict = worst([result.verdict for result in results])
    failed = any(result.outcome == "failed" for result in results)
    if failed and verdict is Verdict.INCONCLUSIVE:  # of a strict run
        return f"{_FAILED} {_TITLES[verdict]}"
    if failed and not verdict.fails:  # by a budget, say
        return f"{_FAILED} A test failed, although no loader got worse"
    return f"{mark(verdict)} {_TITLES[verdict]}"


def mark(verdict: Verdict) -> str:
    """A verdict as one character."""
    return _MARKS.get(verdict, _FAILED)


def _plain(text: str, _: Verdict) -> str:
    return text


def table(
    results: Sequence[CheckResult], paint: Callable[[str, Verdict], str] = _plain
) -> list[str]:
    """One row for each check, below a row for its module; ``paint`` colours its verdict."""
    rows: list[Sequence[str]] = [_COLUMNS]
    of_rows: list[CheckResult | None] = [None]
    module = ""
    for result in results:
        here, _, name = result.nodeid.partition("::")
        if here != module:
            module = here
            rows.append((module,))
            of_rows.append(None)
        rows.append((f"  {name}", *_cells(result)))
        of_rows.append(result)
    return [
        line if result is None else _painted(line, result, paint)
        for line, result in zip(aligned(rows, left=(0, 3, 9)), of_rows, strict=True)
    ]


def _painted(line: str, result: CheckResult, paint: Callable[[str, Verdict], str]) -> str:
    cell = verdict_cell(result)  # the last of its row
    return line.removesuffix(cell) + paint(cell, result.verdict)


def aligned(rows: Sequence[Sequence[str]], left: Sequence[int]) -> list[str]:
    """Rows of cells in columns, some of them to the left; a row of one cell runs across."""
    columns = range(len(rows[0]))
    widths = [max(len(row[i]) for row in rows if len(row) > 1) for i in columns]
    return [
        row[0] if len(row) == 1 else "  ".join(
            row[i].ljust(widths[i]) if i in left else row[i].rjust(widths[i]) for i in columns
        ).rstrip()
        for row in rows
    ]  # fmt: skip


def _cells(result: CheckResult) -> list[str]:
    speed, memory = result.metrics.get("throughput"), result.metrics.get("peak_memory")
    first = result.metrics.get("first_batch")
    return [
        value_cell(speed),
        _baseline(speed),
        ratio_cell(speed),
        value_cell(memory),
        _baseline(memory),
        value_cell(first),
        str(result.pairs) if result.pairs else "-",
        f"{result.seconds:.0f}",
        verdict_cell(result),
    ]


def value_cell(comparison: Comparison | None) -> str:
    """What a table says of a metric's value."""
    if comparison is None:
        return "-"
    return format_value(comparison.value, METRICS[comparison.metric].unit)


def _baseline(comparison: Comparison | None) -> str:
    if comparison is None or comparison.baseline is None:
        return "-"
    return format_value(comparison.baseline, METRICS[comparison.metric].unit)


def ratio_cell(comparison: Comparison | None) -> str:
    """What a table says of the ratio to the baseline: with its interval, if that is known."""
    if comparison is None or comparison.ratio is None:
        return "-"
    low, high = comparison.interval or (0.0, math.inf)
    if high == math.inf:  # unknown, as after a single pair
        return f"{comparison.ratio:.3f}"
    return f"{comparison.ratio:.3f} [{low:.3f}, {high:.3f}]"


def verdict_cell(result: CheckResult) -> str:
    """What a table says of a verdict: with the metrics that it comes from."""
    culprits = [
        name for name, c in result.metrics.items() if c.judged and c.verdict is result.verdict
    ]
    named = result.verdict in (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.INCONCLUSIVE)
    return f"{result.verdict} ({', '.join(culprits)})" if named and culprits else result.verdict


def explain(result: CheckResult, asked: Comparison | None = None) -> list[str]:
    """Why a check fails: the metric asked for first, then all others that fail, then what to do."""
    failing = [c for c in result.metrics.values() if c.judged and c.verdict.fails and c != asked]
    if asked is not None and asked.verdict.fails:
        failing.insert(0, asked)
    regressed = [c for c in failing if c.verdict is Verdict.REGRESSED]
    lines = [line for comparison in regressed for line in describe(comparison)]
    if result.message.strip():
        lines += result.message.splitlines()
    if result.verdict is Verdict.INCONCLUSIVE:
        lines.append(warning(result))
    command = f"pytest {shlex.quote(result.nodeid)} --loaderperf-update"
    if regressed or result.verdict is Verdict.INCOMPARABLE:
        lines.append(f"To accept it: {command}, then commit baselines/")
    elif result.verdict is Verdict.NO_BASELINE:
        lines.append(f"To add one: {command}, then commit baselines/")
    return lines or [f"{result.nodeid}: {result.verdict}"]


def failure(result: CheckResult) -> list[str]:
    """Why a check failed: its verdict, or an assertion of the test, of which pytest tells."""
    if result.verdict.fails or result.verdict is Verdict.INCONCLUSIVE:
        return explain(result)
    return ["An assertion of the test failed."]


def describe(comparison: Comparison) -> list[str]:
    """One judged metric in full: value, baseline, ratio, interval, tolerance, pairs."""
    metric = METRICS[comparison.metric]
    value = format_value(comparison.value, metric.unit)
    if comparison.baseline is None:
        return [f"{metric.name} {comparison.verdict}: {value}, no baseline"]
    baseline = format_value(comparison.baseline, metric.unit)
    lines = [
        f"{metric.name} {comparison.verdict}: {value}, baseline {baseline} ({comparison.source})"
    ]
    if comparison.ratio is not None and comparison.interval is not None:
        low, high = comparison.interval
        tolerance = format_percent(comparison.tolerance or 0)
        lines.append(
            f"  ratio {comparison.ratio:.3f}, 95 % interval {low:.3f} to {high:.3f}, "
            f"tolerance {tolerance}, {_count(comparison)}"
        )
    return lines


def _count(comparison: Comparison) -> str:
    """How many measurements there were: ``"8 pairs"``; ``"4 trials"`` against stored numbers."""
    noun = "trial" if comparison.source == STORED else "pair"
    return f"{comparison.pairs} {noun}{'' if comparison.pairs == 1 else 's'}"


def explain_budget(metric: Metric, value: float, operator: str, limit: float) -> list[str]:
    """Why a comparison with a number is false."""
    measured, allowed = format_value(value, metric.unit), format_value(limit, metric.unit)
    return [
        f"{metric.name}: {measured} {operator} {allowed} is false",
        "(a budget, not a baseline)",
    ]


def warning(result: CheckResult) -> str:
    """What an inconclusive check could have seen."""
    parts = []
    for comparison in result.metrics.values():
        if comparison.judged and comparison.verdict is Verdict.INCONCLUSIVE:
            parts.append(f"{comparison.metric}: {_could_see(comparison)}")
    return f"{result.nodeid} is inconclusive; {'; '.join(parts)}"


def _could_see(comparison: Comparison) -> str:
    ratio = f"ratio {comparison.ratio:.3f}" if comparison.ratio is not None else "no ratio"
    if comparison.detectable is None:
        return ratio
    return f"{ratio} after {_count(comparison)}, in which a loss of less than " + (
        f"{format_percent(comparison.detectable)} could not have been detected"
    )


def notes(results: Sequence[CheckResult]) -> list[str]:
    """What there is to know beside the numbers; a note that several checks share comes once."""
    told: dict[str, list[str]] = {}
    for result in results:
        for note in result.notes:
            told.setdefault(note, []).append(result.nodeid)
    return [
        f"{checks[0] if len(checks) == 1 else f'{len(checks)} checks'}: {note}"
        for note, checks in told.items()
    ]


def noise(results: Sequence[CheckResult]) -> list[str]:
    """What else the machine did during all pairs; a line, if there were any."""
    pairs = [(pair, result.nodeid) for result in results for pair in result.noise]
    if not pairs:
        return []
    mean = statistics.fmean(pair.others for pair, _ in pairs)
    most, check = max(pairs, key=lambda each: each[0].others)
    line = (
        f"machine: others took {100 * mean:.0f} % of its CPUs, {100 * most.others:.0f} % in the "
        f"noisiest pair (of {check})"
    )
    spoiled = sum(pair.spoiled for pair, _ in pairs)
    if spoiled:
        line += f"; of {len(pairs)} pairs {spoiled} were hit on one side alone"
    return [line]


def memory_sources(results: Sequence[CheckResult]) -> list[str]:
    """What the figures of memory come from; a line, if there are any."""
    sources = dict.fromkeys(result.memory_source for result in results if result.memory_source)
    return [f"memory: from {' and '.join(sources)}"] if sources else []


def properties(result: CheckResult) -> list[tuple[str, object]]:
    """What reports of pytest, such as JUnit's, keep of a check beside its outcome."""
    found: list[tuple[str, object]] = [("loaderperf.verdict", result.verdict.value)]
    for name, comparison in result.metrics.items():
        numbers = {
            "": comparison.value,
            ".baseline": comparison.baseline,
            ".ratio": comparison.ratio,
        }
        found += [
            (f"loaderperf.{name}{part}", round_significant(number))
            for part, number in numbers.items()
            if number is not None
        ]
        if comparison.judged:
            found.append((f"loaderperf.{name}.verdict", comparison.verdict.value))
    return found


def summary(results: Sequence[CheckResult]) -> str:
    """How many checks ended how."""
    counts = Counter(result.verdict for result in results)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])


def to_json(run: Run) -> dict[str, object]:
    """The results file, schema 1."""
    counts = Counter(str(result.verdict) for result in run.results)
    return {
        "schema": SCHEMA,
        "plugin": run.plugin,
        "machine": dict(run.machine),
        "against": {"mode": run.mode, "commits": list(run.commits)},
        "checks": [_check_json(result) for result in run.results],
        "summary": dict(sorted(counts.items())),
        "sweeps": batch_size.to_json(run.results, run.memory_limit),
    }


def _check_json(result: CheckResult) -> dict[str, object]:
    return {
        "nodeid": result.nodeid,
        "file": result.file,
        "line": result.line,
        "batch_size": result.batch_size,
        "verdict": result.verdict.value,
        "outcome": result.outcome,
        "seconds": round(result.seconds, 1),
        "pairs": result.pairs,
        "workload": vars(result.workload) if result.workload else {},
        "loader": {"kind": result.loader, "settings": dict(result.settings)},
        "memory_source": result.memory_source,
        "message": result.message,
        "notes": list(result.notes),
        "metrics": {name: _metric_json(c) for name, c in result.metrics.items()},
        "noise": [_noise_json(noise) for noise in result.noise],
    }


def _noise_json(noise: Noise) -> dict[str, object]:
    shares = {"candidate": noise.candidate, "baseline": noise.baseline, "stolen": noise.stolen}
    pressure = {f"{name}_pressure": share for name, share in noise.pressure.items()}
    rounded = {name: _share(share) for name, share in {**shares, **pressure}.items()}
    return {"seconds": round(noise.seconds, 1), **rounded, "spoiled": noise.spoiled}


def _share(share: float | None) -> float | None:
    return None if share is None else round(share, 3)


def _metric_json(comparison: Comparison) -> dict[str, object]:
    metric = METRICS[comparison.metric]
    return {
        "unit": metric.unit,
        "better": metric.better,
        "value": _rounded(comparison.value),
        "baseline": _rounded(comparison.baseline),
        "ratio": _rounded(comparison.ratio),
        "interval": [_rounded(x) for x in comparison.interval] if comparison.interval else None,
        "tolerance": _rounded(comparison.tolerance),
        "detectable": _rounded(comparison.detectable),
        "pairs": comparison.pairs,
        "ratios": [_rounded(ratio) for ratio in comparison.ratios],
        "verdict": comparison.verdict.value if comparison.judged else None,
    }


def _rounded(value: float | None) -> float | None:
    # JSON has no infinity: what is unbounded is unknown to the reader as well.
    rounded = math.nan if value is None else round_significant(value)
    return rounded if math.isfinite(rounded) else None
