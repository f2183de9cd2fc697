"""The values: verdicts, tolerances, metrics, workloads, and results that cross processes."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_loaderperf.errors import SettingsError
from pytest_loaderperf.model.metrics import METRICS, Better, Tolerance
from pytest_loaderperf.model.results import CheckResult, Comparison, Coverage, Verdict, worst
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.protocol.codec import decode, encode
from pytest_loaderperf.protocol.messages import Begin
from support import anything

MIB = 2**20
UNITS = sorted({metric.unit for metric in METRICS.values()})
no_deadline = settings(deadline=None)
verdict_lists = st.lists(st.sampled_from(Verdict), min_size=1)


# --- verdicts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_fails_unless_the_loader_may_be_as_good_as_before(verdict: Verdict) -> None:
    assert verdict.fails == (
        verdict.name in {"REGRESSED", "NO_BASELINE", "INCOMPARABLE", "ERROR", "INCOMPLETE"}
    )


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_is_its_word_in_text_and_json(verdict: Verdict) -> None:
    assert f"{verdict}" == str(verdict) == verdict.name.lower()
    assert json.dumps([verdict]) == f'["{verdict.name.lower()}"]'


@given(verdict_lists)
@no_deadline
def test_a_check_fails_exactly_if_one_of_its_metrics_does(verdicts: list[Verdict]) -> None:
    assert worst(verdicts).fails == any(verdict.fails for verdict in verdicts)


def test_a_check_of_which_nothing_is_judged_was_measured() -> None:
    assert worst([]) is Verdict.MEASURED


@given(verdict_lists)
@no_deadline
def test_the_order_of_metrics_does_not_matter(verdicts: list[Verdict]) -> None:
    assert worst(verdicts) is worst(verdicts[::-1])
    assert worst(verdicts) in verdicts


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("unchanged improved", "improved"),
        ("improved inconclusive unchanged", "inconclusive"),
        ("inconclusive regressed", "regressed"),
        ("regressed error", "error"),
        ("regressed incomparable", "incomparable"),
    ],
)
def test_the_verdict_of_a_check_is_the_one_to_act_on(names: str, expected: str) -> None:
    assert worst([Verdict(name) for name in names.split()]) is Verdict(expected)


# --- coverage -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batches", "epoch_batches", "share"),
    [(38, 100, 0.38), (100, 100, 1.0), (99_999, 100_000, 0.99999), (38, None, None)],
)
def test_coverage_is_the_share_of_an_epoch(
    batches: int, epoch_batches: int | None, share: float | None
) -> None:
    assert Coverage(batches=batches, epoch_batches=epoch_batches).share == share


# --- tolerances ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("10%", "samples/s", Tolerance(relative=0.1)),
        ("5%+8MiB", "bytes", Tolerance(relative=0.05, absolute=8 * MIB)),
        (" 8 MiB + 5 % ", "bytes", Tolerance(relative=0.05, absolute=8 * MIB)),
        ("8MiB", "bytes", Tolerance(relative=0, absolute=8 * MIB)),
        ("25%+100ms", "s", Tolerance(relative=0.25, absolute=0.1)),
        ("12.5 %", "s/sample", Tolerance(relative=0.125)),
    ],
)
def test_tolerances(text: str, unit: str, expected: Tolerance) -> None:
    assert Tolerance.parse(text, unit) == expected


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        *((text, unit) for unit in UNITS for text in ["", "+", "0%", "100%", "-5%", "5", "%"]),
        *((text, unit) for unit in UNITS for text in ["5%+", "5%+5%", "5%+0%", "nan%", "lots"]),
        ("8MiB", "samples/s"),
        ("5%+8MiB", "samples/s"),
        ("5%+8MiB", "s"),
        ("100ms", "bytes"),
        ("5%+0B", "bytes"),
        ("8MiB+8MiB", "bytes"),
        ("5%+8MiB+5%", "bytes"),
        ("9" * 400 + "GiB", "bytes"),
    ],
)
def test_what_is_no_tolerance_is_refused(text: str, unit: str) -> None:
    with pytest.raises(SettingsError):
        Tolerance.parse(text, unit)


@pytest.mark.parametrize("unit", UNITS)
def test_a_refused_tolerance_comes_with_an_example_that_is_accepted(unit: str) -> None:
    with pytest.raises(SettingsError, match="'plenty' is not a tolerance such as") as caught:
        Tolerance.parse("plenty", unit)
    shown = re.findall(r"'(.*?)'", str(caught.value))[-1]
    assert Tolerance.parse(shown, unit).relative_to(1.0) > 0


@pytest.mark.parametrize("unit", UNITS)
@given(st.text() | st.from_regex(r"[0-9.]{1,4} ?(%|s|MiB)(\+[0-9.]{1,4}(%|ms|GB))?"))
@no_deadline
def test_any_text_is_a_tolerance_or_a_settings_error(unit: str, text: str) -> None:
    try:
        tolerance = Tolerance.parse(text, unit)
    except SettingsError:
        return
    assert 0 <= tolerance.relative < 1
    assert 0 <= tolerance.absolute < math.inf


@given(st.integers(0, 99), st.integers(0, 999), st.sampled_from([("bytes", MIB), ("s", 0.001)]))
@no_deadline
def test_a_described_tolerance_reads_back(
    percent: int, amount: int, scaled: tuple[str, float]
) -> None:
    unit, scale = scaled
    if percent == amount == 0:
        return
    tolerance = Tolerance(relative=percent / 100, absolute=amount * scale)
    again = Tolerance.parse(tolerance.describe(unit), unit)
    assert again.relative == pytest.approx(tolerance.relative)
    assert again.absolute == pytest.approx(tolerance.absolute)


@pytest.mark.parametrize(
    ("relative", "absolute"),
    [(0, 0), (1, 0), (-0.1, 0), (0.1, -1), (0.1, math.inf), (math.nan, 0), (0.1, math.nan)],
)
def test_a_tolerance_that_makes_no_sense_is_refused(relative: float, absolute: float) -> None:
    with pytest.raises(SettingsError):
        Tolerance(relative=relative, absolute=absolute)


@pytest.mark.parametrize(
    ("baseline", "loss", "tolerated"),
    [
        (50 * MIB, 6 * MIB, True),  # more than 5 %, less than 8 MiB
        (10240 * MIB, 9 * MIB, True),  # more than 8 MiB, less than 5 %
        (50 * MIB, 9 * MIB, False),
        (1000 * MIB, 51 * MIB, False),
    ],
)
def test_with_share_and_amount_both_must_be_exceeded(
    baseline: float, loss: float, tolerated: bool
) -> None:
    allowed = Tolerance(relative=0.05, absolute=8 * MIB).relative_to(baseline)
    assert (loss <= allowed * baseline) == tolerated


def test_no_share_of_nothing_makes_up_an_amount() -> None:
    assert Tolerance(relative=0.05, absolute=8 * MIB).relative_to(0) == math.inf


def test_a_mere_share_does_not_depend_on_the_baseline() -> None:
    assert [Tolerance(relative=0.1).relative_to(baseline) for baseline in (0, 1e-9, 1e12)] == [
        0.1
    ] * 3


# --- metrics ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "unit", "better", "tolerance", "judged"),
    [
        ("throughput", "samples/s", "higher", "10 %", True),
        ("peak_memory", "bytes", "lower", "5 % + 8 MiB", True),
        ("first_batch", "s", "lower", "25 % + 100 ms", False),
        ("cpu_time", "s/sample", "lower", "10 %", False),
    ],
)
def test_metrics_and_their_defaults(
    name: str, unit: str, better: Better, tolerance: str, judged: bool
) -> None:
    metric = METRICS[name]
    assert (metric.name, metric.unit, metric.better, metric.judged) == (name, unit, better, judged)
    assert metric.tolerance.describe(unit) == tolerance


@pytest.mark.parametrize(
    ("name", "ratio", "loss"),
    [
        ("throughput", 0.9, 0.1),
        ("throughput", 1.2, -0.2),
        ("peak_memory", 1.1, 0.1),
        ("peak_memory", 0.5, -0.5),
    ],
)
def test_a_loss_is_positive_whatever_the_direction(name: str, ratio: float, loss: float) -> None:
    assert METRICS[name].loss(ratio) == pytest.approx(loss)


# --- workloads ----------------------------------------------------------------------------------

BEFORE = Workload(
    batch="tuple[float32[*,3,256,256], int64[*]]", bytes_per_sample=786440.0, samples_per_epoch=2048
)
workloads = st.builds(
    Workload,
    batch=st.sampled_from(["int64[*]", "float32[*,3]"]),
    bytes_per_sample=st.sampled_from([0.0, 8.0, 8.05, 9.0, 1e6]),
    samples_per_epoch=st.none() | st.integers(1, 3),
)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"batch": "int64[*]"}, ["batch", "float32[*,3,256,256]", "-> int64[*]"]),
        ({"bytes_per_sample": 393224.0}, ["bytes per sample: 786440 -> 393224"]),
        ({"samples_per_epoch": 1024}, ["samples per epoch: 2048 -> 1024"]),
        ({"batch": "x", "samples_per_epoch": 1}, ["-> x", "; samples per epoch: 2048 -> 1"]),
    ],
)
def test_a_changed_workload_says_what_changed(changed: dict[str, object], told: list[str]) -> None:
    text = replace(BEFORE, **changed).difference(BEFORE)  # type: ignore[arg-type]
    for part in told:
        assert part in text


@pytest.mark.parametrize(
    "changed", [{}, {"bytes_per_sample": 790000.0}, {"samples_per_epoch": None}]
)
def test_what_is_unknown_or_hardly_differs_is_no_change(changed: dict[str, object]) -> None:
    after = replace(BEFORE, **changed)  # type: ignore[arg-type]
    assert after.difference(BEFORE) == BEFORE.difference(after) == ""


@pytest.mark.parametrize("batch", ["int32[*,*]", "list[str, ...]", "dict[text: object[*]]"])
def test_batches_of_varying_size_may_have_other_bytes(batch: str) -> None:
    before = replace(BEFORE, batch=batch)
    assert replace(before, bytes_per_sample=1.0).difference(before) == ""


@given(workloads, workloads)
@no_deadline
def test_two_workloads_differ_in_both_directions_or_in_none(a: Workload, b: Workload) -> None:
    assert bool(a.difference(b)) == bool(b.difference(a))
    assert a.difference(a) == ""


# --- results that cross processes ---------------------------------------------------------------

numbers = st.floats(allow_nan=False)  # NaN equals nothing, itself included
comparisons = anything.comparisons(numbers)


def by_metric(found: list[Comparison]) -> Mapping[str, Comparison]:
    return {comparison.metric: comparison for comparison in found}


results = st.builds(
    CheckResult,
    nodeid=st.text(),
    verdict=st.sampled_from(Verdict),
    parameters=st.dictionaries(st.text(), st.integers() | st.text() | st.booleans()),
    outcome=st.sampled_from(["", "passed", "failed"]),
    seconds=numbers,
    pairs=st.integers(0, 48),
    workload=st.none() | workloads,
    message=st.text(),
    notes=st.lists(st.text(), max_size=2).map(tuple),
    metrics=st.lists(comparisons, max_size=4).map(by_metric),
)


@given(results)
@example(CheckResult(nodeid="test_a.py::test_b", verdict=Verdict.ERROR))
@no_deadline
def test_a_result_crosses_to_another_process_unchanged(result: CheckResult) -> None:
    assert decode(encode(Begin(result=result))) == Begin(result=result)
