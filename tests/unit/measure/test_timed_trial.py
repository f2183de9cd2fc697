"""What is left of a slice when the time is taken out for which its trial was frozen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.measure.interference import Watch
from pytest_loaderperf.measure.plan import Plan
from pytest_loaderperf.measure.timed_trial import TimedTrial, awake, rates, total
from pytest_loaderperf.protocol.messages import RunSlice, Slice

Times = list[tuple[float, float]]


@st.composite
def periods(draw: st.DrawFn) -> Times:
    """Some periods of time, one after the other."""
    lengths = draw(st.lists(st.integers(1, 50), max_size=16))
    ends, now = [], 0
    for length in lengths:
        now += length
        ends.append(now)
    return [(float(a), float(b)) for a, b in zip(ends[::2], ends[1::2], strict=False)]


def taken(stretches: Times) -> Slice:
    return Slice(stretches=stretches, samples=80, batches=10, cpu_seconds=1.0, epoch_batches=None)


@given(periods().filter(bool), periods())
@settings(deadline=None)
def test_a_slice_lasts_as_long_as_its_trial_was_awake_in_it(
    stretches: Times, frozen: Times
) -> None:
    def inside(second: int, times: Times) -> bool:
        return any(began <= second < ended for began, ended in times)

    seconds = sum(inside(at, stretches) and not inside(at, frozen) for at in range(1000))
    left = awake(taken(stretches), frozen)
    assert left.seconds == pytest.approx(seconds)
    assert [began for began, _ in left.stretches] == [began for began, _ in stretches]


class Asked:
    """A trial that ends its slice at a certain time, by a clock that waiting sets forward."""

    pid = 0

    def __init__(self, ends_at: float) -> None:
        self.now, self.ends_at, self.began = 0.0, ends_at, -1.0
        self.running = False

    def send(self, message: object) -> None:
        assert isinstance(message, RunSlice)
        self.began = self.now

    def suspend(self) -> None:
        self.running = False

    def resume(self) -> None:
        self.running = True

    def wait(self, seconds: float) -> None:
        assert self.running
        self.now = min(self.now + seconds, self.ends_at)

    def poll(self, expected: type[Slice], seconds: float) -> Slice | None:
        assert not self.running
        assert not seconds
        if self.now < self.ends_at:
            return None
        return expected(
            stretches=[(self.began, self.now)],
            samples=80,
            batches=10,
            cpu_seconds=1.0,
            epoch_batches=None,
        )


def timed_trial(asked: Any, monkeypatch: pytest.MonkeyPatch) -> TimedTrial:
    trial = object.__new__(TimedTrial)
    trial._trial, trial._pace = asked, Plan(warmup=2, drain=0, batches=10, slices=4)
    trial._slices, trial._suspended, trial._suspended_at = [], [], 0.0
    trial._watch = Watch(asked.pid)
    monkeypatch.setattr("time.perf_counter", lambda: asked.now)
    return trial


def test_turns_add_up_and_what_lies_between_them_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(ends_at=30.0)
    trial = timed_trial(asked, monkeypatch)
    trial.begin_slice()
    ended: list[bool] = []
    while not any(ended):
        ended.append(trial.take_turn(4.0))
        asked.now += 6.0  # frozen
        asked.ends_at += 6.0 * (not ended[-1])
    # 30 s of its own, in turns of 4 s: seven whole ones and half of the last.
    assert ended == [False] * 7 + [True]
    assert awake(trial._slices[0], trial._suspended).seconds == pytest.approx(30.0)


def test_rates_of_several_slices_are_those_of_all_their_time() -> None:
    both = total([taken([(0.0, 1.0)]), taken([(5.0, 6.0), (7.0, 9.0)])])
    assert both.seconds == 4.0
    assert rates(both, made=20.0) == {"throughput": 40.0, "cpu_time": 2.0 / 160}
    assert rates(both, made=10.0)["throughput"] == 20.0
