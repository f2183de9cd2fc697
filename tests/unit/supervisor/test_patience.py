"""How long an answer has been waited for: frozen time does not count."""

from __future__ import annotations

from pytest_loaderperf.supervisor.trial import Patience


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_waiting_counts_until_an_answer_is_asked_for_anew() -> None:
    clock = Clock()
    patience = Patience(10, clock)
    clock.now = 10
    assert not patience.is_over
    clock.now = 11
    assert patience.is_over
    patience.renew()
    assert not patience.is_over
    clock.now = 22
    assert patience.is_over


def test_what_a_process_is_frozen_for_does_not_count() -> None:
    clock = Clock()
    patience = Patience(10, clock)
    for _ in range(3):
        clock.now += 3
        patience.pause()
        clock.now += 1000
        patience.pause()  # twice is once
        patience.go_on()
        patience.go_on()
    assert not patience.is_over
    clock.now += 2
    assert patience.is_over


def test_an_answer_may_be_asked_for_while_the_process_is_frozen() -> None:
    clock = Clock()
    patience = Patience(10, clock)
    clock.now = 9
    patience.pause()
    patience.renew()
    clock.now = 1000
    assert not patience.is_over
    patience.go_on()
    clock.now = 1010
    assert not patience.is_over
    clock.now = 1011
    assert patience.is_over
