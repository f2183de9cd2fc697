"""How sure pairs of trials are, from what is inside them."""

from __future__ import annotations

import pytest

from pytest_loaderperf import paired
from pytest_loaderperf.ahead import Made
from pytest_loaderperf.measure import Timing
from pytest_loaderperf.messages import Slice
from pytest_loaderperf.model import Workload

WORKLOAD = Workload("list[int, ...]", 8.0)


def timing(*rates: float, guess: float = 0.0) -> Timing:
    """A trial with these rates in its parts."""
    parts = tuple({"throughput": rate, "cpu_time": 1 / rate} for rate in rates)
    values = {**parts[0], "first_batch": 0.1}
    return Timing(values, WORKLOAD, Slice(1.0, 80, 10, 1.0, None), Made(11.0, guess), parts)


@pytest.mark.parametrize("metric", ["throughput", "cpu_time"])
def test_a_guess_at_what_was_made_ahead_makes_a_pair_less_sure(metric: str) -> None:
    sure = (timing(10.0, 11.0, 12.0), timing(11.0, 11.0, 11.0))
    guess = (timing(10.0, 11.0, 12.0, guess=0.03), timing(11.0, 11.0, 11.0, guess=0.01))
    alone, both = paired._within(metric, [sure]), paired._within(metric, [guess, sure])
    assert alone is not None
    assert both is not None
    assert both.variance == pytest.approx(alone.variance + (0.03 + 0.01) / 2)
    assert both.freedom == 2 * alone.freedom


def test_what_no_part_has_is_not_foretold() -> None:
    pair = (timing(10.0, 11.0), timing(11.0, 11.0))
    assert paired._within("first_batch", [pair]) is None
    assert paired._within("throughput", [(timing(10.0), timing(11.0))]) is None
