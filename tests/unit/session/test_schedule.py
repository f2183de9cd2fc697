"""What a run says of its time."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.session.progress import Schedule, told


def test_a_run_is_planned_by_its_budgets() -> None:
    assert Schedule([60.0] * 12).plan == "12 checks, at most 12 min of judging"
    assert Schedule([]).plan == "no checks"
    assert Schedule([45.0]).plan == "1 check, at most 45 s of judging"


def test_what_is_left_is_told_by_what_is_done() -> None:
    schedule = Schedule([60.0] * 3)
    assert (schedule.place, schedule.left(0)) == ("1/3", "at most 3 min of judging left")
    schedule.ended(20.0)
    assert (schedule.place, schedule.left(0)) == ("2/3", "about 40 s left")
    assert schedule.left(15) == "about 25 s left"
    assert schedule.left(50) == "about 20 s left"  # of the next one
    schedule.ended(40.0)
    assert (schedule.place, schedule.left(0)) == ("3/3", "about 30 s left")


def test_checks_take_as_much_of_their_budgets_as_those_before() -> None:
    schedule = Schedule([20.0, 200.0])
    schedule.ended(10.0)
    assert schedule.left(0) == "about 2 min left"
    assert schedule.largest == 200
    assert Schedule([]).largest == 0


@given(st.lists(st.floats(1e-3, 1e9), max_size=20), st.integers(0, 25), st.floats(0, 1e9))
@settings(deadline=None)
def test_any_run_can_be_told(budgets: list[float], done: int, elapsed: float) -> None:
    schedule = Schedule(budgets)
    for _ in range(done):
        schedule.ended(1.0)
    assert schedule.plan
    assert schedule.place
    assert bool(schedule.left(elapsed)) is (done < len(budgets))


def test_what_a_search_takes_is_not_known_before_one_has_ended() -> None:
    schedule = Schedule([math.inf] * 2)
    assert schedule.plan == "2 checks"
    assert (schedule.place, schedule.left(0)) == ("1/2", "")
    schedule.ended(90.0)
    assert (schedule.place, schedule.left(0)) == ("2/2", "about 90 s left")


def test_a_live_line_tells_less_where_there_is_less_room() -> None:
    schedule = Schedule([60.0] * 3)
    schedule.ended(20.0)
    assert told(schedule, "test_a", "pair 2", 5.0) == [
        "2/3 test_a: pair 2; about 35 s left",
        "2/3: pair 2; about 35 s left",
        "2/3: pair 2",
    ]
    assert told(Schedule([math.inf]), "test_a", "pair 2", 5.0)[0] == "1/1 test_a: pair 2"
