"""Comparisons: the verdict on pairs, on stored numbers, and at a glance."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.model.metrics import METRICS, Metric, Tolerance
from pytest_loaderperf.model.results import Comparison, Verdict
from pytest_loaderperf.settings import RunSettings
from pytest_loaderperf.stats.comparison import (
    compare,
    compare_stored,
    fast_path,
    is_confirmed,
    looks_changed,
    scatter,
    scatter_by_part,
    scatter_if_alike,
    settled,
    spread,
    typical,
)
from pytest_loaderperf.stats.sequential import Rule

MIB = 2**20
THROUGHPUT, MEMORY, FIRST = (METRICS[n] for n in ("throughput", "peak_memory", "first_batch"))
no_deadline = settings(deadline=None)
values = st.floats(1e-3, 1e9)
pairs_of_values = st.lists(st.tuples(values, values), min_size=1, max_size=24)


def judge(
    candidate: Sequence[float],
    baseline: Sequence[float],
    metric: Metric = THROUGHPUT,
    tolerance: Tolerance | None = None,
) -> Comparison:
    return compare(
        metric, candidate, baseline, tolerance or metric.tolerance, Rule(), judged=True, source="x"
    )


def around(value: float) -> list[float]:
    """Six quiet measurements of a value."""
    return [value * factor for factor in (1.005, 0.995, 1.002, 0.998, 1.004, 0.996)]


# --- pairs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "ratio", "verdict"),
    [
        ("throughput", 0.8, "regressed"),
        ("throughput", 1.0, "unchanged"),
        ("throughput", 1.3, "improved"),
        ("peak_memory", 1.2, "regressed"),
        ("peak_memory", 1.0, "unchanged"),
        ("peak_memory", 0.7, "improved"),
        ("first_batch", 1.5, "regressed"),
        ("first_batch", 0.5, "improved"),
        ("cpu_time", 1.3, "regressed"),
        ("cpu_time", 0.7, "improved"),
    ],
)
def test_a_clear_ratio_gives_its_verdict(metric: str, ratio: float, verdict: str) -> None:
    baseline = 1000.0 * MIB  # of whatever unit: absolute tolerances do not matter
    comparison = judge(around(ratio * baseline), [baseline] * 6, METRICS[metric])
    assert comparison.verdict is Verdict(verdict)
    assert comparison.ratio == pytest.approx(ratio, rel=0.001)


def test_a_comparison_tells_all_that_a_report_needs() -> None:
    comparison = judge(around(80), around(100))
    assert comparison.metric == "throughput"
    assert comparison.value == pytest.approx(80, rel=0.001)
    assert comparison.baseline == pytest.approx(100, rel=0.001)
    assert (comparison.tolerance, comparison.pairs, comparison.source) == (0.1, 6, "x")
    assert comparison.minimum_detectable is not None
    assert 0.05 <= comparison.minimum_detectable < 0.1


def test_pairs_that_do_not_decide_are_inconclusive() -> None:
    comparison = judge([100, 60, 130, 90], [100] * 4)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.minimum_detectable is not None
    assert comparison.minimum_detectable > 0.2


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
@given(pairs=pairs_of_values)
@no_deadline
def test_any_values_can_be_compared(metric: Metric, pairs: list[tuple[float, float]]) -> None:
    candidate, baseline = [c for c, _ in pairs], [b for _, b in pairs]
    comparison = judge(candidate, baseline, metric)
    assert comparison.ratio is not None
    assert comparison.interval is not None
    low, high = comparison.interval
    assert low <= comparison.ratio <= high
    if len(pairs) < 3:
        assert comparison.verdict is Verdict.INCONCLUSIVE


@given(pairs_of_values)
@no_deadline
def test_the_ratio_is_that_of_the_typical_values(pairs: list[tuple[float, float]]) -> None:
    comparison = judge([c for c, _ in pairs], [b for _, b in pairs])
    assert comparison.baseline is not None
    assert comparison.ratio == pytest.approx(comparison.value / comparison.baseline)


def test_two_pairs_that_disagree_widely_are_no_error() -> None:
    assert judge([0.2, 0.1], [0.1, 0.2], FIRST).verdict is Verdict.INCONCLUSIVE


def test_one_pair_bounds_nothing() -> None:
    assert judge([90.0], [100.0]).interval == (0, math.inf)


# --- the parts of a pair ------------------------------------------------------------------------


def test_parts_that_keep_one_ratio_foretell_pairs_that_do() -> None:
    found = scatter([[(90, 100), (45, 50), (180, 200)], [(8, 10), (4, 5), (12, 15)]])
    assert found is not None
    assert found.variance == pytest.approx(0)
    assert found.freedom == 4


def test_a_pair_is_as_uncertain_as_the_mean_of_its_parts() -> None:
    one, other = math.exp(0.1), math.exp(-0.1)  # a variance of 0.02, of the mean 0.01
    found = scatter([[(one, 1), (other, 1)], [(1, 1), (1, 1)]])
    assert found is not None
    assert found.variance == pytest.approx(0.01 / 2)
    assert found.freedom == 2


@pytest.mark.parametrize("pairs", [[], [[]], [[(1.0, 2.0)], [(1.0, 2.0)]]])
def test_single_parts_foretell_nothing(pairs: list[list[tuple[float, float]]]) -> None:
    assert scatter(pairs) is None


@given(st.lists(st.lists(st.tuples(values, values), max_size=8), max_size=8))
@no_deadline
def test_any_parts_can_be_compared(pairs: list[list[tuple[float, float]]]) -> None:
    found = scatter(pairs)
    if found is not None:
        assert found.variance >= 0
        assert found.freedom == sum(len(parts) - 1 for parts in pairs if parts)


# --- the parts of an epoch ----------------------------------------------------------------------


def test_a_loss_that_lives_in_one_part_is_no_noise() -> None:
    found = scatter_by_part([[(1, 1), (9, 3), (2, 2)]] * 3)
    assert found is not None
    assert found.variance == pytest.approx(0)
    assert found.freedom == 2 * 3
    as_if_alike = scatter_if_alike([[(1, 1), (9, 3), (2, 2)]] * 3)
    assert as_if_alike is not None
    assert as_if_alike.variance > 0.1


def test_what_a_machine_does_to_a_part_of_one_pair_is_noise() -> None:
    found = scatter_by_part([[(5, 5), (5, 5)], [(6, 5), (5, 5)]])
    assert found is not None
    assert found.variance == pytest.approx(statistics.variance([0.0, 0.1 / math.sqrt(1.1)]))
    assert found.freedom == 1  # it is one part alone
    if_alike = scatter_if_alike([[(5, 5), (5, 5)], [(6, 5), (5, 5)]])
    assert if_alike is not None
    assert if_alike.variance == found.variance


def test_a_machine_that_becomes_slower_for_both_sides_is_no_noise() -> None:
    found = scatter_by_part([[(5, 5), (2, 1)], [(10, 10), (4, 2)]])
    assert found is not None
    assert found.variance == pytest.approx(0)


def test_parts_foretell_how_much_whole_pairs_scatter() -> None:
    generator = random.Random(7)
    pairs = [
        [(generator.gauss(1.0, 0.04), generator.gauss(1.0, 0.04)) for _ in range(16)]
        for _ in range(500)
    ]
    found, inside = scatter_by_part(pairs), scatter_if_alike(pairs)
    losses = [
        math.log(sum(candidate for candidate, _ in parts) / sum(baseline for _, baseline in parts))
        for parts in pairs
    ]
    assert found is not None
    assert inside is not None
    assert found.variance == pytest.approx(statistics.variance(losses), rel=0.2)
    assert inside.variance == pytest.approx(statistics.variance(losses), rel=0.2)
    assert inside.freedom > 500 * 14


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [[(1.0, 2.0), (1.0, 2.0)]],
        [[], []],
        [[(1.0, 2.0), (1.0, 2.0)], [(1.0, 2.0)]],
    ],
)
def test_one_pair_or_parts_of_other_batches_foretell_nothing(
    pairs: list[list[tuple[float, float]]],
) -> None:
    assert scatter_by_part(pairs) is None
    assert scatter_if_alike(pairs) is None


parts_of_epochs = st.lists(st.lists(st.tuples(values, values), min_size=3, max_size=3), max_size=8)


@given(parts_of_epochs)
@no_deadline
def test_any_parts_of_epochs_can_be_compared(pairs: list[list[tuple[float, float]]]) -> None:
    found, inside = scatter_by_part(pairs), scatter_if_alike(pairs)
    assert (found is None) == (len(pairs) < 2)
    if found is not None:
        assert found.variance >= 0
        assert 1 <= found.freedom <= 3 * (len(pairs) - 1)
    if inside is not None:
        assert found is not None
        assert inside.variance >= found.variance
        assert 0 <= inside.freedom <= 2 * len(pairs)


@given(parts_of_epochs)
@no_deadline
def test_which_side_is_which_does_not_matter(pairs: list[list[tuple[float, float]]]) -> None:
    turned = [[(baseline, candidate) for candidate, baseline in parts] for parts in pairs]
    for foretold in (scatter_by_part, scatter_if_alike):
        one, other = foretold(pairs), foretold(turned)
        assert (one is None) == (other is None)
        if one and other:
            assert one.variance == pytest.approx(other.variance)


@given(st.integers(2, 6), st.integers(2, 9), st.floats(0.9, 0.999))
def test_a_part_that_is_nearly_all_of_a_pair_says_nothing(
    pairs: int, parts: int, share: float
) -> None:
    rest = [((1 - share) / (parts - 1),) * 2] * (parts - 1)
    found = scatter_if_alike([[(share * (1 + 0.1 * (n % 2)), share), *rest] for n in range(pairs)])
    assert found is not None
    assert found.freedom <= 0.3 * pairs


@given(st.integers(2, 6), st.floats(0.01, 0.2))
def test_parts_that_scatter_alike_are_worth_as_many_degrees(pairs: int, noise: float) -> None:
    made = [[(1 + noise * (n % 2), 1.0)] * 8 for n in range(pairs)]
    found = scatter_by_part(made)
    assert found is not None
    assert found.freedom == 8 * (pairs - 1)


# --- small amounts of memory --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candidate", "baseline", "regressed"),
    [
        (53 * MIB, 50 * MIB, False),
        (80 * MIB, 50 * MIB, True),
        (10249 * MIB, 10240 * MIB, False),
        (11500 * MIB, 10240 * MIB, True),
        (4096, 0, False),
        (3 * MIB, 0, False),
        (100 * MIB, 0, True),
        (100 * MIB, 4096, True),
        (0, 0, False),
    ],
)
def test_a_loss_of_memory_counts_beyond_share_and_amount(
    candidate: float, baseline: float, regressed: bool
) -> None:
    verdict = judge([candidate] * 6, [baseline] * 6, MEMORY).verdict
    assert verdict is (Verdict.REGRESSED if regressed else Verdict.UNCHANGED)


def test_peaks_of_almost_nothing_are_alike() -> None:
    comparison = judge([4096, 0, 300_000, 0], [0, 900_000, 0, 8192], MEMORY)
    assert comparison.ratio == 1
    assert comparison.verdict is Verdict.UNCHANGED


# --- stored numbers -----------------------------------------------------------------------------


def judge_stored(ratio: float, spread: float, drift: float) -> Comparison:
    stored = 1000.0, spread
    return compare_stored(
        THROUGHPUT,
        around(ratio * 1000),
        stored,
        Tolerance(relative=0.1),
        Rule(),
        judged=True,
        drift=drift,
    )


def test_without_a_stored_number_there_is_no_baseline() -> None:
    comparison = compare_stored(
        THROUGHPUT, [90.0, 110.0], None, Tolerance(relative=0.1), Rule(), judged=False, drift=0.1
    )
    assert comparison.verdict is Verdict.NO_BASELINE
    assert comparison.baseline is None
    assert not comparison.judged
    assert 90 < comparison.value < 110


@pytest.mark.parametrize(
    ("ratio", "spread", "drift", "verdict"),
    [
        (0.8, 0.0, 0.0, "regressed"),
        (1.0, 0.0, 0.0, "unchanged"),
        (1.3, 0.0, 0.0, "improved"),
        (0.8, 0.01, 0.0, "regressed"),
        (0.8, 0.1, 0.0, "inconclusive"),
        (0.8, 0.0, 0.1, "inconclusive"),
        (1.0, 0.0, 0.1, "inconclusive"),
        (0.4, 0.0, 0.1, "regressed"),
    ],
)
def test_spread_and_drift_widen_a_comparison_with_stored_numbers(
    ratio: float, spread: float, drift: float, verdict: str
) -> None:
    comparison = judge_stored(ratio, spread, drift)
    assert comparison.verdict is Verdict(verdict)
    assert comparison.baseline == pytest.approx(1000)
    assert comparison.source == "stored numbers"


def test_a_shared_machine_of_another_hour_is_no_regression() -> None:
    # As it was seen of identical code, minutes apart.
    drift = RunSettings().drift
    assert judge_stored(0.66, 0.01, drift).verdict is Verdict.INCONCLUSIVE
    assert judge_stored(0.35, 0.01, drift).verdict is Verdict.REGRESSED


def test_a_wider_comparison_says_so() -> None:
    narrow, wide = judge_stored(1.0, 0.0, 0.0), judge_stored(1.0, 0.05, 0.1)
    assert narrow.interval is not None
    assert wide.interval is not None
    assert wide.interval[0] < narrow.interval[0] < narrow.interval[1] < wide.interval[1]
    assert narrow.minimum_detectable is not None
    assert wide.minimum_detectable is not None
    assert wide.minimum_detectable > 0.3 > narrow.minimum_detectable


# --- at a glance --------------------------------------------------------------------------------


def at_a_glance(value: float, stored: float) -> Verdict | None:
    comparison = fast_path(MEMORY, value, stored, MEMORY.tolerance, judged=True)
    return comparison.verdict if comparison else None


@pytest.mark.parametrize(
    ("value", "stored", "verdict"),
    [
        (1000, 1000, Verdict.UNCHANGED),
        (1020, 1000, Verdict.UNCHANGED),
        (980, 1000, Verdict.UNCHANGED),
        (960, 1000, None),
        (900, 1000, None),
        (1040, 1000, None),  # below the tolerance, but near enough to measure
        (1200, 1000, None),
        (53, 50, Verdict.UNCHANGED),
        (57, 50, None),
        (0, 0, Verdict.UNCHANGED),
        (1, 0, Verdict.UNCHANGED),
        (1000, 0, None),
        (0, 1000, None),
    ],
)
def test_a_glance_settles_what_has_not_moved(
    value: float, stored: float, verdict: Verdict | None
) -> None:
    assert at_a_glance(value * MIB, stored * MIB) is verdict


@given(st.floats(0, 1e12), st.floats(0, 1e12))
@no_deadline
def test_a_glance_proves_no_change(value: float, stored: float) -> None:
    assert at_a_glance(value, stored) in {None, Verdict.UNCHANGED}


@pytest.mark.parametrize("judged", [True, False])
def test_a_glance_tells_what_it_saw(judged: bool) -> None:
    value, stored = 990.0 * MIB, 1000.0 * MIB
    comparison = fast_path(MEMORY, value, stored, Tolerance(relative=0.05), judged=judged)
    assert comparison is not None
    assert (comparison.value, comparison.baseline, comparison.ratio) == (value, stored, 0.99)
    assert (comparison.judged, comparison.tolerance) == (judged, 0.05)


# --- several values -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ({"throughput": "unchanged", "first_batch": "inconclusive"}, True),
        ({"throughput": "inconclusive", "first_batch": "unchanged"}, False),
        ({"throughput": "regressed"}, True),
        ({}, True),
    ],
)
def test_what_is_not_judged_need_not_be_settled(verdicts: dict[str, str], expected: bool) -> None:
    found = {
        name: Comparison(
            metric=name, value=1.0, judged=name == "throughput", verdict=Verdict(verdict)
        )
        for name, verdict in verdicts.items()
    }
    assert settled(found) == expected


@pytest.mark.parametrize(
    ("metric", "ratio", "verdict", "expected"),
    [
        ("throughput", 1.06, "unchanged", False),
        ("throughput", 1.04, "unchanged", True),
        ("throughput", 0.94, "unchanged", True),
        ("cpu_time", 0.94, "unchanged", False),
        ("cpu_time", 1.06, "unchanged", True),
        ("throughput", 1.06, "improved", True),
    ],
)
def test_what_may_yet_be_proven_to_be_a_gain_is_not_settled(
    metric: str, ratio: float, verdict: str, expected: bool
) -> None:
    found = Comparison(
        metric=metric, value=1.0, judged=True, verdict=Verdict(verdict), ratio=ratio, tolerance=0.1
    )
    assert settled({metric: found}) == expected
    assert settled({metric: replace(found, judged=False)})
    assert settled({metric: found}, both_ways=True)  # which rules a gain out


@pytest.mark.parametrize(
    ("ratio", "verdict", "older", "neither"),
    [
        (0.94, "inconclusive", True, True),
        (1.06, "inconclusive", False, True),
        (0.96, "inconclusive", False, False),
        (0.94, "unchanged", False, False),
        (1.06, "improved", False, False),
    ],
)
def test_what_looks_changed_is_a_loss_or_where_neither_is_older_a_gain(
    ratio: float, verdict: str, *, older: bool, neither: bool
) -> None:
    found = Comparison(
        metric="throughput",
        value=1.0,
        judged=True,
        verdict=Verdict(verdict),
        ratio=ratio,
        tolerance=0.1,
    )
    rule = Rule()
    assert looks_changed({"throughput": found}, rule) is older
    assert looks_changed({"throughput": found}, rule.for_differences(1)) is neither
    unjudged = replace(found, judged=False)
    assert not looks_changed({"throughput": unjudged}, rule.for_differences(1))


@pytest.mark.parametrize(
    ("again", "ratio", "together", "expected"),
    [
        (Verdict.REGRESSED, 0.9, Verdict.INCONCLUSIVE, True),
        (Verdict.REGRESSED, 0.9, None, True),
        (Verdict.INCONCLUSIVE, 0.94, Verdict.REGRESSED, True),
        (Verdict.UNCHANGED, 0.94, Verdict.REGRESSED, True),
        (Verdict.INCONCLUSIVE, 0.96, Verdict.REGRESSED, False),  # less than half of the tolerance
        (Verdict.INCONCLUSIVE, 0.94, Verdict.INCONCLUSIVE, False),
        (Verdict.INCONCLUSIVE, 0.94, None, False),
    ],
)
def test_fresh_pairs_confirm_by_themselves_or_together_with_the_others(
    again: Verdict, ratio: float, together: Verdict | None, *, expected: bool
) -> None:
    fresh = Comparison(
        metric="throughput",
        value=1.0,
        judged=True,
        verdict=again,
        baseline=1.0,
        ratio=ratio,
        tolerance=0.1,
    )
    pooled = None if together is None else replace(fresh, verdict=together)
    assert is_confirmed(fresh, pooled) is expected
    assert not is_confirmed(fresh, pooled, Verdict.IMPROVED)


def test_a_gain_is_confirmed_by_a_gain() -> None:
    gain = Comparison(
        metric="throughput",
        value=1.0,
        judged=True,
        verdict=Verdict.IMPROVED,
        ratio=1.2,
        tolerance=0.1,
    )
    open_, lost = replace(gain, verdict=Verdict.INCONCLUSIVE), replace(gain, ratio=0.8)
    assert is_confirmed(gain, None, Verdict.IMPROVED)
    assert is_confirmed(open_, gain, Verdict.IMPROVED)
    assert not is_confirmed(replace(lost, verdict=Verdict.REGRESSED), gain, Verdict.IMPROVED)
    assert not is_confirmed(replace(lost, verdict=Verdict.INCONCLUSIVE), gain, Verdict.IMPROVED)


def test_the_spread_is_the_standard_deviation_of_the_logarithm() -> None:
    logs = [0.1, -0.2, 0.3, 0.0]
    seen = spread(THROUGHPUT, [100 * math.exp(log) for log in logs])
    assert seen == pytest.approx(statistics.stdev(logs))
    assert spread(THROUGHPUT, [5.0]) == spread(THROUGHPUT, [5.0, 5.0]) == 0
    assert spread(METRICS["peak_memory"], [0.0, 4096.0]) == 0


@given(st.lists(values, min_size=1))
@no_deadline
def test_a_typical_value_lies_between_the_extremes(several: list[float]) -> None:
    assert min(several) * 0.999999 <= typical(several) <= max(several) * 1.000001


def test_typical_values() -> None:
    assert typical([1.0, 4.0]) == pytest.approx(2)
    assert typical([0.0, 4.0]) == 2
