"""Why a check failed, and what to do: text for a test's failure, in arms and in reports."""

from __future__ import annotations

import shlex
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from ..errors import MemoryLimitError
from ..model.metrics import METRICS, Metric
from ..model.parameters import Parameter, described
from ..model.results import (
    STORED,
    CheckResult,
    Comparison,
    Coverage,
    Culprit,
    Relation,
    Verdict,
    Why,
)
from ..model.units import format_changes, format_percent, format_size, format_value

_SKEWED = 0.05  # of a step: less is chance


def explain(result: CheckResult, asked: Comparison | None = None) -> list[str]:
    """Why a check fails: the metric asked for first, then all others that fail, then what to do."""
    failing = [c for c in result.metrics.values() if c.judged and c.verdict.fails and c != asked]
    if asked is not None and asked.verdict.fails:
        failing.insert(0, asked)
    regressed = [c for c in failing if c.verdict is Verdict.REGRESSED]
    lines = [line for comparison in regressed for line in describe(comparison)]
    if regressed and result.coverage:
        lines.append(f"  {seen(result.coverage)}")
    if regressed:
        lines += [f"  {line}" for line in besides(result)]
    if result.message.strip():
        lines += result.message.splitlines()
    if result.verdict is Verdict.INCONCLUSIVE:
        lines.append(warning(result))
    command = f"pytest {shlex.quote(result.nodeid)}"
    accept = f"{command} --loaderperf-update, then: git add baselines && git commit"
    if regressed or result.verdict is Verdict.INCOMPARABLE:
        lines.append(f"To accept it: {accept}")
    elif result.verdict is Verdict.NO_BASELINE:
        lines.append(f"To add one: {accept}")
    elif result.verdict is Verdict.ERROR and result.message.strip():
        lines.append(f"Once that is mended: {command} --loaderperf")
    return lines or [f"{result.nodeid}: {result.verdict}"]


def besides(result: CheckResult) -> list[str]:
    """What explains the numbers: packages, ranks, and where time and memory go."""
    return [*packages_that_differ(result), *ranks(result), *blame(result), *why(result)]


def packages_that_differ(result: CheckResult) -> list[str]:
    """Which packages the two sides have in other versions: a line, if there are any."""
    return [f"packages differ: {format_changes(result.packages)}"] if result.packages else []


def ranks(result: CheckResult) -> list[str]:
    """How long each rank needs for a batch, and for which one the others wait."""
    paces = result.ranks
    if paces is None:
        return []
    each = ", ".join(_ms(1000 * seconds) for seconds in paces.candidate)
    lines = [f"{len(paces.candidate)} ranks in step need {each} for a batch"]
    if paces.skew >= _SKEWED:
        lines[0] += (
            f": the others wait for rank {paces.slowest}, {percent(paces.skew)} of each step"
        )
    if paces.more and (most := max(paces.more)) >= _SKEWED * paces.step:
        rank = paces.more.index(most)
        lines.append(f"rank {rank} needs {_ms(1000 * most)} more for a batch than in the baseline")
    return lines


def blame(result: CheckResult) -> list[str]:
    """Which package did it, if that was looked for, and what was lost by that alone."""
    if result.blame is None:
        return []
    lost = [
        f"{name} {ratio:.3f} [{low:.3f}, {high:.3f}] of what it was"
        for name, (ratio, (low, high)) in result.blame.lost.items()
    ]
    return [f"{result.blame.text}{': ' * bool(lost)}{', '.join(lost)}"]


def why(result: CheckResult) -> list[str]:
    """Where its time goes, and its memory, if that was looked for."""
    return [
        line
        for name, lines in _LINES.items()
        if name in result.why
        for line in lines(result.why[name])
    ]


def _longer(why: Why, each: str) -> list[str]:
    if not why.clear:
        lost, low, high = (_figure(ms) for ms in (why.lost, *why.interval))
        sign = "+" * (why.lost > 0)
        return [
            f"no line takes clearly longer: {sign}{lost} ms [{low}, {high}] of the "
            f"{_ms(why.took)} that {each} takes"
        ]
    lines = []
    for culprit in why.culprits:
        low, high = map(_figure, culprit.interval)
        verb = "waits" if culprit.waits else "takes"
        lines.append(
            f"{_place(culprit)} {verb} {_ms(culprit.more)} more of the {_ms(why.lost)} {each} "
            f"that were lost [{low}, {high}]{_inside(culprit)}"
        )
    rest = why.lost - sum(culprit.more for culprit in why.culprits)
    if rest > why.lost / 2:
        kind = "waiting" if why.waited > rest / 2 else "on the CPU"
        lines.append(
            f"{_ms(rest)} of the {_ms(why.lost)} more that {each} takes are in no single line; "
            f"most of it is spent {kind}"
        )
    return lines


def _larger(why: Why) -> list[str]:
    lines = []
    batches, size = why.in_flight
    if batches > 0:
        lines.append(f"workers hold {batches} batches more in flight, which take {_mib(size)}")
    if why.clear:
        lines += [
            f"{_place(culprit)} holds {_mib(culprit.more)} more of the {_mib(why.lost)} that were "
            f"added{_inside(culprit)}"
            for culprit in why.culprits
        ]
    elif not lines:
        lines.append(
            f"no line holds clearly more: what is allocated differs by {why.lost:+.2g} MiB"
        )
    return lines


def _copied(why: Why) -> list[str]:
    if not why.clear:
        return [f"what processes copy of the memory that they share differs by {why.lost:+.2g} MiB"]
    lines = [
        f"{_place(culprit)} copies {_mib(culprit.more)} more of the memory that processes share"
        f"{_inside(culprit)}"
        for culprit in why.culprits
    ]
    return [*lines, "to look at an object of Python is to write to it; arrays stay shared"]


_LINES: Mapping[str, Callable[[Why], list[str]]] = {
    "time": partial(_longer, each="a sample"),
    "first_batch": partial(_longer, each="a first batch"),
    "memory": _larger,
    "copies": _copied,
}


def _place(culprit: Culprit) -> str:
    place = f"{culprit.file}:{culprit.line}" if culprit.line else culprit.file
    return f"{culprit.function} ({place})" if place else culprit.function


def _inside(culprit: Culprit) -> str:
    inner = f", in {culprit.inner}" if culprit.inner else ""
    return inner + (f" [{culprit.stage}]" if culprit.stage else "")


def _ms(milliseconds: float) -> str:
    return f"{_figure(milliseconds, 3)} ms"


def _figure(value: float, digits: int = 2) -> str:
    """A number with so many digits that count, and no exponent where it is large."""
    return f"{float(f'{value:.{digits}g}'):,g}"


def _mib(size: float) -> str:
    return format_size(size * 2**20)


def seen(coverage: Coverage) -> str:
    """How much of an epoch was seen, as words."""
    batches, share = coverage.batches, coverage.share
    if share is None:
        return f"saw {batches:,} batches of an epoch, and not its end"
    if coverage.whole:
        return f"saw whole epochs, {coverage.epoch_batches:,} batches"
    return f"saw {percent(share)} of an epoch, {batches:,} of {coverage.epoch_batches:,} batches"


def percent(share: float) -> str:
    """A share of an epoch as text: little of it is not nothing."""
    return f"{int(100 * share)} %" if share >= 0.01 else "less than 1 %"


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
    for variant in result.variants:
        if variant.relation is Relation.INCONCLUSIVE:
            told = _could_see(variant.throughput, "difference")
            parts.append(f"{variant.name} beside {result.variants[0].name}: {told}")
    return f"{result.nodeid} is inconclusive; {'; '.join(parts)}"


def _could_see(comparison: Comparison, what: str = "loss") -> str:
    ratio = f"ratio {comparison.ratio:.3f}" if comparison.ratio is not None else "no ratio"
    if comparison.minimum_detectable is None:
        return ratio
    return f"{ratio} after {_count(comparison)}, in which a {what} of less than " + (
        f"{format_percent(comparison.minimum_detectable)} could not have been detected"
    )


def out_of_memory(
    error: MemoryLimitError, parameters: Mapping[str, Parameter], *, own: bool
) -> str:
    """That a trial took too much memory, and what needs less; whose it was if not its ``own``."""
    where = "" if own else f"{error.version}: "
    size = f" at {described(parameters)}" if parameters else ""
    needed = format_size(error.needed)
    if error.limit is None:
        return (
            f"{where}out of memory{size}: ended at {needed}, when less than 10 % of the machine's "
            "memory was left"
        )
    limit = f"limit {format_size(error.limit)}"
    return (
        f"{where}out of memory{size}: {needed} needed, {limit}. A smaller batch size, fewer "
        "workers or less prefetching need less; --loaderperf-memory-limit sets the limit"
    )


def bug(error: Exception) -> str:
    """What to say where this package itself fails, on numbers that it did not expect, say."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"the check could not be judged: {type(error).__name__}: {error} (in "
        f"{Path(place.filename).name}, line {place.lineno}). This is a bug of pytest-loaderperf, "
        "or something in the test's process gave it false numbers"
    )
