"""Batch sizes: the memory model, and which one serves best, on points whose truth is known."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import examples
from pytest_loaderperf.model.parameters import Parameter, batch_size_among
from pytest_loaderperf.model.results import CheckResult, Comparison, Verdict
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.reports import results_json
from pytest_loaderperf.stats.sweeps import NEAR, Point, choose, memory_model, sweeps

MIB = 2**20
SIZES = (8, 16, 32, 64, 128, 256)


def point(batch_size: int, throughput: float = 500.0, **changes: float) -> Point:
    base = Point(
        parameters={"batch_size": batch_size},
        throughput=throughput,
        spread=0.02,
        pairs=3,
        first_batch=0.1,
        peak_memory=100 * MIB + batch_size * 6 * MIB,
        bytes_per_sample=MIB,
        beside=True,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


# --- memory


@given(
    st.floats(0, 2**36),
    st.floats(0, 2**28),
    st.sets(st.integers(1, 2**14), min_size=2, max_size=12),
    st.floats(1, 2**24),
)
@settings(deadline=None)
def test_a_line_is_found_again(
    fixed: float, per_sample: float, sizes: set[int], sample: float
) -> None:
    points = [point(n, peak_memory=fixed + per_sample * n, bytes_per_sample=sample) for n in sizes]
    rise = per_sample * (max(sizes) - min(sizes))
    highest = max(each.peak_memory for each in points)
    assume(not 0.0199 * highest < rise < 0.0201 * highest)  # rounding decides there
    model = memory_model(points)
    assert (model is None) == (rise <= 0.02 * highest)
    if model is not None:
        for each in points:
            assert model.peak(batch_size_among(each.parameters) or 0) == pytest.approx(
                each.peak_memory, rel=1e-3, abs=1
            )
        limit = 4 * fixed + 64.5 * per_sample
        largest = model.largest(limit)
        assert model.peak(largest - 1) < limit < model.peak(largest + 2)


def test_batches_in_flight_explain_the_slope() -> None:
    model = memory_model([point(n) for n in SIZES])
    assert model is not None
    assert model.batches == pytest.approx(6.0)
    assert model.largest(0.0) == 0


@pytest.mark.parametrize("slope", [-1.0, 0.0, 0.0075 * MIB])
def test_peaks_that_differ_as_those_of_one_size_may_tell_nothing_of_others(slope: float) -> None:
    points = [point(n, peak_memory=100 * MIB + slope * n) for n in SIZES]
    assert memory_model(points) is None


# --- the best size


def test_the_smallest_of_those_that_are_fast_enough_is_best() -> None:
    speeds = {8: 200, 16: 300, 32: 420, 64: 490, 128: 500, 256: 500}
    points = [point(n, float(speed), spread=0.001) for n, speed in speeds.items()]
    assert choose(points, math.inf).parameters == {"batch_size": 64}


def test_a_size_beyond_the_limit_neither_serves_nor_sets_the_pace() -> None:
    points = [point(n, 10.0 * n, spread=0.001) for n in SIZES]
    choice = choose(points, points[3].peak_memory)
    assert choice.parameters == {"batch_size": 64}
    assert "memory limit" in choice.reason
    none = choose(points, 1.0)
    assert none.parameters is None
    assert "memory limit" in none.reason


def noisy_points(first: float, generator: random.Random) -> list[Point]:
    """The smallest size is so fast, all others truly make 500 samples/s."""
    speeds = [500 * math.exp(generator.gauss(0, 0.03 / math.sqrt(3))) for _ in SIZES[1:]]
    rest = zip(SIZES[1:], speeds, strict=True)
    return [point(SIZES[0], first, pairs=0, spread=0.0)] + [
        point(size, speed, spread=0.03) for size, speed in rest
    ]


def test_noise_does_not_choose() -> None:
    # Four per cent slower is fast enough; by the fastest of noisy figures it often is not.
    generator = random.Random(3)
    smallest = by_figures = 0
    for _ in range(400):
        points = noisy_points(480.0, generator)
        smallest += choose(points, math.inf).parameters == {"batch_size": SIZES[0]}
        by_figures += points[0].throughput >= (1 - NEAR) * max(p.throughput for p in points)
    assert smallest > 370  # 95 % of them
    assert by_figures < 200


def test_a_size_that_is_too_slow_is_not_chosen() -> None:
    generator = random.Random(3)
    chosen = [choose(noisy_points(425.0, generator), math.inf).parameters for _ in range(400)]
    assert chosen.count({"batch_size": SIZES[0]}) < 4


def test_a_machine_that_is_too_noisy_chooses_nothing() -> None:
    choice = choose([point(n, spread=0.2) for n in SIZES], math.inf)
    assert choice.parameters is None
    assert "noisy" in choice.reason


def test_single_pairs_tell_nothing() -> None:
    choice = choose([point(n, pairs=1) for n in SIZES], math.inf)
    assert choice.parameters is None
    assert "too few pairs" in choice.reason


def test_sizes_that_were_measured_one_after_the_other_are_not_compared() -> None:
    choice = choose([point(n, beside=False) for n in SIZES], math.inf)
    assert choice.parameters is None
    assert "--loaderperf-sweep" in choice.reason


# --- which results belong together


def result(
    test: str, batch_size: int | None, speed: float = 500.0, peak: float = 2.0 * MIB
) -> CheckResult:
    values = {"throughput": speed, "first_batch": 0.1, "peak_memory": peak}
    metrics = {
        name: Comparison(
            metric=name, value=value, judged=False, verdict=Verdict.MEASURED, pairs=3, spread=0.02
        )
        for name, value in values.items()
    }
    return CheckResult(
        nodeid=f"{test}[{batch_size}]",
        verdict=Verdict.MEASURED,
        parameters={"batch_size": batch_size} if batch_size else {},
        workload=Workload(batch="int64[*]", bytes_per_sample=8.0),
        metrics=metrics,
        sweep=test if batch_size else "",
    )


def test_checks_that_differ_only_in_batch_size_belong_together() -> None:
    failed = replace(result("a", 64), metrics={}, verdict=Verdict.ERROR)
    (found,) = sweeps(
        [result("a", 32), result("b", 8), result("a", 16, 400.0), failed, result("c", None)],
        math.inf,
    )
    assert (found.test, [point.values for point in found.points]) == ("a", [(16,), (32,)])
    assert found.points[0] == Point(
        parameters={"batch_size": 16},
        throughput=400.0,
        spread=0.02,
        pairs=3,
        first_batch=0.1,
        peak_memory=2.0 * MIB,
        bytes_per_sample=8.0,
        beside=True,
    )


def exported(results: list[CheckResult]) -> Any:
    """The only sweep in the results file, through JSON."""
    run = replace(examples.run(), results=results)
    content = results_json.to_json(run, sweeps(results, 2.0**30))
    return json.loads(json.dumps(content))["sweeps"][0]


def test_the_results_file_has_points_model_and_choice() -> None:
    found = exported([result("a", 32), result("a", 64, peak=3.0 * MIB)])
    assert found == {
        "test": "a",
        "points": [
            {
                "batch_size": size,
                "parameters": {"batch_size": size},
                "throughput": 500.0,
                "spread": 0.02,
                "first_batch": 0.1,
                "peak_memory": round(peak * MIB, -3),
            }
            for size, peak in ((32, 2.0), (64, 3.0))
        ],
        "memory": {"fixed": round(1.0 * MIB, -3), "per_sample": 32770.0, "batches": 4096.0},
        "best": {"batch_size": 32, "parameters": {"batch_size": 32}, "reason": "it is the fastest"},
    }
    found = exported([result("a", 32), result("a", 64)])
    assert found["memory"] is None


def setting(throughput: float, peak: float, **parameters: Parameter) -> Point:
    return replace(
        point(1, throughput, spread=0.001), parameters=parameters, peak_memory=peak * MIB
    )


def test_of_other_parameters_the_least_memory_serves_best() -> None:
    points = [
        setting(300.0, 60.0, num_workers=0, prefetch=1),
        setting(490.0, 200.0, num_workers=2, prefetch=1),
        setting(488.0, 150.0, num_workers=1, prefetch=4),
        setting(500.0, 400.0, num_workers=4, prefetch=4),
    ]
    choice = choose(points, math.inf)
    assert choice.parameters == {"num_workers": 1, "prefetch": 4}
    assert choice.reason == (
        "it takes the least memory of those that are not shown to be more than 5 % slower than "
        "the fastest, num_workers=4, prefetch=4"
    )
    assert memory_model(points) is None
    within = choose(points, 100.0 * MIB)
    assert within.parameters == {"num_workers": 0, "prefetch": 1}
    assert within.reason == "it is the fastest of those that keep to the memory limit"


def test_numbers_are_put_in_order_and_words_are_not() -> None:
    def swept(*values: Parameter) -> list[Parameter]:
        results = [
            replace(result("a", 8, 100.0 * n), parameters={"by": value})
            for n, value in enumerate(values, 1)
        ]
        (found,) = sweeps(results, math.inf)
        return [each.values[0] for each in found.points]

    assert swept(8, 2, 4) == [2, 4, 8]
    assert swept(4, None, 0) == [None, 0, 4]
    assert swept("thread", "fork", "spawn") == ["thread", "fork", "spawn"]
