"""What a run says of its time."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.session.progress import Schedule


def test_a_run_is_planned_by_its_budgets() -> None:
    assert Schedule([60.0] * 12).plan == "12 checks, at most 12 min of judging"
    assert Schedule([]).plan == "no checks"
    assert Schedule([45.0]).plan == "1 check, at most 45 s of judging"


def test_what_is_left_is_told_by_what_is_done() -> None:
    schedule = Schedule([60.0] * 3)
    assert schedule.now == "1 of 3, at most 3 min left"
    schedule.ended(20.0)
    assert schedule.now == "2 of 3, about 40 s left"
    schedule.ended(40.0)
    assert schedule.now == "3 of 3, about 30 s left"


@given(st.lists(st.floats(1e-3, 1e9), max_size=20), st.integers(0, 25))
@settings(deadline=None)
def test_any_run_can_be_told(budgets: list[float], done: int) -> None:
    schedule = Schedule(budgets)
    for _ in range(done):
        schedule.ended(1.0)
    assert schedule.plan
    assert schedule.now


def test_what_a_search_takes_is_not_known_before_one_has_ended() -> None:
    schedule = Schedule([math.inf] * 2)
    assert schedule.plan == "2 checks"
    assert schedule.now == "1 of 2"
    schedule.ended(90.0)
    assert schedule.now == "2 of 2, about 90 s left"
