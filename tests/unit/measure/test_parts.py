"""How sure pairs of trials are, from what is inside them."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import pytest

from pytest_loaderperf.measure.parts import within
from pytest_loaderperf.measure.timed_trial import Timing
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.protocol.messages import Slice

WORKLOAD = Workload(batch="list[int, ...]", bytes_per_sample=8.0)


def timing(*rates: float) -> Timing:
    """A trial with these rates in its parts."""
    parts = tuple({"throughput": rate, "cpu_time": 1 / rate} for rate in rates)
    values = {**parts[0], "first_batch": 0.1}
    return Timing(
        values=values,
        workload=WORKLOAD,
        taken=Slice(
            stretches=[(0.0, 1.0)], samples=80, batches=10, cpu_seconds=1.0, epoch_batches=None
        ),
        made=11.0,
        parts=parts,
    )


@pytest.mark.parametrize("metric", ["throughput", "cpu_time"])
def test_parts_that_scatter_foretell_noise(metric: str) -> None:
    pair = (timing(10.0, 11.0, 12.0), timing(11.0, 11.0, 11.0))
    alone, twice = within(metric, [pair])[0], within(metric, [pair, pair])[0]
    assert alone is not None
    assert twice is not None
    losses = [math.log(rate / 11) for rate in (10, 11, 12)]
    assert alone.variance == pytest.approx(statistics.variance(losses) / 3)
    assert twice.variance == pytest.approx(alone.variance)
    assert twice.freedom == 2 * alone.freedom


def test_what_no_part_has_is_not_foretold() -> None:
    pair = (timing(10.0, 11.0), timing(11.0, 11.0))
    assert within("first_batch", [pair]) == (None, None)
    assert within("throughput", [(timing(10.0), timing(11.0))]) == (None, None)


def parted(*seconds: float) -> Timing:
    return replace(timing(10.0), parts=(), segments=seconds, steady_segments=seconds)


@pytest.mark.parametrize("metric", ["throughput", "epoch_time"])
def test_parts_by_position_foretell_noise(metric: str) -> None:
    even = (1.0,) * 4
    pairs = [
        (parted(9.0, 1.0, 1.0, 1.0), parted(*even)),
        (parted(9.0, 1.2, 1.2, 1.2), parted(*even)),
    ]
    by_part, if_alike = within(metric, pairs)
    assert by_part is not None
    assert by_part.variance == pytest.approx(0.0016, rel=0.05)
    assert within(metric, pairs[:1]) == (None, None)
    assert within("wait_p99", pairs) == (None, None)
    assert within("cpu_time", pairs) == (None, None)  # parts are told in time alone
    # Whoever says that there is no loss must take for noise what may be one.
    assert if_alike is not None
    assert if_alike.variance > 100 * by_part.variance


def test_of_an_epoch_in_few_parts_all_of_the_other_one_is_compared() -> None:
    few = parted(2.0, 2.0)
    pairs = [(parted(1.0, 1.0, 1.0, 1.0), few), (parted(1.0, 1.0, 1.5, 1.5), few)]
    by_part, _ = within("throughput", pairs)
    assert by_part is not None
    assert by_part.variance > 0.01  # the last two parts differ
