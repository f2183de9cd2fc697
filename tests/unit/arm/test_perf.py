"""What a test sees of its result: comparisons that follow the verdict, budgets that do not."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_loaderperf.arm.fixture import LoaderPerf
from pytest_loaderperf.arm.perf import Asked, Baseline, Measured, Perf
from pytest_loaderperf.errors import LoaderError, SettingsError
from pytest_loaderperf.model.metrics import METRICS
from pytest_loaderperf.model.results import CheckResult, Comparison, Verdict

MIB = 2**20
VALUES = {
    "throughput": 500.0,
    "peak_memory": 64.0 * MIB,
    "first_batch": 1.5,
    "cpu_time": 0.002,
    "memory_growth": 3.0 * MIB,
    "epoch_overhead": 0.4,
    "stall": 0.25,
    "epoch_time": 12.0,
    "wait_p99": 0.03,
    "stalled": 0.08,
}
NAMES = list(METRICS)
every_metric = pytest.mark.parametrize("name", NAMES)


def made(
    verdict: Verdict = Verdict.UNCHANGED,
    *,
    of: str = "throughput",
    compared: bool = True,
    accepting: bool = False,
) -> Perf:
    return Perf(asked(verdict, of=of, compared=compared, accepting=accepting))


def asked(
    verdict: Verdict = Verdict.UNCHANGED,
    *,
    of: str = "throughput",
    compared: bool = True,
    accepting: bool = False,
) -> Asked:
    """A result in which one metric has a verdict, and all others are unchanged."""
    metrics = {
        name: Comparison(
            metric=name,
            value=value,
            judged=True,
            verdict=verdict if name == of else Verdict.UNCHANGED,
            baseline=value * 2 if compared else None,
            ratio=0.5 if compared else None,
            interval=(0.49, 0.51) if compared else None,
            tolerance=0.1,
            pairs=8,
            source="commit 1a2b3c4d5e6f",
        )
        for name, value in VALUES.items()
    }
    return Asked(
        CheckResult(nodeid="test_a.py::test_b", verdict=verdict, metrics=metrics),
        accepting=accepting,
    )


def measured(perf: Perf, name: str) -> Measured:
    value = getattr(perf, name)
    assert isinstance(value, Measured)
    return value


def holds(perf: Perf, name: str) -> bool:
    """The comparison that a test makes with its baseline."""
    value, baseline = measured(perf, name), getattr(perf.baseline, name)
    return bool(value >= baseline if METRICS[name].better == "higher" else value <= baseline)


# --- against the baseline -----------------------------------------------------------------------


@every_metric
@pytest.mark.parametrize("verdict", Verdict)
def test_a_comparison_with_the_baseline_follows_the_verdict(name: str, verdict: Verdict) -> None:
    assert holds(made(verdict, of=name), name) == (not verdict.fails)


@every_metric
def test_the_verdict_of_another_metric_does_not_matter(name: str) -> None:
    other = next(each for each in NAMES if each != name)
    assert holds(made(Verdict.REGRESSED, of=other), name)


def test_a_comparison_can_be_written_the_other_way_round() -> None:
    good, bad = made(), made(Verdict.REGRESSED)
    assert good.baseline.throughput <= good.throughput
    assert good.baseline.peak_memory >= good.peak_memory
    assert not bad.baseline.throughput <= bad.throughput


@pytest.mark.parametrize(
    ("name", "compare"),
    [
        ("throughput", operator.le),
        ("throughput", operator.lt),
        ("throughput", operator.gt),
        ("throughput", operator.eq),
        ("throughput", operator.ne),
        ("peak_memory", operator.ge),
        ("peak_memory", operator.lt),
        ("cpu_time", operator.gt),
    ],
)
def test_a_comparison_in_the_wrong_direction_shows_the_right_one(
    name: str, compare: Callable[[object, object], bool]
) -> None:
    perf = made()
    right = ">=" if name == "throughput" else "<="
    with pytest.raises(TypeError, match=f"perf.{name} {right} perf.baseline.{name}"):
        compare(measured(perf, name), getattr(perf.baseline, name))


def test_a_metric_is_not_compared_with_another_one() -> None:
    perf = made()
    with pytest.raises(TypeError, match=r"first_batch .* not with peak_memory"):
        _ = perf.first_batch <= perf.baseline.peak_memory


@every_metric
def test_while_a_baseline_is_accepted_every_comparison_with_it_holds(name: str) -> None:
    assert holds(made(Verdict.REGRESSED, of=name, accepting=True), name)
    assert holds(made(Verdict.NO_BASELINE, of=name, compared=False, accepting=True), name)


def test_a_metric_that_nobody_asked_for_says_how_to_ask() -> None:
    whole = asked()
    metrics = {name: each for name, each in whole.result.metrics.items() if name != "memory_growth"}
    perf = Perf(Asked(replace(whole.result, metrics=metrics), accepting=False))
    assert perf.throughput.value == 500
    with pytest.raises(LoaderError, match=r"memory_growth was not measured.*metrics="):
        _ = perf.memory_growth <= "3 MiB"


def without_an_epoch(asked: Asked) -> Asked:
    """The same where whole epochs were not timed."""
    metrics = {name: each for name, each in asked.result.metrics.items() if name != "epoch_time"}
    return Asked(replace(asked.result, metrics=metrics), accepting=False)


def test_the_time_of_an_epoch_that_was_not_timed_says_what_it_takes() -> None:
    perf = Perf(without_an_epoch(asked()))
    with pytest.raises(LoaderError, match=r"an epoch must end.* budget='\.\.\.'"):
        _ = perf.epoch_time <= perf.baseline.epoch_time


def test_a_metric_is_there_if_the_result_has_it_and_always_in_a_probe() -> None:
    whole, partly = asked(), without_an_epoch(asked())
    assert all(whole.has(metric) for metric in METRICS.values())
    assert [name for name, metric in METRICS.items() if not partly.has(metric)] == ["epoch_time"]
    assert all(Asked.probe().has(metric) for metric in METRICS.values())
    assert whole.used == whole.asserted == []


def checked(asked: Asked) -> Perf:
    """What comes of ``loaderperf.check(loader)`` where this was measured."""
    conversation: Any = SimpleNamespace(measured=lambda *_: asked)
    return LoaderPerf(conversation).check(loader=[])


JUDGED = [name for name, metric in METRICS.items() if metric.judged]


@pytest.mark.parametrize("name", JUDGED)
def test_a_check_asserts_what_is_judged_by_default(name: str) -> None:
    noted = asked()
    assert checked(noted).verdict is Verdict.UNCHANGED
    assert noted.asserted == JUDGED
    with pytest.raises(AssertionError, match=rf"^{name} regressed"):
        checked(asked(Verdict.REGRESSED, of=name))


@pytest.mark.parametrize("name", [name for name in METRICS if name not in JUDGED])
def test_a_check_does_not_assert_what_is_judged_on_demand(name: str) -> None:
    assert measured(checked(asked(Verdict.REGRESSED, of=name)), name).verdict.fails


def test_a_check_of_which_no_epoch_was_timed_asserts_the_others() -> None:
    noted = without_an_epoch(asked())
    checked(noted)
    assert noted.asserted == [name for name in JUDGED if name != "epoch_time"]
    with pytest.raises(AssertionError, match=r"^throughput regressed"):
        checked(without_an_epoch(asked(Verdict.REGRESSED)))


def test_a_check_that_is_probed_shows_all_that_it_asserts() -> None:
    probe = Asked.probe()
    checked(probe)
    assert probe.asserted == JUDGED


LOOKS: dict[str, Callable[[Perf], object]] = {
    "a budget": lambda perf: perf.memory_growth <= "3 MiB",
    "its baseline": lambda perf: perf.memory_growth <= perf.baseline.memory_growth,
    "its value": lambda perf: perf.memory_growth.value,
    "its number": lambda perf: float(perf.memory_growth),
    "its verdict": lambda perf: perf.memory_growth.verdict,
    "the baseline's value": lambda perf: perf.baseline.memory_growth.value,
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_probe_learns_what_a_test_looks_at(look: Callable[[Perf], object]) -> None:
    probe = Asked.probe()
    assert probe.used == []
    look(Perf(probe))
    assert set(probe.used) == {"memory_growth"}


# --- budgets ------------------------------------------------------------------------------------

BUDGETS: list[tuple[str, str, object, bool]] = [
    ("throughput", ">=", 500, True),
    ("throughput", ">", 500, False),
    ("throughput", ">=", 500.1, False),
    ("throughput", "<", 501, True),
    ("peak_memory", "<=", "64 MiB", True),
    ("peak_memory", "<", "64 MiB", False),
    ("peak_memory", "<=", "60MB", False),
    ("peak_memory", "<=", 1.5e9, True),
    ("first_batch", "<=", "2 s", True),
    ("first_batch", "<=", "900ms", False),
    ("first_batch", ">", "1s", True),
    ("cpu_time", "<=", 0.002, True),
    ("cpu_time", "<=", 0.0019, False),
    ("memory_growth", "<=", "3 MiB", True),
    ("memory_growth", "<=", "2 MiB", False),
    ("throughput", ">=", math.inf, False),
]


@pytest.mark.parametrize(("name", "sign", "limit", "expected"), BUDGETS)
@pytest.mark.parametrize("verdict", [Verdict.UNCHANGED, Verdict.REGRESSED, Verdict.NO_BASELINE])
def test_a_budget_looks_at_the_estimate_whatever_the_verdict(
    name: str, sign: str, limit: object, expected: bool, verdict: Verdict
) -> None:
    value = measured(made(verdict, of=name), name)
    seen = {">=": value >= limit, ">": value > limit, "<=": value <= limit, "<": value < limit}
    assert seen[sign] == expected


def test_a_budget_can_be_a_range() -> None:
    perf = made()
    assert 400 <= perf.throughput <= 600
    assert not 400 <= perf.throughput <= 450
    assert 2**30 >= perf.peak_memory > "1 MiB"


def test_a_budget_holds_for_what_becomes_the_baseline_too() -> None:
    assert not made(accepting=True).throughput >= 2000


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("throughput", "2000"),
        ("throughput", "1 GiB"),
        ("cpu_time", "2 ms"),
        ("peak_memory", "2 s"),
        ("peak_memory", "much"),
        ("peak_memory", "1000"),
        ("first_batch", "1 GiB"),
        ("first_batch", None),
        ("throughput", [1]),
    ],
)
def test_a_budget_in_another_unit_is_refused(name: str, limit: object) -> None:
    with pytest.raises(SettingsError):
        _ = measured(made(), name) <= limit


# --- which metrics a test asserts ---------------------------------------------------------------


def test_comparisons_with_the_baseline_are_noted() -> None:
    noted = asked(Verdict.REGRESSED)
    perf = Perf(noted)
    assert noted.asserted == []
    assert not holds(perf, "throughput")
    assert holds(perf, "first_batch")
    assert noted.asserted == ["throughput", "first_batch"]


def test_in_a_probe_everything_holds_and_is_noted() -> None:
    noted = Asked.probe()
    probe = Perf(noted)
    assert all(holds(probe, name) for name in NAMES)
    assert {*noted.asserted} == {*NAMES}
    assert probe.throughput >= 1e12
    assert probe.first_batch <= "1 us"
    assert not probe.verdict.fails


def test_in_a_probe_misuse_shows() -> None:
    with pytest.raises(SettingsError, match="a lot"):
        _ = Perf(Asked.probe()).peak_memory <= "a lot"


# --- values and texts ---------------------------------------------------------------------------


@every_metric
def test_every_metric_is_an_attribute_of_the_result_and_of_the_baseline(name: str) -> None:
    perf = made(Verdict.IMPROVED, of=name)
    assert name in Perf.__annotations__
    assert name in Baseline.__annotations__
    assert float(measured(perf, name)) == measured(perf, name).value == VALUES[name]
    assert float(getattr(perf.baseline, name)) == VALUES[name] * 2
    assert measured(perf, name).verdict is Verdict.IMPROVED


def test_values_show_with_their_units() -> None:
    perf = made()
    assert [repr(measured(perf, name)) for name in NAMES] == [
        "500 samples/s",
        "64 MiB",
        "1.5 s",
        "2 ms/sample",
        "3 MiB/1000 samples",
        "400 ms",
        "25 % of the time",
        "12 s",
        "30 ms",
        "8 % of the time",
    ]
    assert repr(perf.baseline.throughput) == "1,000 samples/s"


def test_a_baseline_that_is_not_there_has_no_number() -> None:
    baseline = made(Verdict.NO_BASELINE, compared=False).baseline
    assert baseline.throughput.value is None
    assert repr(baseline.throughput) == "no baseline"
    with pytest.raises(LoaderError, match="throughput"):
        float(baseline.throughput)


@pytest.mark.parametrize("verdict", Verdict)
def test_the_verdict_of_the_check_is_that_of_the_result(verdict: Verdict) -> None:
    # What has not changed is no news to a test, however that is known.
    expected = Verdict.UNCHANGED if verdict is Verdict.IDENTICAL else verdict
    assert made(verdict).verdict is expected


def test_code_that_is_the_same_is_its_own_baseline() -> None:
    perf = made(Verdict.IDENTICAL, compared=False)
    assert float(perf.baseline.throughput) == float(perf.throughput)
    assert perf.throughput >= perf.baseline.throughput
    assert perf.throughput.verdict is Verdict.UNCHANGED


def test_a_false_comparison_explains_itself() -> None:
    perf = made(Verdict.REGRESSED)
    text = "\n".join(perf.throughput.explain(">=", perf.baseline.throughput))
    for part in ("throughput", "regressed", "500 samples/s", "1,000 samples/s", "0.500"):
        assert part in text
    for part in ("0.490", "0.510", "10 %", "8 pairs", "commit 1a2b3c4d5e6f"):
        assert part in text


def test_a_budget_that_is_exceeded_explains_itself() -> None:
    text = "\n".join(made().peak_memory.explain("<=", "1 KiB"))
    for part in ("peak_memory", "64 MiB", "<=", "1 KiB", "budget"):
        assert part in text
