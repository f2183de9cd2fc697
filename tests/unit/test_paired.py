"""How sure pairs of trials are, from what is inside them."""

from __future__ import annotations

import math
import statistics

import pytest

from pytest_loaderperf import paired
from pytest_loaderperf.messages import Slice
from pytest_loaderperf.model import Workload
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
