"""What an epoch costs beyond its batches."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.measure.epochs import beyond


def epoch(batches: int, pace: float, start: float, end: float) -> tuple[list[float], float]:
    """The arrivals of an epoch with a start and an end, which take so long beyond its batches."""
    arrivals = [start + pace * (n + 1) for n in range(batches)]
    return arrivals, arrivals[-1] + end


def test_it_is_what_start_and_end_take() -> None:
    assert beyond(*epoch(100, 0.01, 0.5, 0.25), warmup=3, drain=4) == pytest.approx(0.75)


def test_batches_that_were_made_ahead_take_less_than_their_share() -> None:
    arrivals, ended = epoch(100, 0.01, 0.5, 0.0)
    drained = arrivals[:96] + [arrivals[95]] * 4  # the last ones wait in a queue
    assert beyond(drained, ended - 0.04, warmup=3, drain=4) == pytest.approx(0.5 - 0.04)


@pytest.mark.parametrize("batches", [2, 5, 8])
def test_an_epoch_without_a_steady_state_has_the_pace_of_all(batches: int) -> None:
    assert beyond(*epoch(batches, 0.01, 0.5, 0.25), warmup=3, drain=4) == pytest.approx(0.75)


def test_a_single_batch_is_all_overhead() -> None:
    assert beyond([0.5], 0.75, warmup=3, drain=4) == pytest.approx(0.75)


@given(st.lists(st.floats(0, 10), min_size=1).map(sorted), st.integers(1, 9), st.integers(0, 9))
@settings(deadline=None)
def test_any_epoch_has_one(arrivals: list[float], warmup: int, drain: int) -> None:
    assert abs(beyond(arrivals, arrivals[-1], warmup, drain)) <= 10 * len(arrivals) + 1
