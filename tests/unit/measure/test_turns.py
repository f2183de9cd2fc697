"""Who runs when: fake trials on a machine whose speed is known, and that tells who ran."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from pytest_loaderperf.measure import turns
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

    def slice(self) -> None:
        self.begin_slice()
        assert not self.frozen
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


def test_slices_run_abba_baab() -> None:
    machine = Machine()
    first, second = pair(machine)
    turns.take_slices(first, second, 4)
    assert "".join(machine.ran) == "abbabaab"
    assert first.frozen
    assert second.frozen


@pytest.mark.parametrize("work", [0.001, 0.15, 0.4])
def test_short_turns_end_when_both_have_had_their_slices(work: float) -> None:
    machine = Machine()
    first, second = pair(machine, work)
    turns.take_short_turns(first, second, 6)
    assert (first.slices, second.slices) == (6, 6)
    assert first.frozen
    assert second.frozen
    assert second.seconds == pytest.approx(6 * work, abs=0.007)


@pytest.mark.parametrize("threads", [(True, True), (False, True), (True, False)])
def test_turns_are_longer_where_several_threads_take_part(threads: tuple[bool, bool]) -> None:
    machine = Machine()
    trials = pair(machine, work=0.15)
    for trial, one in zip(trials, threads, strict=True):
        trial.has_one_thread = one
    turns.take_short_turns(*trials, 1)
    assert len(machine.ran) == (6 if all(threads) else 4)


def test_short_turns_come_in_twos_of_both_in_either_order() -> None:
    machine = Machine()
    first, second = pair(machine)
    turns.take_short_turns(first, second, 40)
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

    assert scatter(turns.take_short_turns) < scatter(turns.take_slices) / 2


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
