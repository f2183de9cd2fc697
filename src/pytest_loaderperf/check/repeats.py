"""Judge a metric on trials that run one after the other: memory, which depends little on time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..baselines.store import Stored
from ..model.metrics import Metric
from ..model.results import Comparison, Verdict
from ..model.version import Version
from ..stats.comparison import compare, compare_stored, is_open
from ..stats.sequential import Within
from .state import Bench, Findings

# The fewest: pipelines that tune themselves can peak at one of two heights, and it is no rare thing
# that two pairs differ in the same way. They may show that nothing has changed, and confirm.
_TRIALS = 4
_FEW_TRIALS = 2
# Now and then a trial of such a pipeline peaks higher: of so many pairs, the extremes do not count.
_MANY_TRIALS = 6
_TRIALS_AT_MOST = 10  # memory repeats well: what ten pairs leave open, more would too


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A metric, and what one more trial of a version gives for it.

    Until there are pairs enough to tell, they are taken to scatter by the standard deviation
    ``luck``, where one is given.
    """

    metric: Metric
    measure: Callable[[Version], float]
    luck: float | None = None


def beside(
    bench: Bench, version: Version, found: Findings, quantity: Quantity, candidate: list[float]
) -> Comparison:
    """Compare pairs, beginning with the values of the candidate that there are.

    A regression is confirmed by fresh processes; else it is not sure.
    """
    compared = _pairs(bench, version, found, quantity, candidate)
    if not (compared.judged and compared.verdict is Verdict.REGRESSED):
        return compared
    bench.start_anew(version)
    again = _pairs(bench.confirming, version, found, quantity, [], confirming=True)
    if again.verdict is Verdict.REGRESSED:
        return compared
    found.doubt(quantity.metric.name, compared.pairs, again.pairs)
    return replace(compared, verdict=Verdict.INCONCLUSIVE)


def with_stored(
    bench: Bench,
    stored: Stored | None,
    found: Findings,
    quantity: Quantity,
    candidate: list[float],
) -> Comparison:
    """Compare values of the candidate, those that there are first, with a stored number."""
    name = quantity.metric.name
    while len(candidate) < _TRIALS:
        candidate.append(quantity.measure(bench.candidate))
    comparison = compare_stored(
        quantity.metric,
        candidate,
        stored,
        bench.spec.settings.tolerances[name],
        bench.rule,
        judged=name in found.judged,
        drift=0.0,
    )
    return replace(comparison, pairs=0)


def _pairs(
    bench: Bench,
    version: Version,
    found: Findings,
    quantity: Quantity,
    candidate: list[float],
    *,
    confirming: bool = False,
) -> Comparison:
    """A change takes four pairs at least, the confirmation of a regression two."""
    baseline: list[float] = []
    # A trial takes little time, so that every pair is looked at.
    looks = tuple(range(_FEW_TRIALS, _TRIALS_AT_MOST + 1))
    rule, within = replace(bench.rule, looks=looks, trimmed_from=_MANY_TRIALS), None
    if quantity.luck is not None:
        rule = replace(rule, luck=quantity.luck)
        within = Within(variance=0.0, freedom=rule.foretold)
    name = quantity.metric.name
    judged = name in found.judged
    label = f"{'confirming, ' if confirming else ''}{name.replace('_', ' ')}"
    while True:
        bench.progress(f"{label}, pair {len(baseline) + 1}")
        if len(candidate) == len(baseline):
            candidate.append(quantity.measure(bench.candidate))
        baseline.append(quantity.measure(version))
        comparison = compare(
            quantity.metric,
            candidate[: len(baseline)],
            baseline,
            bench.spec.settings.tolerances[name],
            rule,
            judged=judged,
            source=version.name,
            within=within,
        )
        late = time.monotonic() > found.deadline
        if comparison.verdict is Verdict.REGRESSED and confirming:
            enough = _FEW_TRIALS
        elif comparison.verdict in (Verdict.REGRESSED, Verdict.IMPROVED):
            enough = _TRIALS
        elif is_open(comparison):
            enough = _TRIALS if late else _TRIALS_AT_MOST
        else:
            enough = _FEW_TRIALS
        if len(baseline) >= enough or not judged:  # one pair shows what nobody judges
            return comparison
