"""The decision rule: its arithmetic, and by simulation the rates of error that it promises."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaincinv

from pytest_loaderperf.model.metrics import METRICS, Better
from pytest_loaderperf.model.results import Verdict
from pytest_loaderperf.stats.comparison import scatter_by_part, scatter_if_alike
from pytest_loaderperf.stats.sequential import (
    Decision,
    Rule,
    Within,
    decide,
    log_cost,
    log_loss,
    may_be_gain,
    may_be_loss,
    pairs_for,
    ratio_of,
)

RULE = Rule()
TOLERANCE = 0.1
THROUGHPUT, MEMORY = METRICS["throughput"], METRICS["peak_memory"]
no_deadline = settings(deadline=None)
directions = pytest.mark.parametrize("better", ["higher", "lower"])


def of_loss(fraction: float) -> float:
    return log_loss(fraction, "higher")


def judge(
    losses: Sequence[float],
    tolerance: float = TOLERANCE,
    rule: Rule = RULE,
    within: Within | None = None,
) -> Decision:
    return decide(losses, tolerance, "higher", rule, within=within)


# --- d and ratios -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candidate", "baseline", "better", "expected"),
    [
        (90, 100, "higher", math.log(1 / 0.9)),
        (110, 100, "lower", math.log(1.1)),
        (120, 100, "higher", -math.log(1.2)),
        (50, 100, "lower", -math.log(2)),
        (7, 7, "lower", 0),
    ],
)
def test_a_pair_that_is_worse_costs_more_than_nothing(
    candidate: float, baseline: float, better: Better, expected: float
) -> None:
    assert log_cost(candidate, baseline, better) == pytest.approx(expected)


@given(st.floats(1e-9, 1e12), st.floats(1e-9, 1e12), st.sampled_from(["higher", "lower"]))
@no_deadline
def test_the_cost_of_a_pair_stands_for_its_ratio(
    candidate: float, baseline: float, better: Better
) -> None:
    cost = log_cost(candidate, baseline, better)
    assert ratio_of(cost, better) == pytest.approx(candidate / baseline)


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
@given(loss=st.floats(-0.99, 0.99))
@no_deadline
def test_a_loss_in_per_cent_and_its_d_are_the_same(metric: object, loss: float) -> None:
    assert isinstance(metric, type(THROUGHPUT))
    ratio = ratio_of(log_loss(loss, metric.better_ratio), metric.better_ratio)
    assert metric.loss(ratio) == pytest.approx(loss, abs=1e-12)


def test_a_bound_too_large_for_a_float_is_no_error() -> None:
    assert ratio_of(5000, "lower") > 1e300
    assert ratio_of(-5000, "higher") > 1e300
    assert ratio_of(5000, "higher") == 0


# --- the rule -----------------------------------------------------------------------------------


def test_looks_come_after_even_numbers_of_pairs_and_end_with_the_last_one() -> None:
    assert [pairs for pairs in range(100) if RULE.is_look(pairs)] == [*RULE.looks]
    assert not any(pairs % 2 for pairs in RULE.looks)  # each side went first equally often
    assert RULE.pairs_at_most == RULE.looks[-1]


def test_all_looks_together_spend_the_errors_once_and_the_first_one_most() -> None:
    shares = [RULE.spending(pairs) for pairs in RULE.looks]
    assert sum(shares) == pytest.approx(1)
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 2 / len(shares)
    assert RULE.spending(2 * RULE.pairs_at_most) == shares[-1]  # pooled with a confirmation


@pytest.mark.parametrize("pairs", range(2, RULE.pairs_at_most + 1))
def test_a_sequence_that_ends_early_spends_the_errors_once(pairs: int) -> None:
    before = sum(RULE.spending(look) for look in RULE.looks if look < pairs)
    assert before + RULE.ending.spending(pairs) == pytest.approx(1)


@given(st.integers(0, 100_000))
@no_deadline
def test_a_run_of_many_metrics_raises_one_false_alarm_in_a_hundred(judged: int) -> None:
    rule = Rule.for_metrics(judged)
    assert 0 < rule.alpha <= 0.001
    assert rule.alpha * judged <= 0.01 * (1 + 1e-9)


@pytest.mark.parametrize("loss", [0.0, 0.05, 1.0, -1.0])
@pytest.mark.parametrize("pairs", [0, 1])
def test_fewer_pairs_than_the_first_look_prove_nothing(pairs: int, loss: float) -> None:
    assert judge([loss] * pairs, within=Within(variance=1e-6, freedom=100)).verdict is None


@pytest.mark.parametrize("loss", [0.0, of_loss(0.15), of_loss(0.99)])
def test_two_pairs_alone_prove_nothing(loss: float) -> None:
    assert judge([loss] * 2).verdict is None


@pytest.mark.parametrize("pairs", [0, 1])
def test_without_a_second_pair_nothing_is_bounded(pairs: int) -> None:
    decision = judge([0.3] * pairs)
    assert decision.log_cost == 0.3 * pairs
    assert (decision.low, decision.high, decision.minimum_detectable) == (
        -math.inf,
        math.inf,
        math.inf,
    )


# --- verdicts with a known answer ---------------------------------------------------------------

SCATTER = (0.01, -0.01, 0.004, -0.004, 0.007, -0.007)  # what six quiet pairs may add to a loss


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [
        (0.3, Verdict.REGRESSED),
        (0.1, Verdict.REGRESSED),
        (0.02, Verdict.UNCHANGED),
        (0.0, Verdict.UNCHANGED),
        (-0.02, Verdict.UNCHANGED),
        (-0.3, Verdict.IMPROVED),
    ],
)
@directions
def test_six_quiet_pairs_decide(fraction: float, better: Better, expected: Verdict) -> None:
    losses = [log_loss(fraction, better) + extra for extra in SCATTER]
    assert decide(losses, TOLERANCE, better, RULE).verdict is expected


def test_a_sure_loss_of_less_than_half_the_tolerance_is_no_regression() -> None:
    assert judge([of_loss(0.045)] * 24).verdict is Verdict.UNCHANGED


def test_noise_leaves_it_open() -> None:
    assert judge([0.3, -0.2, 0.25, -0.15]).verdict is None


@given(st.permutations([of_loss(0.04) + extra for extra in SCATTER]))
@no_deadline
def test_the_order_of_pairs_does_not_matter(losses: list[float]) -> None:
    again = judge(sorted(losses))
    assert judge(losses).verdict is again.verdict
    assert judge(losses).high == pytest.approx(again.high)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=24), st.floats(0.01, 0.5))
@no_deadline
def test_the_interval_holds_the_estimate(losses: list[float], tolerance: float) -> None:
    decision = judge(losses, tolerance)
    counted = sorted(losses)[1:-1] if len(losses) >= 12 else losses
    assert decision.log_cost == pytest.approx(statistics.fmean(counted))
    assert decision.low < decision.log_cost < decision.high
    assert decision.minimum_detectable >= of_loss(tolerance / 2)


# --- the floor ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fraction", "tolerance"),
    [(0.0, 0.02), (0.005, 0.02), (0.012, 0.02), (0.019, 0.02), (0.03, 0.04), (0.039, 0.04)],
)
def test_four_pairs_that_agree_by_luck_prove_nothing_close(
    fraction: float, tolerance: float
) -> None:
    lucky = [of_loss(fraction)] * 4
    assert judge(lucky, tolerance).verdict is None
    assert judge(lucky, tolerance, Rule(floor=1e-9)).verdict is not None


def test_four_equal_pairs_prove_what_is_clearly_apart() -> None:
    assert judge([0.0] * 4).verdict is Verdict.UNCHANGED
    assert judge([of_loss(0.2)] * 4).verdict is Verdict.REGRESSED


def test_the_floor_does_not_blur_what_is_noisier() -> None:
    losses = [0.05, -0.02, 0.03, 0.0]
    assert judge(losses) == judge(losses, rule=Rule(floor=0.0))


# --- what the slices of the pairs foretell ------------------------------------------------------

QUIET_SLICES, NOISY_SLICES = (
    Within(variance=0.01**2, freedom=20),
    Within(variance=0.3**2, freedom=20),
)


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0.0, Verdict.UNCHANGED), (0.25, Verdict.REGRESSED), (-0.3, Verdict.IMPROVED), (0.08, None)],
)
def test_two_pairs_of_quiet_slices_decide_what_is_clear(
    fraction: float, expected: Verdict | None
) -> None:
    pairs = [of_loss(fraction) - 0.01, of_loss(fraction) + 0.01]
    assert judge(pairs, within=QUIET_SLICES).verdict is expected


def test_noisy_slices_make_pairs_that_agree_by_luck_prove_nothing() -> None:
    assert judge([0.001, -0.001, 0.002, 0.0]).verdict is Verdict.UNCHANGED
    assert judge([0.001, -0.001, 0.002, 0.0], within=NOISY_SLICES).verdict is None


def test_quiet_slices_do_not_hide_that_pairs_disagree() -> None:
    assert judge([0.2, -0.2], within=QUIET_SLICES).verdict is None
    assert judge([0.2, -0.15, 0.18, -0.2], within=QUIET_SLICES).verdict is None


def test_slices_count_no_more_than_there_are_of_them() -> None:
    losses = [0.01, -0.01, 0.0, 0.02]
    agreeing, without_luck = statistics.variance(losses), Rule(between_processes=0.0)
    highs = [
        judge(losses, rule=without_luck, within=Within(variance=agreeing, freedom=freedom)).high
        for freedom in (1, 2, 5, 50, 500)
    ]
    assert highs[0] > highs[1] > highs[2] == highs[3] == highs[4]
    assert judge(losses, within=Within(variance=0.005**2, freedom=0)).high == pytest.approx(
        judge(losses).high
    )


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=24), st.floats(0, 1), st.integers(0, 100))
@no_deadline
def test_slices_change_the_bounds_and_never_the_estimate(
    losses: list[float], deviation: float, freedom: int
) -> None:
    decision = judge(losses, within=Within(variance=deviation**2, freedom=freedom))
    assert decision.log_cost == judge(losses).log_cost
    assert decision.low < decision.log_cost < decision.high


# --- stored numbers: what is not known of the day and the machine -------------------------------


@pytest.mark.parametrize(
    ("drift", "expected"), [(0.0, Verdict.REGRESSED), (0.01, Verdict.REGRESSED), (0.1, None)]
)
def test_drift_takes_away_certainty(drift: float, expected: Verdict | None) -> None:
    losses = [of_loss(0.2) + extra for extra in SCATTER]
    decision = decide(losses, TOLERANCE, "higher", RULE, extra_variance=drift**2)
    assert decision.verdict is expected


def test_a_variance_that_is_given_counts_as_known() -> None:
    decision = decide([0.0] * 4, TOLERANCE, "higher", RULE, extra_variance=0.1**2)
    assert decision.high == pytest.approx(1.96 * 0.1, rel=0.01)


# --- error rates by simulation ------------------------------------------------------------------
#
# The noise of pairs that run identical code is symmetric, since the two arms can change places.
# Every kind of it has a standard deviation of 1. A promised rate counts as kept only where the
# simulation proves it: the exact binomial limit of the observed rate must not exceed it.

Draws = npt.NDArray[np.float64]
Noise = Callable[[np.random.Generator, tuple[int, int]], Draws]
QUIET, ALL = (0.01, 0.02, 0.04), (0.01, 0.02, 0.04, 0.08)  # standard deviations of a pair


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> Draws:
    return rng.standard_normal(shape)


def student(rng: np.random.Generator, shape: tuple[int, int]) -> Draws:
    """Heavy tails: three degrees of freedom, the fewest that have a finite variance."""
    return rng.standard_t(3, shape) / math.sqrt(3)


def contaminated(rng: np.random.Generator, shape: tuple[int, int]) -> Draws:
    """One pair in ten is five times as noisy as the others."""
    noisier = np.where(rng.random(shape) < 0.1, 5.0, 1.0)
    return rng.standard_normal(shape) * noisier / math.sqrt(0.9 + 0.1 * 5**2)


noises = pytest.mark.parametrize("noise", [normal, student, contaminated])


def outcomes(
    noise: Noise, fraction: float, deviations: Sequence[float], checks: int
) -> Counter[Verdict]:
    """How so many checks at each standard deviation end, all with the same true loss."""
    rng = np.random.default_rng(1)
    return Counter(
        ending((row * deviation + of_loss(fraction)).tolist())
        for deviation in deviations
        for row in noise(rng, (checks, RULE.pairs_at_most))
    )


def ending(losses: Sequence[float]) -> Verdict:
    """The verdict of a check, look after look."""
    for pairs in RULE.looks:
        decision = judge(losses[:pairs])
        if final(decision):
            break
    return decision.verdict or Verdict.INCONCLUSIVE


def final(decision: Decision, rule: Rule = RULE) -> bool:
    """Whether no more pairs are measured after this look."""
    if decision.verdict is Verdict.UNCHANGED and not rule.both_ways:
        return not may_be_gain(decision.log_cost, TOLERANCE, "higher")
    return decision.verdict is not None


def limit(count: int, total: int) -> float:
    """The highest rate of which a count is plausible (Clopper and Pearson, one-sided, 95 %)."""
    return float(betaincinv(count + 1, total - count, 0.95))


@noises
def test_identical_code_is_regressed_at_most_at_rate_alpha(noise: Noise) -> None:
    found = outcomes(noise, 0.0, ALL, 1250)
    assert limit(found[Verdict.REGRESSED], found.total()) <= RULE.alpha


@noises
def test_a_fifth_of_the_tolerance_is_regressed_at_most_at_rate_alpha(noise: Noise) -> None:
    found = outcomes(noise, TOLERANCE / 5, ALL, 3000)
    assert limit(found[Verdict.REGRESSED], found.total()) <= RULE.alpha


@noises
def test_a_loss_of_the_tolerance_is_unchanged_at_most_at_rate_beta(noise: Noise) -> None:
    found = outcomes(noise, TOLERANCE, ALL, 500)
    passed = found[Verdict.UNCHANGED] + found[Verdict.IMPROVED]
    assert limit(passed, found.total()) <= RULE.beta


@noises
def test_identical_code_is_unchanged_in_99_of_100_checks_of_a_quiet_machine(noise: Noise) -> None:
    found = outcomes(noise, 0.0, QUIET, 500)
    assert limit(found.total() - found[Verdict.UNCHANGED], found.total()) <= 0.01


@noises
@pytest.mark.parametrize("loss", [TOLERANCE, 2 * TOLERANCE])
def test_a_loss_beyond_the_tolerance_is_found_in_99_of_100_checks(
    noise: Noise, loss: float
) -> None:
    found = outcomes(noise, loss, QUIET, 500)
    assert limit(found.total() - found[Verdict.REGRESSED], found.total()) <= 0.01


@noises
@pytest.mark.parametrize("gain", [TOLERANCE, 2 * TOLERANCE])
def test_a_gain_of_the_tolerance_is_found_in_99_of_100_checks(noise: Noise, gain: float) -> None:
    found = outcomes(noise, -gain, QUIET, 500)
    assert found[Verdict.REGRESSED] == 0
    assert limit(found.total() - found[Verdict.IMPROVED], found.total()) <= 0.01


@noises
@pytest.mark.parametrize("gain", [0.0, TOLERANCE / 5])
def test_a_slight_gain_is_improved_at_most_at_rate_beta(noise: Noise, gain: float) -> None:
    found = outcomes(noise, -gain, ALL, 500)
    assert limit(found[Verdict.IMPROVED], found.total()) <= RULE.beta


# --- the same, where slices foretell the noise ---------------------------------------------------
#
# A pair is the luck of its two processes plus the mean of its ABBA blocks.


@dataclass(frozen=True)
class Machine:
    """How its noise is made: standard deviations of a pair's luck and of a block."""

    luck: float
    block: float
    blocks: int
    correlation: float = 0.0  # of a block with the one before it
    noise: Noise = normal

    def checks(self, fraction: float, checks: int) -> Draws:
        """Blocks of so many checks: shape (checks, pairs, blocks)."""
        rng = np.random.default_rng(2)
        pairs = (checks, RULE.pairs_at_most)
        shape = (checks * RULE.pairs_at_most, self.blocks)
        blocks = self.noise(rng, shape).reshape(*pairs, self.blocks)
        for i in range(1, self.blocks):
            fresh = math.sqrt(1 - self.correlation**2) * blocks[:, :, i]
            blocks[:, :, i] = self.correlation * blocks[:, :, i - 1] + fresh
        luck = self.luck * self.noise(rng, pairs)[:, :, None]
        return np.asarray(of_loss(fraction) + luck + self.block * blocks)

    def outcomes(self, fraction: float, checks: int) -> Counter[Verdict]:
        """How so many checks end."""
        return Counter(ending_with_slices(check) for check in self.checks(fraction, checks))


def ending_with_slices(check: Draws, rule: Rule = RULE, tolerance: float = TOLERANCE) -> Verdict:
    losses, blocks = check.mean(axis=1).tolist(), check.shape[1]
    variances = check.var(axis=1, ddof=1) / blocks
    for pairs in (look for look in rule.looks if look <= len(losses)):
        within = Within(variance=float(variances[:pairs].mean()), freedom=pairs * (blocks - 1))
        decision = judge(losses[:pairs], tolerance, rule, within)
        if final(decision, rule):
            return decision.verdict or Verdict.INCONCLUSIVE
    return judge(losses, tolerance, rule.ending, within).verdict or Verdict.INCONCLUSIVE


MACHINES = {
    "no luck": Machine(0.0, 0.07, 6),
    "little luck": Machine(0.01, 0.07, 6),
    "as much luck as foreseen": Machine(0.02, 0.07, 6),
    "mostly luck": Machine(0.02, 0.02, 8),
    "few blocks": Machine(0.01, 0.05, 2),
    "heavy tails": Machine(0.01, 0.07, 6, noise=student),
    "bursts": Machine(0.01, 0.05, 6, noise=contaminated),
    "drifting": Machine(0.01, 0.05, 6, correlation=0.5),
}
machines = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)


@machines
def test_slices_keep_false_alarms_at_most_at_rate_alpha(machine: Machine) -> None:
    found = machine.outcomes(0.0, 4000)
    assert limit(found[Verdict.REGRESSED], found.total()) <= RULE.alpha
    assert found[Verdict.INCONCLUSIVE] <= 0.01 * found.total()


@machines
def test_slices_keep_misses_at_most_at_rate_beta(machine: Machine) -> None:
    found = machine.outcomes(TOLERANCE, 2000)
    passed = found[Verdict.UNCHANGED] + found[Verdict.IMPROVED]
    assert limit(passed, found.total()) <= RULE.beta
    assert found[Verdict.REGRESSED] >= 0.99 * found.total()


@machines
def test_slices_do_not_hide_gains(machine: Machine) -> None:
    found = machine.outcomes(-TOLERANCE, 1000)
    assert limit(found.total() - found[Verdict.IMPROVED], found.total()) <= 0.05
    slight = machine.outcomes(-TOLERANCE / 5, 1000)
    assert limit(slight[Verdict.IMPROVED], slight.total()) <= RULE.beta


# --- neither side is the older one ---------------------------------------------------------------

BOTH_WAYS = RULE.for_differences(1)
MIRRORED = {Verdict.REGRESSED: Verdict.IMPROVED, Verdict.IMPROVED: Verdict.REGRESSED}


@given(st.lists(st.floats(-0.3, 0.3), min_size=2, max_size=24))
@no_deadline
def test_both_ways_it_does_not_matter_which_side_is_which(losses: list[float]) -> None:
    within = Within(variance=1e-4, freedom=10)
    found = judge(losses, rule=BOTH_WAYS, within=within)
    mirrored = judge([-loss for loss in losses], rule=BOTH_WAYS, within=within)
    verdict = found.verdict
    assert mirrored.verdict == (None if verdict is None else MIRRORED.get(verdict, verdict))
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))


def differing(machine: Machine, fraction: float, checks: int = 1000) -> Counter[Verdict]:
    return Counter(
        ending_with_slices(check, BOTH_WAYS) for check in machine.checks(fraction, checks)
    )


@machines
def test_both_ways_identical_loaders_are_called_different_at_most_at_rate_alpha(
    machine: Machine,
) -> None:
    found = differing(machine, 0.0, 4000)
    different = found[Verdict.REGRESSED] + found[Verdict.IMPROVED]
    assert limit(different, found.total()) <= RULE.alpha


@machines
@pytest.mark.parametrize("loss", [TOLERANCE, -TOLERANCE / (1 - TOLERANCE)])
def test_both_ways_a_difference_of_the_tolerance_is_alike_at_most_at_rate_beta(
    machine: Machine, loss: float
) -> None:
    found = differing(machine, loss)
    right = Verdict.REGRESSED if loss > 0 else Verdict.IMPROVED
    assert found[MIRRORED[right]] == 0
    assert limit(found[Verdict.UNCHANGED], found.total()) <= RULE.beta


@pytest.mark.parametrize("loss", [0.15, -0.15])
def test_both_ways_a_difference_beyond_the_tolerance_is_found(loss: float) -> None:
    found = differing(MACHINES["as much luck as foreseen"], loss)
    right = Verdict.REGRESSED if loss > 0 else Verdict.IMPROVED
    assert limit(found.total() - found[right], found.total()) <= 0.01


@pytest.mark.parametrize("comparisons", [1, 3])
def test_several_comparisons_both_ways_share_the_chance_to_err(comparisons: int) -> None:
    rule = RULE.for_differences(comparisons)
    assert 2 * comparisons * rule.alpha == pytest.approx(RULE.alpha)
    assert (rule.beta, rule.confirming.both_ways, rule.ending.both_ways) == (RULE.beta, True, True)


@machines
@pytest.mark.parametrize("pairs", [3, 7])  # the others are ends of each other's sequences
def test_a_check_that_runs_out_of_time_errs_no_more_often(machine: Machine, pairs: int) -> None:
    alarms = Counter(ending_with_slices(c[:pairs]) for c in machine.checks(0.0, 4000))
    assert limit(alarms[Verdict.REGRESSED], alarms.total()) <= RULE.alpha
    misses = Counter(ending_with_slices(c[:pairs]) for c in machine.checks(TOLERANCE, 8000))
    passed = misses[Verdict.UNCHANGED] + misses[Verdict.IMPROVED]
    assert limit(passed, misses.total()) <= RULE.beta


# What a budget of a minute holds at worst: so many pairs, and so many of fresh processes.
FIRST, AGAIN = 6, 2
STEADY = Machine(0.01, 0.03, 12)


def confirmed(fraction: float, start: float, checks: int) -> int:
    """How many checks are regressed, and confirmed by fresh processes.

    ``start`` is the standard deviation of the luck that all pairs of one start share.
    """
    pairs = STEADY.checks(fraction, checks)[:, : FIRST + AGAIN]
    luck = start * np.random.default_rng(3).standard_normal((checks, 2))
    found = 0
    for check, (first, again) in zip(pairs, luck, strict=True):
        found += regressed(check[:FIRST] + first) and regressed(
            check[FIRST:] + again, RULE.confirming
        )
    return found


def regressed(check: Draws, rule: Rule = RULE, tolerance: float = TOLERANCE) -> bool:
    return ending_with_slices(check, rule, tolerance) is Verdict.REGRESSED


def bears_out(first: Draws, again: Draws, tolerance: float) -> bool:
    """Whether fresh pairs bear out what pairs of some starts have found, as a check has it."""
    if not regressed(first, RULE, tolerance):
        return False
    if regressed(again, RULE.confirming, tolerance):
        return True
    pairs = np.concatenate([first, again])
    within = Within(
        variance=float(pairs.var(axis=1, ddof=1).mean()) / pairs.shape[1], freedom=pairs.size
    )
    pooled = judge(pairs.mean(axis=1).tolist(), tolerance, RULE.ending, within).verdict
    likely = may_be_loss(float(again.mean()), tolerance, "higher")
    return likely and pooled is Verdict.REGRESSED


def test_a_minute_is_enough_to_confirm_a_loss_of_the_tolerance() -> None:
    assert confirmed(TOLERANCE, 0.0, 2000) >= 0.99 * 2000


def test_the_luck_of_one_start_is_not_confirmed() -> None:
    assert limit(confirmed(0.0, 0.02, 5000), 5000) <= RULE.alpha


def of_two_starts(fraction: float, start: float, checks: int) -> int:
    """How many checks of two starts of two pairs are regressed, and so is the later one alone."""
    luck = start * np.random.default_rng(5).standard_normal((checks, 2)).repeat(2, axis=1)
    pairs = STEADY.checks(fraction, checks)[:, :4] + luck[:, :, None]
    return sum(regressed(check) and regressed(check[2:], RULE.confirming) for check in pairs)


def test_two_starts_bear_out_a_loss_of_the_tolerance() -> None:
    assert of_two_starts(TOLERANCE, 0.0, 1000) >= 0.99 * 1000


def test_the_luck_of_two_starts_bears_out_nothing() -> None:
    assert limit(of_two_starts(0.0, 0.02, 5000), 5000) <= RULE.alpha
    assert limit(of_two_starts(0.02, 0.02, 5000), 5000) <= 0.005


@pytest.mark.parametrize("start", [0.0, 0.015])
def test_what_pairs_of_many_starts_have_found_is_not_lost_again(start: float) -> None:
    """A tolerance of 5 %, and pairs that scatter by 4 %: 24, and 10 that are to confirm it."""
    noisy = Machine(0.038, 0.03, 8)
    luck = start * np.random.default_rng(8).standard_normal((2000, 17)).repeat(2, axis=1)

    def checks(fraction: float) -> Draws:
        more = np.concatenate(
            [noisy.checks(fraction, 2000), noisy.checks(fraction, 4000)[2000:]], 1
        )
        return np.asarray(more[:, :34] + luck[:, :, None])

    losses = [check for check in checks(0.05) if regressed(check[:24], RULE, 0.05)]
    alone = sum(regressed(check[24:], RULE.confirming, 0.05) for check in losses)
    together = sum(bears_out(check[:24], check[24:], 0.05) for check in losses)
    assert len(losses) - together <= (len(losses) - alone) / 2
    assert not any(bears_out(check[:24], check[24:], 0.05) for check in checks(0.0))


def test_pairs_of_many_starts_hide_no_loss_and_invent_none() -> None:
    """A tolerance of 5 %, where each start of the arms has a luck of 1.5 %."""
    luck = 0.015 * np.random.default_rng(7).standard_normal((2000, RULE.pairs_at_most))

    def ended(fraction: float, of_a_start: int) -> Counter[Verdict]:
        starts = np.repeat(luck, of_a_start, axis=1)[:, : RULE.pairs_at_most, None]
        checks = STEADY.checks(fraction, len(luck)) + starts
        return Counter(ending_with_slices(check, tolerance=0.05) for check in checks)

    assert ended(0.05, 2)[Verdict.REGRESSED] >= 0.97 * len(luck)
    assert ended(0.05, 24)[Verdict.REGRESSED] < 0.95 * len(luck)
    assert ended(0.0, 2)[Verdict.REGRESSED] == 0 < ended(0.0, 24)[Verdict.REGRESSED]


def test_slices_save_pairs() -> None:
    checks = MACHINES["little luck"].checks(0.0, 500)
    known = Counter(
        judge(row[:4], within=Within(variance=0.07**2 / 6, freedom=20)).verdict
        for row in checks.mean(axis=2).tolist()
    )
    unknown = Counter(judge(row[:4]).verdict for row in checks.mean(axis=2).tolist())
    assert known[Verdict.UNCHANGED] > 2 * unknown[Verdict.UNCHANGED]


@pytest.mark.parametrize("pairs", [8, 24])
def test_the_detectable_loss_is_detected_in_99_of_100_runs(pairs: int) -> None:
    rng = np.random.default_rng(1)
    deviation = 0.04
    # Not a draw of them: how far its extremes lie out, of which 24 pairs say nothing, is luck.
    typical = [statistics.NormalDist().inv_cdf((k + 0.5) / pairs) for k in range(pairs)]
    scale = deviation / statistics.stdev(typical)
    loss = judge([scale * each for each in typical]).minimum_detectable
    runs = rng.standard_normal((2000, pairs)) * deviation + loss
    missed = sum(judge(run.tolist()).verdict is not Verdict.REGRESSED for run in runs)
    assert missed / len(runs) <= 0.015


# --- where the extremes do not count, as for memory ---------------------------------------------

TRIMMED = replace(RULE, between_processes=0.015, looks=tuple(range(2, 11)), trimmed_from=6)


@pytest.mark.parametrize(("rule", "pairs"), [(RULE, 4), (RULE, 24), (TRIMMED, 6), (TRIMMED, 10)])
def test_the_interval_covers_the_truth_in_95_of_100_runs(rule: Rule, pairs: int) -> None:
    rng = np.random.default_rng(1)
    runs = rng.standard_normal((2000, pairs)) * 0.04
    decisions = [judge(run.tolist(), rule=rule) for run in runs]
    covered = sum(decision.low < 0 < decision.high for decision in decisions)
    assert covered / len(decisions) == pytest.approx(0.95, abs=0.015)


@given(st.lists(st.floats(-0.5, 0.5), min_size=5, max_size=9), st.floats(0, 5))
@no_deadline
def test_how_far_out_the_highest_and_the_lowest_lie_does_not_matter(
    losses: list[float], further: float
) -> None:
    near = judge([min(losses), *losses, max(losses)], rule=TRIMMED)
    far = judge([min(losses) - further, *losses, max(losses) + further], rule=TRIMMED)
    assert near == far


def test_few_pairs_count_all() -> None:
    losses = [0.0, 0.0, 0.0, 0.0, 0.1]
    assert judge(losses, rule=TRIMMED) == judge(losses, rule=replace(TRIMMED, trimmed_from=None))


def test_outliers_among_many_pairs_do_not_hide_a_loss() -> None:
    """As a pipeline that tunes itself has them: a tolerance of 5 %, and 6 in 100 pairs far off."""
    checks = Machine(0.021, 0.03, 8).checks(0.05, 1000)
    rng = np.random.default_rng(6)
    far = rng.random(checks.shape[:2]) < 0.06
    checks += (far * 0.09 * rng.standard_normal(far.shape))[:, :, None]

    def found(rule: Rule) -> int:
        ended = [ending_with_slices(check, rule, 0.05) for check in checks]
        return ended.count(Verdict.REGRESSED)

    assert found(RULE) >= 970
    assert found(replace(RULE, trimmed_from=None)) < 960


def ending_trimmed(losses: Sequence[float]) -> Verdict:
    """The verdict of a check, look after look; of a change only from the fourth pair on."""
    for pairs in TRIMMED.looks:
        found = judge(losses[:pairs], rule=TRIMMED, within=Within(variance=0.0, freedom=5)).verdict
        if found is Verdict.UNCHANGED or (found is not None and pairs >= 4):
            return found
    return Verdict.INCONCLUSIVE


@noises
@pytest.mark.parametrize("deviation", [0.005, 0.01, 0.02])
def test_trimmed_checks_keep_both_rates(noise: Noise, deviation: float) -> None:
    draws = deviation * noise(np.random.default_rng(4), (4000, TRIMMED.looks[-1]))
    same = Counter(ending_trimmed(row.tolist()) for row in draws)
    assert limit(same[Verdict.REGRESSED], same.total()) <= TRIMMED.alpha
    assert same[Verdict.INCONCLUSIVE] <= 0.01 * same.total()
    worse = Counter(ending_trimmed((row + of_loss(TOLERANCE)).tolist()) for row in draws)
    passed = worse[Verdict.UNCHANGED] + worse[Verdict.IMPROVED]
    assert limit(passed, worse.total()) <= TRIMMED.beta


# --- how many pairs it takes --------------------------------------------------------------------


@pytest.mark.parametrize("deviation", [0.01, 0.02, 0.04])
def test_so_many_pairs_find_the_loss_in_99_of_100_runs(deviation: float) -> None:
    pairs = pairs_for(deviation, TOLERANCE, "higher", RULE)
    assert pairs is not None
    rng = np.random.default_rng(1)
    within = Within(variance=max(0.0, deviation**2 - RULE.between_processes**2), freedom=20)
    runs = rng.standard_normal((2000, pairs)) * deviation + of_loss(TOLERANCE)
    missed = sum(
        judge(run.tolist(), within=within).verdict is not Verdict.REGRESSED for run in runs
    )
    assert missed / len(runs) <= 0.02


@given(st.floats(0.001, 0.3), st.floats(0.02, 0.4))
@no_deadline
def test_less_noise_and_a_wider_tolerance_take_no_more_pairs(
    deviation: float, tolerance: float
) -> None:
    def needed(deviation: float, tolerance: float) -> float:
        pairs = pairs_for(deviation, tolerance, "higher", RULE)
        return math.inf if pairs is None else pairs

    assert needed(deviation, tolerance) <= needed(deviation * 1.5, tolerance)
    assert needed(deviation, tolerance * 1.5) <= needed(deviation, tolerance)


def test_hopeless_noise_takes_more_pairs_than_there_are() -> None:
    assert pairs_for(0.5, TOLERANCE, "higher", RULE) is None


# --- epochs, whose parts are compared ------------------------------------------------------------


@dataclass(frozen=True)
class Epochs:
    """How the parts of an epoch scatter: their shares of its time, and the noise of each."""

    shares: tuple[float, ...]
    noise: tuple[float, ...]

    def verdicts(self, loss: Sequence[float], checks: int) -> list[tuple[Verdict | None, int]]:
        """How so many checks end and after how many pairs, if parts lose so much of their time."""
        rng = np.random.default_rng(4)
        shape = (checks, 2, 8, len(self.shares))
        noise = np.divide(self.noise, math.sqrt(2)) * rng.normal(size=shape)
        seconds: Draws = np.asarray(self.shares) * np.exp(noise)
        seconds[:, 0] *= 1 + np.asarray(loss)
        return [self._verdict(check[0], check[1]) for check in seconds]

    def _verdict(self, candidate: Draws, baseline: Draws) -> tuple[Verdict | None, int]:
        verdict = None
        for pairs in (2, 4, 6, 8):
            parts = [
                list(zip(c.tolist(), b.tolist(), strict=True))
                for c, b in zip(candidate[:pairs], baseline[:pairs], strict=True)
            ]
            losses = np.log(candidate.sum(axis=1) / baseline.sum(axis=1))[:pairs].tolist()
            verdict = decide(
                losses,
                TOLERANCE,
                "higher",
                RULE if pairs < 8 else RULE.ending,
                within=scatter_by_part(parts),
                if_alike=scatter_if_alike(parts),
            ).verdict
            if verdict is not None:
                break
        return verdict, pairs


QUARTERS = (0.25,) * 4
EPOCHS = {
    "quiet": Epochs(QUARTERS, (0.005,) * 4),
    "some noise": Epochs(QUARTERS, (0.03,) * 4),
    "much noise": Epochs(QUARTERS, (0.1,) * 4),
    "noise in one part": Epochs(QUARTERS, (0.1, 0.005, 0.005, 0.005)),
    "half of the time in one part": Epochs((0.5, 0.2, 0.2, 0.1), (0.05, 0.01, 0.01, 0.01)),
    "nearly all of it": Epochs((0.94, 0.02, 0.02, 0.02), (0.03, 0.03, 0.03, 0.03)),
}
epochs = pytest.mark.parametrize("epoch", EPOCHS.values(), ids=EPOCHS)


@epochs
@pytest.mark.parametrize("where", ["everywhere", "in the first part"])
def test_a_loss_in_an_epoch_is_not_called_unchanged(epoch: Epochs, where: str) -> None:
    loss = [1 / (1 - TOLERANCE) - 1] * len(epoch.shares)
    if where == "in the first part":
        loss = [loss[0] / epoch.shares[0], *([0.0] * (len(epoch.shares) - 1))]
    ends = Counter(verdict for verdict, _ in epoch.verdicts(loss, 800))
    assert limit(ends[Verdict.UNCHANGED] + ends[Verdict.IMPROVED], 800) <= RULE.beta


def test_parts_of_quiet_epochs_settle_identical_code_after_two_pairs() -> None:
    for epoch in (EPOCHS["quiet"], EPOCHS["some noise"]):
        ends = epoch.verdicts([0.0] * 4, 400)
        assert {verdict for verdict, _ in ends} == {Verdict.UNCHANGED}
        assert statistics.fmean(pairs for _, pairs in ends) < 2.5


def test_a_part_that_is_nearly_all_of_an_epoch_counts_as_one() -> None:
    """Its pairs alone say how it scatters: two of them are not enough."""
    ends = EPOCHS["nearly all of it"].verdicts([0.0] * 4, 400)
    assert Counter(pairs for _, pairs in ends)[2] < 40
