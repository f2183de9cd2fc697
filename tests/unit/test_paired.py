"""How sure pairs of trials are, from what is inside them."""

from __future__ import annotations

import math
import statistics
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_loaderperf import paired, process, turns
from pytest_loaderperf.decision import Rule
from pytest_loaderperf.findings import Findings
from pytest_loaderperf.measure import Survey
from pytest_loaderperf.messages import Handed, Slice
from pytest_loaderperf.model import METRICS, Tolerance, Verdict, Workload
from pytest_loaderperf.pacing import Plan, plan
from pytest_loaderperf.timing import Timing

WORKLOAD = Workload("list[int, ...]", 8.0)


def timing(*rates: float) -> Timing:
    """A trial with these rates in its parts."""
    parts = tuple({"throughput": rate, "cpu_time": 1 / rate} for rate in rates)
    values = {**parts[0], "first_batch": 0.1}
    return Timing(values, WORKLOAD, Slice([(0.0, 1.0)], 80, 10, 1.0, None), 11.0, parts)


@pytest.mark.parametrize("metric", ["throughput", "cpu_time"])
def test_parts_that_scatter_foretell_noise(metric: str) -> None:
    pair = (timing(10.0, 11.0, 12.0), timing(11.0, 11.0, 11.0))
    alone, twice = paired._within(metric, [pair]), paired._within(metric, [pair, pair])
    assert alone is not None
    assert twice is not None
    losses = [math.log(rate / 11) for rate in (10, 11, 12)]
    assert alone.variance == pytest.approx(statistics.variance(losses) / 3)
    assert twice.variance == pytest.approx(alone.variance)
    assert twice.freedom == 2 * alone.freedom


def test_what_no_part_has_is_not_foretold() -> None:
    pair = (timing(10.0, 11.0), timing(11.0, 11.0))
    assert paired._within("first_batch", [pair]) is None
    assert paired._within("throughput", [(timing(10.0), timing(11.0))]) is None


@pytest.mark.parametrize("surveyed", [True, False])
@pytest.mark.parametrize("waits", [True, False])
def test_the_first_pair_counts_if_it_took_the_turns_that_fit(
    monkeypatch: pytest.MonkeyPatch,
    surveyed: bool,
    waits: bool,
) -> None:
    # The survey sees the candidate alone, and here it is the baseline that may wait.
    def trial(cpu_seconds: float) -> Timing:
        values = {"throughput": 80.0, "cpu_time": 0.01, "first_batch": 0.1}
        parts = ({"throughput": 80.0, "cpu_time": 0.01},) * 3
        return Timing(values, WORKLOAD, Slice([(0.0, 1.0)], 80, 10, cpu_seconds, None), 10.0, parts)

    took: list[bool] = []

    def time_pair(_c: Any, _b: Any, _n: str, pace: Plan, **_: bool) -> tuple[Timing, Timing]:
        took.append(pace.short_turns)
        return trial(1.0), trial(0.3 if waits else 1.0)

    monkeypatch.setattr(turns, "time_pair", time_pair)
    monkeypatch.setattr(process, "usable_cpus", lambda: [0, 1])
    settings = SimpleNamespace(
        budget=60.0, tolerances=dict.fromkeys(METRICS, Tolerance(relative=0.1))
    )
    bench: Any = SimpleNamespace(
        progress=lambda _: None,
        arm=lambda *_: None,
        rule=Rule(),
        pair_seconds=2.4,
        spec=SimpleNamespace(nodeid="test", settings=settings),
    )
    loader = Handed("iterable", 0, 0, None, None, built_data=False)
    paces = plan(0.1, 0, 0, short_turns=surveyed)
    survey = Survey(loader, WORKLOAD, 1e6, {"first_batch": 0.1}, 10, paces, ())
    found = Findings(survey, frozenset({"throughput"}))
    paired.judge(bench, SimpleNamespace(name="old"), found)  # type: ignore[arg-type]
    fits = not waits
    wrong = [surveyed] * (surveyed != fits)
    assert took == wrong + [fits] * found.pairs
    assert found.pairs >= 2
    assert found.verdict is Verdict.UNCHANGED
