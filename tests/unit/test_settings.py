"""Settings: who wins, what is refused and how the refusal reads, and nothing but SettingsError."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_loaderperf.errors import SettingsError
from pytest_loaderperf.model.metrics import METRICS, MemoryLimit, Tolerance
from pytest_loaderperf.options import OPTIONS, Option
from pytest_loaderperf.settings import (
    MARKER_ARGUMENTS,
    CheckSettings,
    RunSettings,
    batch_sizes,
)

no_deadline = settings(deadline=None)
SETTABLE = [name for name in MARKER_ARGUMENTS if name != "batch_sizes"]


def read(
    command_line: Mapping[str, object] | None = None, ini: Mapping[str, object] | None = None
) -> RunSettings:
    return RunSettings.read((command_line or {}).get, (ini or {}).get)


def check(**values: object) -> CheckSettings:
    return CheckSettings().with_values(values, "test_a.py::test_b: loaderperf marker")


# --- the marker ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("60s", 60), ("2 min", 120), ("500ms", 0.5), ("90", 90), ("1.5", 1.5), (30, 30), (0.5, 0.5)],
)
def test_a_budget_is_a_duration_or_a_number_of_seconds(given: object, seconds: float) -> None:
    assert check(budget=given).budget == seconds


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["throughput"], ("throughput",)),
        (("first_batch", "cpu_time"), ("first_batch", "cpu_time")),
        ("throughput, first_batch", ("throughput", "first_batch")),
        ("cpu_time cpu_time", ("cpu_time",)),
    ],
)
def test_metrics_are_a_list_of_names(given: object, names: tuple[str, ...]) -> None:
    assert check(metrics=given).metrics == names


def test_a_tolerance_replaces_that_of_its_metric_only() -> None:
    changed = check(peak_memory="10%+1GiB").tolerances
    assert changed == {
        **CheckSettings().tolerances,
        "peak_memory": Tolerance(relative=0.1, absolute=2**30),
    }


def test_by_default_throughput_peak_memory_and_epochs_are_judged_for_a_minute() -> None:
    default = CheckSettings()
    assert default.metrics == ("throughput", "peak_memory", "epoch_time")
    assert default.budget == 60
    assert default.coverage == 0
    assert default.tolerances == {name: metric.tolerance for name, metric in METRICS.items()}


@pytest.mark.parametrize(
    ("metrics", "asked"),
    [
        (None, set()),
        (["epoch_time", "peak_memory", "throughput"], set()),
        (["epoch_time"], {"epoch_time"}),
        (["throughput", "cpu_time"], {"throughput", "cpu_time"}),
    ],
)
def test_metrics_are_asked_for_if_they_are_not_those_of_the_default(
    metrics: list[str] | None, asked: set[str]
) -> None:
    assert (check(metrics=metrics) if metrics else check()).asked == asked


@pytest.mark.parametrize(("given", "share"), [("100%", 1.0), ("38 %", 0.38), ("0.5%", 0.005)])
def test_coverage_is_a_share_of_an_epoch(given: str, share: float) -> None:
    assert check(coverage=given).coverage == pytest.approx(share)


def test_more_than_a_whole_epoch_cannot_be_seen() -> None:
    with pytest.raises(SettingsError, match=r"coverage='150%': .*100% at most, not 150%"):
        check(coverage="150%")


def test_an_unknown_argument_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(SettingsError) as caught:
        check(batchsizes=[1])
    message = str(caught.value)
    assert message.startswith("test_a.py::test_b: loaderperf marker: batchsizes=[1]: ")
    assert all(name in message for name in MARKER_ARGUMENTS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("throughput", 0.1),
        ("throughput", None),
        ("throughput", "8MiB"),
        ("peak_memory", "5"),
        ("peak_memory", b"5%"),
        ("metrics", []),
        ("metrics", ""),
        ("metrics", ["speed"]),
        ("metrics", [["throughput"]]),
        ("metrics", None),
        ("metrics", 3),
        ("budget", 0),
        ("budget", -1),
        ("budget", True),
        ("budget", "0s"),
        ("budget", "60 hours"),
        ("budget", ""),
        ("budget", "²"),
        ("budget", math.nan),
        pytest.param("budget", 10**400, id="budget-huge"),
        ("budget", [60]),
        ("budget", None),
        ("coverage", 1.0),
        ("coverage", "150%"),
        ("coverage", "-5%"),
        ("coverage", "all"),
        ("coverage", "7.5s"),
        ("coverage", ""),
        ("coverage", None),
    ],
)
def test_what_makes_no_sense_is_refused_by_name_and_value(name: str, value: object) -> None:
    with pytest.raises(SettingsError) as caught:
        check(**{name: value})
    assert str(caught.value).startswith(f"test_a.py::test_b: loaderperf marker: {name}={value!r}: ")


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
) | st.from_regex(r"[0-9]{1,3}(\.[0-9])?( ?(%|s|ms|MiB|min))?(\+[0-9](%|B))?", fullmatch=True)


@given(st.dictionaries(st.sampled_from(SETTABLE) | st.text(), anything, max_size=3))
@example({"budget": "²"})
@no_deadline
def test_any_marker_gives_settings_or_a_settings_error(arguments: dict[str, object]) -> None:
    try:
        made = check(**arguments)
    except SettingsError:
        return
    assert made.budget > 0
    assert 0 <= made.coverage <= 1
    assert {*made.metrics} <= {*METRICS}
    assert made.metrics
    assert {*made.tolerances} == {*METRICS}


# --- batch sizes --------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [[32, 128], (32, 128)])
def test_batch_sizes(sizes: object) -> None:
    assert batch_sizes({"batch_sizes": sizes}) == [32, 128]


def test_a_marker_need_not_name_batch_sizes() -> None:
    assert batch_sizes({}) == []


@pytest.mark.parametrize("sizes", [32, None, "32", [0], [-1], [1.5], ["32"], [True], {32}, [8, 8]])
def test_other_batch_sizes_are_refused(sizes: object) -> None:
    with pytest.raises(SettingsError, match="batch_sizes="):
        batch_sizes({"batch_sizes": sizes})


# --- command line and ini -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, ""),
        ({"against": "stored"}, ""),
        ({"tests": "mine"}, ""),
        ({"against": "HEAD@{1}"}, "--loaderperf-against='HEAD@{1}'"),
        (
            {"baseline_requirements": "old.txt", "baseline_python": "py"},
            "--loaderperf-baseline-requirements=old.txt --loaderperf-baseline-python=py",
        ),
    ],
)
def test_a_run_can_be_repeated_beside_the_same(given: dict[str, Any], told: str) -> None:
    assert RunSettings(**given).beside == told


def test_without_any_option_all_is_default() -> None:
    assert read() == RunSettings()
    # What older versions of pytest give for an ini value that is not set.
    assert read(ini={option.key: "" for option in OPTIONS}) == RunSettings()
    assert read(ini={option.key: [] for option in OPTIONS}) == RunSettings()


Get = Callable[[RunSettings], object]
EXAMPLES: list[tuple[str, object, object, Get]] = [
    ("against", "v1.2", "v1.2", lambda run: run.against),
    ("budget", "90", 90, lambda run: run.check.budget),
    ("strict", True, True, lambda run: run.strict),
    ("baseline_python", "/usr/bin/python3", "/usr/bin/python3", lambda run: run.baseline_python),
    ("baseline_requirements", "old.txt", "old.txt", lambda run: run.baseline_requirements),
    ("blame", True, True, lambda run: run.blame),
    ("json", "out.json", "out.json", lambda run: run.json),
    ("summary", "out.md", "out.md", lambda run: run.summary),
    ("why", "never", "never", lambda run: run.why),
    ("why", "no", "never", lambda run: run.why),
    ("why", "yes", "always", lambda run: run.why),
    ("why", "stacks.json", "stacks.json", lambda run: run.why),
    ("metrics", "cpu_time,throughput", ("cpu_time", "throughput"), lambda run: run.check.metrics),
    ("throughput", "3%", Tolerance(relative=0.03), lambda run: run.check.tolerances["throughput"]),
    ("coverage", "100%", 1.0, lambda run: run.check.coverage),
    ("trials", "fresh", "fresh", lambda run: run.trials),
    (
        "memory_limit",
        "12GiB",
        MemoryLimit(share=0.0, bytes=12 * 2.0**30),
        lambda run: run.memory_limit,
    ),
    ("memory_limit", "50%", MemoryLimit(share=0.5), lambda run: run.memory_limit),
    ("timeout", "90", 90.0, lambda run: run.timeout),
    ("timeout", "2 min", 120.0, lambda run: run.timeout),
    ("sweep", "8:64", [(8, 16, 32, 64)], lambda run: [axis.values for axis in run.sweep]),
    ("sweep", "workers=0:4", [(0, 1, 2, 4)], lambda run: [axis.values for axis in run.sweep]),
    ("drift", "5%", 0.05, lambda run: run.drift),
    ("drift", "0", 0.0, lambda run: run.drift),
    ("share", ["data", "a b"], ("data", "a b"), lambda run: run.share),
    ("share", "data models", ("data", "models"), lambda run: run.share),
]


def option(name: str) -> Option:
    return next(each for each in OPTIONS if each.name == name)


@pytest.mark.parametrize(("name", "value", "expected", "get"), EXAMPLES)
def test_an_option_is_read_wherever_it_may_be_given(
    name: str, value: object, expected: object, get: Get
) -> None:
    key = option(name).key
    default = get(RunSettings())
    assert get(read(command_line={key: value})) == (
        expected if option(name).command_line else default
    )
    assert get(read(ini={key: value})) == (expected if option(name).ini else default)


@pytest.mark.parametrize(
    ("command_line", "ini", "budget"),
    [(None, None, 60), (None, "10", 10), ("20", None, 20), ("20", "10", 20)],
)
def test_the_marker_wins_over_the_command_line_over_ini_over_the_default(
    command_line: str | None, ini: str | None, budget: float
) -> None:
    run = read({"loaderperf_budget": command_line}, {"loaderperf_budget": ini})
    assert run.check.budget == budget
    assert run.check.with_values({}, "marker").budget == budget
    assert run.check.with_values({"budget": 5}, "marker").budget == 5


def test_a_flag_on_the_command_line_wins_over_its_ini_twin() -> None:
    assert read({"loaderperf_strict": True}, {"loaderperf_strict": False}).strict
    assert read(ini={"loaderperf_strict": True}).strict
    assert not read(ini={"loaderperf_strict": False}).strict


def test_an_update_mode_that_is_empty_is_no_slip_to_pass_over() -> None:
    with pytest.raises(SettingsError, match="give new, changed or all"):
        read({"loaderperf_update": ""})


@pytest.mark.parametrize("update", [None, "new", "changed", "all"])
def test_the_update_mode_is_passed_on(update: str | None) -> None:
    assert read({"loaderperf_update": update}).update == update


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("budget", "soon"),
        ("metrics", "speed"),
        ("throughput", "ten"),
        ("peak_memory", "0%"),
        ("coverage", "150%"),
        ("coverage", "whole"),
        ("trials", "thread"),
        ("memory_limit", "0%"),
        ("memory_limit", "120%"),
        ("memory_limit", "much"),
        ("timeout", "never"),
        ("timeout", "0s"),
        ("sweep", "8"),
        ("sweep", "64:8"),
        ("sweep", "-8:8"),
        ("sweep", "9:15"),
        ("sweep", f"{'9' * 5000}:8"),
        ("drift", "some"),
        ("drift", "-5%"),
        ("drift", "10"),  # per cent, surely
    ],
)
def test_a_wrong_value_names_the_place_it_came_from(name: str, value: str) -> None:
    places: list[tuple[dict[str, object] | None, dict[str, object] | None, str]] = []
    if option(name).command_line:
        places.append(({option(name).key: value}, None, option(name).switch))
    if option(name).ini:
        places.append((None, {option(name).key: value}, f"ini {option(name).key}"))
    for command_line, ini, place in places:
        with pytest.raises(SettingsError) as caught:
            read(command_line, ini)
        assert str(caught.value).startswith(place)
        assert value in str(caught.value)


@given(st.dictionaries(st.sampled_from([each.key for each in OPTIONS]), st.text()))
@no_deadline
def test_any_text_on_the_command_line_gives_settings_or_a_settings_error(
    texts: dict[str, str],
) -> None:
    try:
        read(texts, texts)
    except SettingsError:
        return


def test_every_option_carries_the_prefix() -> None:
    assert all(each.switch.startswith("--loaderperf") for each in OPTIONS)
    assert all(each.key.startswith("loaderperf") for each in OPTIONS)
    assert all("_" not in each.switch for each in OPTIONS)
    assert len({each.key for each in OPTIONS}) == len(OPTIONS)


def test_every_tolerance_can_be_set_everywhere() -> None:
    for name in METRICS:
        assert name in MARKER_ARGUMENTS
        assert option(name).command_line
        assert option(name).ini
