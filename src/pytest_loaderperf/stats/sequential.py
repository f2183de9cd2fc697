"""When is a difference proven? The group-sequential test on pairs, as pure functions.

Every pair of trials gives one number, its log cost ratio ``log(cost of the candidate / cost of the
baseline)``, where cost is what should be low (seconds per sample, bytes): above 0 is a loss. Slices
inside a pair share what sets its two processes apart. So the pair is the unit, never the slice; but
slices tell beforehand how much pairs will scatter, long before there are pairs enough. After each
of a few looks a one-sided t test asks two questions:

- regressed: is "the loss is at most a fifth of the tolerance" refuted, at this look's share of
  ``alpha``, and is the estimate at least half of the tolerance?
- unchanged: is "the loss is at least the tolerance" refuted, at this look's share of ``beta``? If
  so is "the gain is at most a fifth of it", and the estimate is at least half of it: improved.

Where neither side is the older one, a gain is proven and ruled out as a loss is (``both_ways``).

Dividing the errors among the looks (Bonferroni) keeps both rates for the whole sequence, however
the looks depend on one another. When time runs out, which does not depend on what the pairs say,
one last look spends what is left. A loss between a fifth of the tolerance and the tolerance may end
as either. The rules: docs/verdicts.md. The figures behind the constants: docs/history.md.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ..model.metrics import Better
from ..model.results import Verdict


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The numbers of the test."""

    looks: tuple[int, ...] = (2, 4, 6, 8, 12, 16, 24)
    alpha: float = 0.001  # chance of calling a loss of a fifth of the tolerance a regression
    beta: float = 0.01  # chance of calling a loss of the whole tolerance unchanged
    # The same for fresh processes that confirm a regression: it takes both to be one.
    alpha_confirming: float = 0.05
    # The standard deviation of a pair is taken to be at least this: pairs that agree by luck
    # prove nothing.
    floor: float = 0.005
    # What slices say beforehand of the variance is worth at most so many degrees of freedom. They
    # do not see how two processes differ, which is taken to be so much (a standard deviation).
    prior_freedom: int = 5
    between_processes: float = 0.02
    # Of so many pairs and more, the highest and the lowest do not count: now and then a trial of a
    # pipeline that tunes itself runs at another speed from beginning to end.
    trimmed_from: int | None = 12
    ended: bool = False  # no look follows, since time has run out: this one may spend all the rest
    # A gain must be proven and ruled out as strictly as a loss: neither side is the older one.
    both_ways: bool = False

    @property
    def to_confirm(self) -> tuple[Verdict, ...]:
        """The verdicts that fresh processes must confirm."""
        return (Verdict.REGRESSED, Verdict.IMPROVED) if self.both_ways else (Verdict.REGRESSED,)

    @property
    def pairs_at_most(self) -> int:
        """The number of pairs after which there is no further look."""
        return self.looks[-1]

    def is_look(self, pairs: int) -> bool:
        """Whether the test is made after this many pairs."""
        return pairs in self.looks

    def spending(self, pairs: int) -> float:
        """The part of both errors that the look after so many pairs may spend.

        The k-th look has 1/k of what the first one has: few pairs, of whose noise little is known,
        gain most by a wider share, and many lose little by a narrower one.
        """
        shares = [1 / k for k in range(1, len(self.looks) + 1)]
        look = min(bisect_left(self.looks, pairs), len(shares) - 1)
        return sum(shares[look:] if self.ended else shares[look : look + 1]) / sum(shares)

    @property
    def confirming(self) -> Rule:
        """The rule for the pairs that confirm a regression."""
        return replace(self, alpha=self.alpha_confirming)

    @property
    def ending(self) -> Rule:
        """The rule for pairs that no others follow."""
        return replace(self, ended=True)

    @classmethod
    def for_metrics(cls, judged: int) -> Rule:
        """The rule for a run that judges so many metrics: one false alarm in 100 runs at most."""
        return cls(alpha=min(0.001, 0.01 / max(judged, 1)))

    def for_differences(self, comparisons: int) -> Rule:
        """The rule for so many comparisons in the place of one, that look for a gain as well."""
        return replace(self, both_ways=True, alpha=self.alpha / (2 * comparisons))


@dataclass(frozen=True, kw_only=True)
class Within:
    """What the slices of the pairs so far say of the variance of a pair.

    ``freedom`` counts the degrees of freedom behind it, over all pairs.
    """

    variance: float
    freedom: int


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What some pairs say; ``verdict`` is None while more pairs are needed.

    ``log_cost`` estimates the log cost ratio, ``low`` and ``high`` bound it with 95 % confidence.
    ``minimum_detectable`` would have been called a regression in 99 of 100 runs with as much noise
    as this one (infinite where nothing is known of the noise).
    """

    verdict: Verdict | None
    log_cost: float
    low: float
    high: float
    minimum_detectable: float


def log_loss(fraction: float, better: Better) -> float:
    """The log cost ratio of a given loss.

    10 % less throughput costs log(1/0.9), 10 % more memory log(1.1).
    """
    return -math.log1p(-fraction) if better == "higher" else math.log1p(fraction)


def log_cost(candidate: float, baseline: float, better: Better) -> float:
    """The log cost ratio of one pair of values."""
    ratio = math.log(candidate / baseline)
    return -ratio if better == "higher" else ratio


def ratio_of(loss: float, better: Better) -> float:
    """The ratio candidate / baseline that a log cost ratio stands for."""
    exponent = -loss if better == "higher" else loss
    return math.exp(exponent) if exponent < 700 else math.inf  # math.exp raises beyond 709


def may_be_gain(loss: float, tolerance: float, better: Better) -> bool:
    """Whether an estimate is a gain large enough to be called one, if it is proven."""
    return loss <= -log_loss(tolerance * 0.5, better)


def may_be_loss(loss: float, tolerance: float, better: Better) -> bool:
    """Whether an estimate is a loss large enough to be called one, if it is proven."""
    return loss >= log_loss(tolerance * 0.5, better)


def decide(
    losses: Sequence[float],
    tolerance: float,
    better: Better,
    rule: Rule,
    *,
    within: Within | None = None,
    if_alike: Within | None = None,
    extra_variance: float = 0.0,
) -> Decision:
    """Judge the log cost ratios of all pairs so far against a tolerance (a fraction).

    With ``within`` the variance of a pair is estimated from its slices as well: a moderated t
    test (Smyth 2004, doi:10.2202/1544-6115.1027). ``if_alike`` is such an estimate that is too
    large where the slices of a pair differ in their ratios. That there is no loss must hold with
    this one; that there is one may be proven with either. ``extra_variance`` is added to the
    variance of the mean: what a comparison with stored numbers does not know about the day and the
    machine. With fewer than two pairs nothing is known.
    """
    if len(losses) < 2:
        loss = losses[0] if losses else 0.0
        return Decision(
            verdict=None, log_cost=loss, low=-math.inf, high=math.inf, minimum_detectable=math.inf
        )

    mean, variance, counted = _middle(losses, rule)
    estimates = [within] if if_alike is None else [within, if_alike]
    noises = [_noise(variance, counted, rule, each, extra_variance) for each in estimates]
    share = rule.spending(len(losses))
    slight, half, whole = (log_loss(tolerance * share, better) for share in (0.2, 0.5, 1.0))
    # Either may prove a loss, so each has its part of the chance to err.
    chance = rule.alpha * share / len(noises)
    of_loss = min(noises, key=lambda noise: noise.bound(chance))
    prove_loss = of_loss.bound(chance)
    of_none = noises[-1]
    prove_none = of_none.bound(rule.beta * share)
    verdict, noise = None, of_none
    if mean - prove_loss > slight and may_be_loss(mean, tolerance, better):
        verdict, noise = Verdict.REGRESSED, of_loss
    elif rule.both_ways:
        if -mean - prove_loss > slight and may_be_gain(mean, tolerance, better):
            verdict, noise = Verdict.IMPROVED, of_loss
        elif abs(mean) + prove_none < whole:
            verdict = Verdict.UNCHANGED
    elif mean + prove_none < whole:
        gained = mean + prove_none < -slight and may_be_gain(mean, tolerance, better)
        verdict = Verdict.IMPROVED if gained else Verdict.UNCHANGED
    half_width = noise.half_width
    return Decision(
        verdict=verdict,
        log_cost=mean,
        low=mean - half_width,
        high=mean + half_width,
        minimum_detectable=max(slight + of_loss.shift(prove_loss), half + of_loss.bound(0.01)),
    )


def pairs_for(deviation: float, tolerance: float, better: Better, rule: Rule) -> int | None:
    """How many pairs that scatter by so much show a loss of the whole tolerance in 99 of 100 runs.

    None where the last look does not.
    """
    within = Within(
        variance=max(0.0, deviation**2 - rule.between_processes**2), freedom=rule.prior_freedom
    )
    for pairs in rule.looks:
        losses = _normal(pairs, deviation)
        found = decide(losses, tolerance, better, rule, within=within)
        if found.minimum_detectable <= log_loss(tolerance, better):
            return pairs
    return None


def counting(losses: Sequence[float], rule: Rule) -> list[int]:
    """Which of the pairs count, from the lowest log cost ratio to the highest."""
    order = sorted(range(len(losses)), key=losses.__getitem__)
    trimmed = rule.trimmed_from is not None and len(losses) >= rule.trimmed_from
    return order[1:-1] if trimmed else order


def _normal(pairs: int, deviation: float) -> list[float]:
    """The log cost ratios to be expected of identical code in pairs: quantiles, scaled."""
    quantiles = [statistics.NormalDist().inv_cdf((k + 0.5) / pairs) for k in range(pairs)]
    scale = deviation / statistics.stdev(quantiles)
    return [scale * each for each in quantiles]


def _middle(losses: Sequence[float], rule: Rule) -> tuple[float, float, int]:
    """The mean of the pairs that count, the variance of one of them, and how many they are.

    Where the extremes do not count, the variance takes them to lie where their neighbours do: the
    trimmed t test (Yuen 1974, doi:10.1093/biomet/61.1.165).
    """
    kept = [losses[pair] for pair in counting(losses, rule)]
    if len(kept) == len(losses):
        return statistics.fmean(kept), _variance(kept), len(kept)
    variance = _variance([kept[0], *kept, kept[-1]])
    return statistics.fmean(kept), variance * (len(losses) - 1) / (len(kept) - 1), len(kept)


def _variance(values: Sequence[float]) -> float:
    # Not that of ``statistics``, which computes with fractions and takes twenty times as long.
    mean = statistics.fmean(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


@dataclass(frozen=True, kw_only=True)
class _Noise:
    """The standard error of the mean of some pairs, and the degrees of freedom behind it."""

    error: float
    freedom: float

    def bound(self, chance: float) -> float:
        """What the mean is off by, to one side, with this chance."""
        # Two pairs of which nothing else is known say nothing.
        return quantile(1 - chance, self.freedom) * self.error if self.freedom > 1 else math.inf

    @property
    def half_width(self) -> float:
        """Half of the interval that holds the truth with 95 % confidence."""
        return quantile(0.975, self.freedom) * self.error

    def shift(self, bound: float) -> float:
        """The true difference whose estimate exceeds a bound in 99 of 100 runs."""
        if math.isinf(bound):
            return bound
        # A t test of a true difference follows the noncentral t distribution.
        return _noncentrality(0.99, self.freedom, bound / self.error) * self.error


def _noise(
    variance: float, counted: int, rule: Rule, within: Within | None, extra_variance: float
) -> _Noise:
    """What is known of the mean of so many pairs, with what their slices say of its noise."""
    freedom = counted - 1
    if within is not None:
        trust = min(within.freedom, rule.prior_freedom)
        prior = within.variance + rule.between_processes**2
        variance = (trust * prior + freedom * variance) / (trust + freedom)
        freedom += trust
    sampling = max(variance, rule.floor**2) / counted
    total = sampling + extra_variance
    # Welch and Satterthwaite: a variance that is given, not estimated, has all freedom.
    return _Noise(error=math.sqrt(total), freedom=freedom * (total / sampling) ** 2)


@lru_cache(1000)
def quantile(probability: float, freedom: float) -> float:
    """The quantile of Student's t distribution."""
    from scipy.special import stdtrit  # noqa: PLC0415  (here: plain `pytest` imports no scipy)

    return float(stdtrit(freedom, probability))


@lru_cache(1000)
def _noncentrality(power: float, freedom: float, bound: float) -> float:
    """The noncentrality at which a t statistic exceeds a bound with this probability."""
    from scipy.special import nctdtrinc  # noqa: PLC0415

    return float(nctdtrinc(freedom, 1 - power, bound))
