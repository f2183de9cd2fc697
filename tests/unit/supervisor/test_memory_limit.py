"""Which trials end for the memory that they take: fake trials on a machine that is told."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from pytest_loaderperf.model.metrics import MemoryLimit
from pytest_loaderperf.supervisor import memory_limit
from pytest_loaderperf.supervisor.memory_limit import Ceiling
from pytest_loaderperf.system.smaps import Tree, Used

GIB = float(2**30)


class Machine:
    """Ten GiB, of which trials use what they are set to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.used: dict[int, float] = {}
        self.others = 0.0
        self.looks: list[int] = []
        monkeypatch.setattr(memory_limit, "Memory", lambda: self)
        monkeypatch.setattr(memory_limit, "used_by_tree", self.look)
        # Looks only when they are asked for, and as often as they are.
        monkeypatch.setattr(memory_limit.Ceiling, "_run", lambda _: None)
        monkeypatch.setattr(memory_limit, "_REST", 0)

    total = 10 * GIB

    @property
    def available(self) -> float:
        return self.total - self.others - sum(self.used.values())

    def look(self, pid: int) -> Tree:
        self.looks.append(pid)
        return Tree(processes={pid: Used(anonymous=int(self.used[pid]))}, unseen=0)


class Trial:
    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended: list[tuple[float, float | None]] = []

    def end_for(self, needed: float, limit: float | None) -> None:
        self.ended.append((needed, limit))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def watched(machine: Machine, limit: MemoryLimit, *pids: int) -> tuple[Ceiling, list[Trial]]:
    watching = Ceiling(limit)
    trials = [Trial(pid) for pid in pids]
    for trial in trials:
        machine.used[trial.pid] = 0.0
        watching.watch(trial)
    machine.looks.clear()
    return watching, trials


def test_a_trial_ends_once_it_has_passed_its_limit(machine: Machine) -> None:
    watching, (trial,) = watched(machine, MemoryLimit(share=0, bytes=3 * GIB), 7)
    for used in (1.0, 2.9, 3.1, 3.2):
        machine.used[7] = used * GIB
        watching.look()
    ((needed, limit),) = trial.ended
    assert needed == pytest.approx(3.1 * GIB, abs=1)
    assert limit == 3 * GIB


def test_a_share_is_one_of_what_was_available_at_the_start(machine: Machine) -> None:
    machine.others = 5 * GIB
    watching, (trial,) = watched(machine, MemoryLimit(share=0.5), 7)
    machine.others, machine.used[7] = 0.0, 2.6 * GIB
    watching.look()
    assert not trial.ended  # others have left so much that it need not be looked at
    machine.others = 5 * GIB
    watching.look()
    assert [limit for _, limit in trial.ended] == [2.5 * GIB]


def test_a_trial_is_left_alone_while_next_to_nothing_has_gone(machine: Machine) -> None:
    watching, _ = watched(machine, MemoryLimit(share=0, bytes=3 * GIB), 7)
    machine.used[7] = 1.4 * GIB
    watching.look()
    assert not machine.looks
    machine.used[7] = 1.6 * GIB
    watching.look()
    assert machine.looks == [7]


def test_whoever_grows_is_not_looked_at_all_the_time(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(memory_limit, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(memory_limit, "_REST", 2)
    watching, _ = watched(machine, MemoryLimit(share=0, bytes=3 * GIB), 7)

    def takes_a_tenth(pid: int) -> Tree:
        clock[0] += 0.1
        return Machine.look(machine, pid)

    monkeypatch.setattr(memory_limit, "used_by_tree", takes_a_tenth)
    machine.used[7] = 2 * GIB
    for _ in range(100):
        watching.look()
        clock[0] += 0.05
    assert len(machine.looks) == 1  # in five seconds


def test_whoever_nears_its_limit_is_looked_at_ever_sooner(machine: Machine) -> None:
    watching, (trial,) = watched(machine, MemoryLimit(share=0, bytes=4 * GIB), 7)
    seen = []
    while not trial.ended:
        machine.used[7] += GIB / 64
        watching.look()
        if machine.looks:
            seen.append(machine.used[7] / GIB)
            machine.looks.clear()
    # Half of what is left has gone each time.
    assert seen[:4] == pytest.approx([2.0, 3.0, 3.5, 3.75], abs=0.1)
    assert machine.used[7] == pytest.approx(4 * GIB, rel=0.01)


def test_when_the_machine_has_no_more_the_largest_ends(machine: Machine) -> None:
    watching, (small, large) = watched(machine, MemoryLimit(share=0, bytes=100 * GIB), 7, 8)
    machine.used.update({7: 2 * GIB, 8: 4 * GIB})
    machine.others = 3.5 * GIB
    watching.look()
    assert not small.ended
    assert large.ended == [(4 * GIB, None)]


def test_a_trial_that_has_ended_is_forgotten(machine: Machine) -> None:
    watching, (trial,) = watched(machine, MemoryLimit(share=0, bytes=GIB), 7)
    watching.forget(trial)
    machine.used[7] = 9.5 * GIB
    watching.look()
    assert not trial.ended


def test_the_thread_looks_by_itself_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    used = iter([2**30, 2**40])
    monkeypatch.setattr(
        memory_limit,
        "used_by_tree",
        lambda pid: Tree(processes={pid: Used(anonymous=next(used))}, unseen=0),
    )
    monkeypatch.setattr(memory_limit, "_GROWN", -1e9)
    watching, trial = Ceiling(MemoryLimit(share=0, bytes=GIB)), Trial(7)
    watching.watch(trial)
    end = time.monotonic() + 20
    while not trial.ended and time.monotonic() < end:
        time.sleep(0.01)
    watching.close()
    assert trial.ended == [(2.0**40 - GIB, GIB)]  # less what it had when it started
    assert watching._thread is not None
    assert not watching._thread.is_alive()
