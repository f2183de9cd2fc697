"""Who runs when: fake trials on a machine whose speed is known, and that tells who ran."""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_loaderperf.measure import turns
from pytest_loaderperf.measure.plan import Plan, Whole
from pytest_loaderperf.system import cpus


class Machine:
    """One CPU; ``speed`` gives the work that it does in a second, by the time."""

    def __init__(self, speed: Callable[[float], float] = lambda _: 1.0) -> None:
        self.speed = speed
        self.now = 0.0
        self.ran: list[str] = []


class Fake:
    """A trial whose slice takes so many seconds on a machine of speed 1."""

    def __init__(self, machine: Machine, name: str = "", work: float = 0.15) -> None:
        self.machine, self.name, self.work = machine, name, work
        self.seconds = self.left = 0.0
        self.slices = 0
        self.frozen = True
        self.has_one_thread = True
        self.cpu: int | None = None

    def pin(self, cpu: int) -> None:
        self.cpu = cpu

    def suspend(self) -> None:
        self.frozen = True

    def resume(self) -> None:
        assert self.frozen
        self.frozen = False

    def begin_slice(self) -> None:
        assert not self.left
        self.left = self.work

    def run(self, slices: int) -> None:
        """So many slices without a pause."""
        for _ in range(slices):
            self.begin_slice()
            self._run(math.inf)

    def take_turn(self, seconds: float) -> bool:
        self.resume()
        self._run(seconds)
        self.suspend()
        return not self.left

    def _run(self, at_most: float) -> None:
        self.machine.ran.append(self.name)
        end = self.machine.now + at_most
        while self.left and self.machine.now < end:
            self.machine.now += 0.001
            self.seconds += 0.001
            self.left = max(0.0, self.left - 0.001 * self.machine.speed(self.machine.now))
        self.slices += not self.left


def pair(machine: Machine, work: float = 0.15) -> tuple[Any, Any]:
    return Fake(machine, "a"), Fake(machine, "b", work)


@pytest.mark.parametrize("work", [0.001, 0.15, 0.4])
def test_short_turns_end_when_both_have_had_their_slices(work: float) -> None:
    machine = Machine()
    first, second = pair(machine, work)
    turns.take_turns(first, second, 6)
    assert (first.slices, second.slices) == (6, 6)
    assert first.frozen
    assert second.frozen
    assert second.seconds == pytest.approx(6 * work, abs=0.007)


@pytest.mark.parametrize("threads", [(True, True), (False, True), (True, False)])
def test_turns_are_longer_where_several_threads_take_part(threads: tuple[bool, bool]) -> None:
    machine = Machine()
    trials = pair(machine, work=0.15)  # in turns of 20 or of 100 ms
    for trial, one in zip(trials, threads, strict=True):
        trial.has_one_thread = one
    turns.take_turns(*trials, 1)
    assert len(machine.ran) == (16 if all(threads) else 4)


def test_short_turns_come_in_twos_of_both_in_either_order() -> None:
    machine = Machine()
    first, second = pair(machine)
    turns.take_turns(first, second, 40)
    twos = {"".join(machine.ran[i : i + 2]) for i in range(0, len(machine.ran), 2)}
    assert twos == {"ab", "ba"}


def test_a_machine_that_changes_its_speed_hits_both_alike_in_short_turns() -> None:
    generator = random.Random(4)
    speeds = [generator.choice((0.6, 1.0)) for _ in range(10_000)]  # for a quarter of a second

    def scatter(take: Callable[[Any, Any, int], None]) -> float:
        machine = Machine(lambda now: speeds[int(now * 4)])
        losses = []
        for _ in range(40):
            first, second = pair(machine)
            take(first, second, 6)
            losses.append(math.log(first.seconds / second.seconds))
        return math.sqrt(sum(loss**2 for loss in losses) / len(losses))

    def one_after_the_other(first: Any, second: Any, slices: int) -> None:
        first.run(slices)
        second.run(slices)

    assert scatter(turns.take_turns) < scatter(one_after_the_other) / 2


@pytest.mark.parametrize("threads", [(True, True), (True, False), (False, True)])
def test_two_trials_of_one_thread_share_a_cpu(
    monkeypatch: pytest.MonkeyPatch, threads: tuple[bool, bool]
) -> None:
    monkeypatch.setattr(cpus, "usable_cpus", lambda: [3, 5])
    chosen = set()
    for _ in range(50):
        trials = pair(Machine())
        for trial, one in zip(trials, threads, strict=True):
            trial.has_one_thread = one
        turns.share_cpu(trials)
        chosen.add((trials[0].cpu, trials[1].cpu))
    assert chosen == ({(3, 3), (5, 5)} if all(threads) else {(None, None)})


# --- pairs --------------------------------------------------------------------------------------


class Logged:
    """A trial that only notes what is done with it; its result is its name."""

    has_one_thread = False

    def __init__(self, arm: Any, nodeid: str, pace: Plan, stacks: str) -> None:
        assert nodeid == "test"
        assert not stacks
        self.name, self.log = arm.name, arm.log
        self._say("begin")

    def set_up(self) -> None:
        self._say("set up")

    def open(self) -> None:
        self._say("open")

    def suspend(self) -> None:
        self._say("suspend")

    def run(self) -> None:
        self._say("run")

    def begin_slice(self) -> None:
        pass

    def take_turn(self, _: float) -> bool:
        self._say("turn")
        return True

    def end(self) -> None:
        self._say("end")

    def result(self) -> str:
        return str(self.name)

    def _say(self, what: str) -> None:
        self.log.append(f"{what} {self.name}")


def logged(
    monkeypatch: pytest.MonkeyPatch,
    candidate: Plan,
    baseline: Plan,
    *,
    candidate_first: bool = True,
) -> list[str]:
    """What two trials do when a pair is timed."""
    monkeypatch.setattr(turns, "TimedTrial", Logged)
    log: list[str] = []

    def side(name: str, pace: Plan) -> turns.Side:
        arm: Any = SimpleNamespace(name=name, log=log, trials=contextlib.nullcontext)
        return turns.Side(arm=arm, nodeid="test", pace=pace)

    sides = side("new", candidate), side("old", baseline)
    timings: Any = turns.time_pair(*sides, candidate_first=candidate_first)
    assert timings == ("new", "old")
    return log


def pace(slices: int = 1, *, short_turns: bool = True) -> Plan:
    return Plan(warmup=2, drain=0, batches=10, slices=slices, short_turns=short_turns)


WHOLE = replace(pace(12), whole=Whole(epochs=1, slices=2, skip=3))


@pytest.mark.parametrize("candidate_first", [True, False])
@pytest.mark.parametrize("waits", [(True, True), (True, False), (False, True)])
def test_where_a_side_waits_each_has_the_machine_to_itself(
    monkeypatch: pytest.MonkeyPatch, waits: tuple[bool, bool], candidate_first: bool
) -> None:
    candidate, baseline = (pace(short_turns=not each) for each in waits)
    log = logged(monkeypatch, candidate, baseline, candidate_first=candidate_first)
    order = ("new", "old") if candidate_first else ("old", "new")
    steps = ("begin", "set up", "open", "run", "end")
    assert log == [f"{what} {side}" for side in order for what in steps]


def test_sides_that_keep_their_cpus_busy_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    log = logged(monkeypatch, pace(3), pace(3), candidate_first=False)
    # They set up at the same time; what is measured, they do one after the other.
    assert log[:4] == ["begin old", "begin new", "set up old", "set up new"]
    assert log[4:8] == ["open old", "suspend old", "open new", "suspend new"]
    assert sorted(log[8:-2]) == ["turn new"] * 3 + ["turn old"] * 3
    assert log[-2:] == ["end old", "end new"]


@pytest.mark.parametrize(
    ("candidate", "baseline", "slices"), [(pace(3), pace(5), 3), (WHOLE, WHOLE, 2)]
)
def test_sides_that_take_turns_have_as_many_slices(
    monkeypatch: pytest.MonkeyPatch, candidate: Plan, baseline: Plan, slices: int
) -> None:
    log = logged(monkeypatch, candidate, baseline)
    assert log.count("turn new") == log.count("turn old") == slices
