"""Can verdicts be trusted here? A check against itself, then with a loss that is known.

The candidate is the working tree twice: as it is, where the verdict must be *unchanged*, and with a
part of its samples made in vain, where it must be *regressed*. How much the pairs scatter says
which tolerances this loader on this machine can carry, and how long a check takes then.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..baselines.reference import Reference
from ..model.metrics import METRICS
from ..model.results import Verdict
from ..model.units import format_percent
from ..model.version import Version
from ..stats.sequential import Rule, pairs_for
from . import paired
from .state import Bench, Findings, Known

_METRIC = METRICS["throughput"]
_TOLERANCES = (0.2, 0.1, 0.05, 0.02)
# The loss that is to be found, in tolerances.
_LOSS = 1.5
# Fewer pairs than these would not tell how much they scatter.
_LOOKS = (6, 8, 12, 16, 24)
_ENOUGH = 2
# Budgets that each comparison of a self-test may take: it tells what a budget is good for.
_PATIENCE = 3


def slowed(version: Version, loss: float) -> Version:
    """A version that makes a part of its samples in vain."""
    label = f"{version.name}, with a loss of {format_percent(loss)}"
    return replace(version, label=label, injected_loss=loss)


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What a loader's pairs on this machine are good for; ``deviation`` is that of a pair's d."""

    deviation: float
    pair_seconds: float  # how long a pair takes
    other_seconds: float  # of a check, beside its pairs
    longest: float  # seconds of pairs that a budget holds

    def at(self, tolerance: float, rule: Rule) -> str:
        """Whether verdicts at this tolerance can be trusted, and what they cost."""
        pairs = pairs_for(self.deviation, tolerance, _METRIC.better, rule)
        if pairs is None:
            return "not on this machine"
        seconds = pairs * self.pair_seconds
        cost = f"about {seconds + self.other_seconds:.0f} s a check"
        return f"trusted, {cost}" if seconds <= self.longest else f"needs {cost}"


def patient(bench: Bench, known: Known) -> tuple[Bench, Known]:
    """A rule that looks at pairs enough to tell how much they scatter, and time for that."""
    more = (_PATIENCE - 1) * bench.spec.settings.budget
    rule = replace(bench.rule, looks=_LOOKS)
    return replace(bench, rule=rule), replace(known, deadline=known.deadline + more)


def judge_injected_loss(
    bench: Bench, reference: Reference, known: Known, found: Findings, began: float
) -> Findings:
    """After a check beside itself: look for a known loss, and say what can be trusted.

    ``found`` is what the check beside itself gave, and ``began`` when that began, on the monotonic
    clock. Returns what there is to add. A loss that is not found makes throughput inconclusive; one
    that is called no loss, an error. Where the two were not comparable, or too few, there is
    nothing to add.
    """
    if reference.version is None or len(found.losses) < _ENOUGH:
        return Findings()
    seconds = time.monotonic() - began
    settings = bench.spec.settings
    tolerance = settings.tolerances[_METRIC.name].relative
    loss = min(_LOSS * tolerance, 0.9)
    lossy = replace(bench, candidate=slowed(bench.candidate, loss))
    judged = frozenset({_METRIC.name})
    deadline = time.monotonic() + _PATIENCE * settings.budget
    injected = replace(known, judged=judged, deadline=deadline)
    _, slower = paired.judge_pairs(lossy, reference.version, injected)
    verdict = slower.comparisons[_METRIC.name].verdict

    per_pair = statistics.fmean(noise.seconds for noise in found.noise + slower.noise)
    trust = Trust(
        deviation=_deviation(found.losses, slower.losses),
        pair_seconds=per_pair,
        other_seconds=max(0.0, seconds - per_pair * len(found.losses)),
        longest=settings.budget * (1 - paired.FOR_CONFIRMING),
    )
    shown = sorted({*_TOLERANCES, tolerance}, reverse=True)
    says = "; ".join(f"at {format_percent(each)}: {trust.at(each, bench.rule)}" for each in shown)
    scatter = f"identical pairs scatter by {format_percent(trust.deviation)}; {says}"
    expected = f"a loss of {format_percent(loss)} was called {verdict}"
    if verdict is Verdict.REGRESSED:
        return Findings(noise=slower.noise, notes=(scatter, f"{expected}, as it should be"))
    doubtful = Verdict.INCONCLUSIVE if verdict is Verdict.INCONCLUSIVE else Verdict.ERROR
    compared = replace(found.comparisons[_METRIC.name], verdict=doubtful, judged=True)
    return Findings(
        comparisons={_METRIC.name: compared},
        noise=slower.noise,
        message=f"{expected}: verdicts on this loader cannot be trusted here",
        notes=(scatter,),
    )


def _deviation(*groups: Sequence[float]) -> float:
    """The standard deviation within groups whose means differ."""
    squares = sum(statistics.variance(group) * (len(group) - 1) for group in groups)
    return math.sqrt(squares / sum(len(group) - 1 for group in groups))
