"""From measured values to comparisons: pure, one function for each way to compare."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence

from ..model.metrics import METRICS, Better, Metric, Tolerance
from ..model.results import STORED, Comparison, Verdict
from .sequential import Rule, Within, counting, decide, log_cost, may_be_gain, may_be_loss, ratio_of

_NOTHING = 1e-12  # what is less cannot be divided by
_TWO_PARTS = 1.1  # at least: fewer say nothing of how they scatter
_ROUNDING = 1e-9  # a sum that should be whole may lack as much
_MOST = 0.999  # of the time that is left: more than all of it cannot be lost
# Less than this is noise of the allocator; logarithms of it would differ wildly.
_SMALLEST = {"bytes": float(2**20), "bytes/1000 samples": float(2**20), "of time": 0.001}
_CHANGES = {Verdict.REGRESSED: may_be_loss, Verdict.IMPROVED: may_be_gain}


def compare(
    metric: Metric,
    candidate: Sequence[float],
    baseline: Sequence[float],
    tolerance: Tolerance,
    rule: Rule,
    *,
    judged: bool,
    source: str,
    within: Within | None = None,
    if_alike: Within | None = None,
    extra_variance: float = 0.0,
) -> Comparison:
    """Judge pairs of values; the verdict is ``inconclusive`` while they do not decide.

    What ``within`` and the others say of their noise: ``decide``.
    """
    better = metric.better_ratio
    losses = [
        log_cost(_compared(metric, c), _compared(metric, b), better)
        for c, b in zip(candidate, baseline, strict=True)
    ]
    counted = counting(losses, rule)
    base = typical([baseline[pair] for pair in counted])
    allowed = tolerance.relative_to(_compared(metric, base))
    if metric.is_share:
        allowed = min(allowed, _MOST)
    decision = decide(
        losses,
        allowed,
        better,
        rule,
        within=within,
        if_alike=if_alike,
        extra_variance=extra_variance,
    )
    bounds = sorted(ratio_of(loss, better) for loss in (decision.low, decision.high))
    return Comparison(
        metric=metric.name,
        value=typical([candidate[pair] for pair in counted]),
        judged=judged,
        verdict=decision.verdict or Verdict.INCONCLUSIVE,
        baseline=base,
        ratio=ratio_of(decision.log_cost, better),
        interval=(bounds[0], bounds[1]),
        tolerance=allowed,
        minimum_detectable=metric.loss(ratio_of(decision.minimum_detectable, better)),
        pairs=len(losses),
        source=source,
        spread=spread(metric, candidate),
        ratios=tuple(ratio_of(loss, better) for loss in losses),
    )


def compare_stored(
    metric: Metric,
    values: Sequence[float],
    stored: tuple[float, float] | None,
    tolerance: Tolerance,
    rule: Rule,
    *,
    judged: bool,
    drift: float,
) -> Comparison:
    """Judge values against a stored number, of which the spread and the drift are known.

    ``stored`` is the value and its spread; both others are standard deviations of logarithms.
    """
    if stored is None:
        return uncompared(metric.name, typical(values), Verdict.NO_BASELINE, judged=judged)
    value, spread_then = stored
    return compare(
        metric,
        values,
        [value] * len(values),
        tolerance,
        rule,
        judged=judged,
        source=STORED,
        extra_variance=spread_then**2 + drift**2,
    )


def fast_path(
    metric: Metric, value: float, stored: float, tolerance: Tolerance, *, judged: bool
) -> Comparison | None:
    """Compare one repeatable value with a stored one; None where that does not settle it.

    Only for peak memory, which depends little on how busy the machine is.
    """
    base = _compared(metric, stored)
    allowed = tolerance.relative_to(base)
    ratio = _compared(metric, value) / base
    if abs(metric.loss(ratio)) > allowed / 2:
        return None
    return Comparison(
        metric=metric.name,
        value=value,
        judged=judged,
        verdict=Verdict.UNCHANGED,
        baseline=stored,
        ratio=ratio,
        interval=None,
        tolerance=allowed,
        source=STORED,
    )


def _compared(metric: Metric, value: float) -> float:
    """What of a value is compared: of a share of time the rest; and never next to nothing."""
    smallest = _SMALLEST.get(metric.unit, _NOTHING)
    return max(1 - value if metric.is_share else value, smallest)


def uncompared(name: str, value: float, verdict: Verdict, *, judged: bool) -> Comparison:
    """A value that was compared with nothing."""
    return Comparison(metric=name, value=value, judged=judged, verdict=verdict)


def scatter(pairs: Sequence[Sequence[tuple[float, float]]]) -> Within | None:
    """What the parts of some pairs say of the variance of a pair.

    A part is the values of both sides (above 0) in a part of the pair's time, all parts of one
    length. None where no pair has two of them.
    """
    variances, freedom = [], 0
    for parts in pairs:
        if len(parts) > 1:
            losses = [log_cost(candidate, baseline, "lower") for candidate, baseline in parts]
            variances.append(statistics.variance(losses) / len(losses))
            freedom += len(losses) - 1
    return Within(variance=statistics.fmean(variances), freedom=freedom) if variances else None


def scatter_by_part(pairs: Sequence[Sequence[tuple[float, float]]]) -> Within | None:
    """What the parts of some pairs say of the variance of a pair, where parts are not alike.

    A part is how long both sides took for the same batches of an epoch, the candidate first (s). A
    loss may well live in one part alone: so each is compared with the same part of other pairs.
    None where there is nothing to compare.
    """
    if not _have_the_same_parts(pairs):
        return None
    relative = []
    for parts in pairs:
        whole = math.sqrt(math.prod(math.fsum(side) for side in zip(*parts, strict=True)))
        relative.append([(candidate - baseline) / whole for candidate, baseline in parts])
    variances = [statistics.variance(part) for part in zip(*relative, strict=True)]
    freedom = (len(pairs) - 1) * _alike(variances)
    return Within(variance=math.fsum(variances), freedom=int(freedom + _ROUNDING))


def scatter_if_alike(pairs: Sequence[Sequence[tuple[float, float]]]) -> Within | None:
    """The same if all parts of a pair have one ratio: then they can be compared with one another.

    Where they do not it is too large. It is never less than that of the same parts.
    """
    by_part = scatter_by_part(pairs)
    if by_part is None:
        return None
    squares = []
    for parts in pairs:
        candidates, baselines = (math.fsum(side) for side in zip(*parts, strict=True))
        squares.append([(c / candidates - b / baselines) ** 2 for c, b in parts])
    variances = [statistics.fmean(part) for part in zip(*squares, strict=True)]
    alike = min(_alike(variances), statistics.fmean(map(_even, pairs)))
    # Of the same parts, one degree of each pair is that of the pairs themselves, which count too.
    variance, freedom = by_part.variance, by_part.freedom - (len(pairs) - 1)
    if alike >= _TWO_PARTS:
        # The ratio of a pair is theirs: one degree less.
        variance = max(variance, math.fsum(variances) * alike / (alike - 1))
        freedom = max(freedom, int(len(pairs) * (alike - 1) + _ROUNDING))
    return Within(variance=variance, freedom=freedom)


def _have_the_same_parts(pairs: Sequence[Sequence[object]]) -> bool:
    return len(pairs) > 1 and len({len(parts) for parts in pairs}) == 1 and bool(pairs[0])


def _alike(variances: Sequence[float]) -> float:
    """How many parts that scatter alike are worth as much (Satterthwaite).

    Where one part scatters far more than all others, it alone tells.
    """
    squares = math.fsum(each**2 for each in variances)
    return math.fsum(variances) ** 2 / squares if squares else float(len(variances))


def _even(parts: Sequence[tuple[float, float]]) -> float:
    """How many parts of one length are worth as much (Kish)."""
    seconds = [math.fsum(part) for part in parts]
    return math.fsum(seconds) ** 2 / math.fsum(each**2 for each in seconds)


def settled(comparisons: Mapping[str, Comparison], *, both_ways: bool = False) -> bool:
    """Whether every judged metric has a verdict that more pairs would not change."""
    return not any(is_open(c, both_ways=both_ways) for c in comparisons.values() if c.judged)


def is_open(comparison: Comparison, *, both_ways: bool = False) -> bool:
    """Whether it is inconclusive; or unchanged so far, while more pairs may prove a gain.

    By a rule for both ways a gain is ruled out where nothing has changed.
    """
    if comparison.verdict is not Verdict.UNCHANGED or both_ways:
        return comparison.verdict is Verdict.INCONCLUSIVE
    return _estimates(comparison, may_be_gain)


def looks_changed(comparisons: Mapping[str, Comparison], rule: Rule) -> bool:
    """Whether a judged metric is inconclusive that may be what has to be confirmed, once proven.

    That is a loss, and by a rule for both ways a gain as well.
    """
    return any(
        each.judged
        and each.verdict is Verdict.INCONCLUSIVE
        and any(_estimates(each, _CHANGES[verdict]) for verdict in rule.to_confirm)
        for each in comparisons.values()
    )


def is_confirmed(
    again: Comparison, pooled: Comparison | None, verdict: Verdict = Verdict.REGRESSED
) -> bool:
    """Whether fresh pairs bear a verdict out: by themselves, or together with the others.

    ``pooled`` compares those that have found it as well; None where they could owe
    their difference to a single start.
    """
    if again.verdict is verdict or pooled is None:
        return again.verdict is verdict
    return pooled.verdict is verdict and _estimates(again, _CHANGES[verdict])


def _estimates(comparison: Comparison, change: Callable[[float, float, Better], bool]) -> bool:
    """Whether what a comparison estimates would be such a change, if it is proven."""
    if comparison.ratio is None or comparison.tolerance is None:
        return False
    better = METRICS[comparison.metric].better_ratio
    return change(log_cost(comparison.ratio, 1.0, better), comparison.tolerance, better)


def spread(metric: Metric, values: Sequence[float]) -> float:
    """The standard deviation of the logarithm of some values; 0 for a single one."""
    if len(values) < 2:
        return 0.0
    return statistics.stdev(math.log(_compared(metric, value)) for value in values)


def typical(values: Sequence[float]) -> float:
    """The geometric mean: the ratio of two of them is the mean ratio of their pairs."""
    return statistics.geometric_mean(values) if min(values) > 0 else statistics.fmean(values)
