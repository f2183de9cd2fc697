"""What there is to say of a run and of its checks in a few words, for all reports."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

from ..model.metrics import METRICS
from ..model.results import CheckResult, Comparison, Coverage, Verdict, worst
from ..model.units import format_value
from .explain import besides, percent, seen

_FAILED = "❌"
_MARKS = {
    Verdict.UNCHANGED: "✅",
    Verdict.IDENTICAL: "✅",
    Verdict.IMPROVED: "🚀",
    Verdict.INCONCLUSIVE: "❔",
    Verdict.COMPLETE: "✅",
    Verdict.COMPARED: "📊",
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
    Verdict.IDENTICAL: "Nothing that a loader uses has changed",
    Verdict.INCOMPLETE: "A loader does not deliver each sample once",
    Verdict.COMPLETE: "Loaders deliver each sample once",
    Verdict.COMPARED: "Loaders were compared",
    Verdict.MEASURED: "Loaders were measured",
}


def headline(results: Sequence[CheckResult], problems: Sequence[str] = ()) -> str:
    """A run in a few words, its worst verdict first.

    One in which nothing was measured has proven nothing, nor has one of shards with ``problems``.
    """
    if problems:
        return f"{_FAILED} The shards do not make a whole run"
    if not results:
        return f"{_FAILED} No loader was measured"
    verdict = worst([result.verdict for result in results])
    failed = any(result.outcome == "failed" for result in results)
    if failed and verdict is Verdict.INCONCLUSIVE:  # of a strict run
        return f"{_FAILED} {_TITLES[verdict]}"
    if failed and not verdict.fails:  # by a budget, say
        return f"{_FAILED} A test failed, although no loader got worse"
    return f"{mark(verdict)} {_TITLES[verdict]}"


def mark(verdict: Verdict, *, failed: bool = False) -> str:
    """A verdict as one character; one of a test that ``failed`` is never good."""
    return _FAILED if failed else _MARKS.get(verdict, _FAILED)


def failed_besides(result: CheckResult) -> str:
    """What belongs to a verdict where the test failed, and the verdict does not say so."""
    return ", failed" if result.outcome == "failed" and not result.verdict.fails else ""


def value_cell(comparison: Comparison | None) -> str:
    """What a table says of a metric's value."""
    if comparison is None:
        return "-"
    return format_value(comparison.value, METRICS[comparison.metric].unit)


def ratio_cell(comparison: Comparison | None) -> str:
    """What a table says of the ratio to the baseline: with its interval, if that is known."""
    if comparison is None or comparison.ratio is None:
        return "-"
    low, high = comparison.interval or (0.0, math.inf)
    if high == math.inf:  # unknown, as after a single pair
        return _ratio(comparison.ratio)
    return f"{_ratio(comparison.ratio)} [{_ratio(low)}, {_ratio(high)}]"


def _ratio(ratio: float) -> str:
    return f"{ratio:.3f}" if abs(ratio) < 1000 else f"{ratio:.3g}"


def verdict_cell(result: CheckResult) -> str:
    """What a table says of a verdict: with the metrics that it comes from."""
    culprits = [
        name for name, c in result.metrics.items() if c.judged and c.verdict is result.verdict
    ]
    named = result.verdict in (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.INCONCLUSIVE)
    said = f"{result.verdict} ({', '.join(culprits)})" if named and culprits else result.verdict
    partly = result.verdict in (Verdict.UNCHANGED, Verdict.IMPROVED)
    part = of_an_epoch(result.coverage) if partly else ""
    return f"{said}{part}{failed_besides(result)}"


def deciding(result: CheckResult) -> Comparison | None:
    """The metric that the verdict comes from: of several, the one nearest to its tolerance.

    Or farthest beyond it; of what improved, the one that did so the most. None where nothing was
    compared with a baseline.
    """
    compared = [c for c in result.metrics.values() if c.judged and c.ratio is not None]
    decisive = [c for c in compared if c.verdict is result.verdict] or compared
    sign = -1 if result.verdict is Verdict.IMPROVED else 1
    return max(decisive, key=lambda each: sign * _nearness(each) + _ahead(each), default=None)


def _nearness(comparison: Comparison) -> float:
    """The loss of a ratio, in tolerances: as a logarithm, since a time doubles as a rate halves."""
    ratio = comparison.ratio or 0.0
    if not ratio > 0:  # nor where it is no number
        return 0.0
    higher = METRICS[comparison.metric].better_ratio == "higher"
    return (-1 if higher else 1) * math.log(ratio) / (comparison.tolerance or 1.0)


def _ahead(comparison: Comparison) -> float:
    """What throughput is ahead of metrics that follow from it, such as the time of an epoch."""
    return 0.2 if comparison.metric == "throughput" else 0.0


def of_an_epoch(coverage: Coverage | None) -> str:
    """What belongs to a verdict that holds for a part of an epoch alone."""
    if coverage is None or coverage.whole:
        return ""
    if coverage.share is None:
        return f" in {coverage.batches:,} batches"
    return f" in {percent(coverage.share)} of an epoch"


def coverage(results: Sequence[CheckResult]) -> list[str]:
    """How much of an epoch the checks have seen; a line for each answer."""
    told: dict[str, list[str]] = {}
    for result in results:
        if result.coverage:
            whole = "saw whole epochs" if result.coverage.whole else seen(result.coverage)
            told.setdefault(whole, []).append(result.nodeid)
    return _of_checks(told)


def below(results: Sequence[CheckResult], *, everything: bool = True) -> list[str]:
    """The lines below a table: the notes alone, or ``everything`` there is to know."""
    parts = (notes, coverage, noise, memory_sources) if everything else (notes,)
    return [line for lines in parts for line in lines(results)]


def is_plain(results: Sequence[CheckResult]) -> bool:
    """Whether all is well, and nobody needs to know what the numbers come from."""
    well = {Verdict.UNCHANGED, Verdict.IMPROVED, Verdict.IDENTICAL, Verdict.COMPARED}
    well |= {Verdict.COMPLETE}
    return all(result.verdict in well and result.outcome == "passed" for result in results)


def notes(results: Sequence[CheckResult]) -> list[str]:
    """What there is to know beside the numbers; a note that several checks share comes once."""
    told: dict[str, list[str]] = {}
    for result in results:
        for note in dict.fromkeys((*result.notes, *besides(result))):
            told.setdefault(note, []).append(result.nodeid)
    return _of_checks(told)


def _of_checks(told: Mapping[str, Sequence[str]]) -> list[str]:
    return [
        f"{checks[0] if len(checks) == 1 else f'{len(checks)} checks'}: {note}"
        for note, checks in told.items()
    ]


def noise(results: Sequence[CheckResult]) -> list[str]:
    """What else the machine did during all pairs; a line, if there were any."""
    pairs = [(pair, result.nodeid) for result in results for pair in result.noise]
    if not pairs:
        return []
    mean = statistics.fmean(pair.external_load for pair, _ in pairs)
    most, check = max(pairs, key=lambda each: each[0].external_load)
    line = (
        f"machine: external load {100 * mean:.0f} % of its CPUs, "
        f"{100 * most.external_load:.0f} % in the "
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


def seconds(results: Sequence[CheckResult]) -> list[str]:
    """Where the time of all checks went; a line, if it took any to speak of."""
    whole = sum(result.seconds for result in results)
    spent: dict[str, float] = {}
    for result in results:
        for name, taken in result.phases.items():
            spent[name] = spent.get(name, 0.0) + taken
    if sum(spent.values()) < 1:
        return []
    spent["other"] = max(0.0, whole - sum(spent.values()))
    most_first = sorted(spent.items(), key=lambda each: -each[1])
    parts = (f"{name} {taken:.0f} s" for name, taken in most_first if round(taken))
    return [f"{whole:.0f} s: {', '.join(parts)}"]


def summary(results: Sequence[CheckResult]) -> str:
    """How many checks ended how."""
    counts = Counter(result.verdict for result in results)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
