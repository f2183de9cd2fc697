"""What else the machine does while a trial runs: counters that are known, and a real process."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_loaderperf.measure import interference
from pytest_loaderperf.measure.interference import Moment, Watch
from pytest_loaderperf.system import cpus
from pytest_loaderperf.system.cpus import MachineSeconds
from unit.running import python

shares = st.floats(0, 1)


class Machine:
    """Counters of a machine with two CPUs, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = self.taken = self.own = self.coordinator = self.steal = 0.0
        counted = {
            "usable_cpus": lambda: [0, 1],
            "machine_seconds": lambda _: MachineSeconds(self.taken, self.steal),
            "cpu_seconds": lambda _: self.own,
        }
        for name, value in counted.items():
            monkeypatch.setattr(cpus, name, value)
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(time, "process_time", lambda: self.coordinator)

    def run(self, seconds: float, *, own: float, others: float, coordinator: float = 0.0) -> None:
        self.now += seconds
        self.own += own
        self.coordinator += coordinator
        self.taken += own + coordinator + others


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_what_others_take_while_a_trial_runs_is_a_share_of_the_cpus(machine: Machine) -> None:
    watch = Watch(1)
    for _ in range(2):
        machine.run(3.0, own=0.0, others=6.0)  # before its turn, and between two of them
        watch.start()
        machine.run(0.5, own=0.5, others=0.2, coordinator=0.3)
        watch.stop()
    assert watch.external_load == pytest.approx(0.2)
    assert not watch.paused


def test_a_trial_that_never_ran_was_not_disturbed(machine: Machine) -> None:
    watch = Watch(1)
    machine.run(5.0, own=1.0, others=9.0)
    watch.stop()
    assert watch.external_load == 0.0
    assert not watch.paused


def test_a_long_slice_is_no_pause_as_long_as_somebody_looks(machine: Machine) -> None:
    watch = Watch(1)
    watch.start()
    for _ in range(20):
        machine.run(0.5, own=0.5, others=0.0)
        watch.tick()
    assert not watch.paused
    machine.run(1.6, own=0.0, others=0.0)
    watch.stop()
    assert watch.paused


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_real_process_counts_as_another_one_or_as_the_trial_itself() -> None:
    with python() as idle, python(then="while True: pass") as busy:
        watches = {pid: Watch(pid) for pid in (idle, busy)}
        used = cpus.cpu_seconds(busy)
        for watch in watches.values():
            watch.start()
        started = time.perf_counter()
        time.sleep(0.5)
        for watch in watches.values():
            watch.stop()
        given = (time.perf_counter() - started) * len(cpus.usable_cpus())
        used = cpus.cpu_seconds(busy) - used
    # Whatever else the machine does, this process makes the difference (counted in ticks).
    difference = watches[idle].external_load - watches[busy].external_load
    assert difference == pytest.approx(used / given, abs=0.06)
    assert used / given > 0.1


@given(shares, shares)
def test_a_pair_is_unfair_whichever_side_was_hit(one: float, other: float) -> None:
    assert interference.unfair(one, other) == interference.unfair(other, one)
    assert not interference.unfair(one, one)


def test_a_burst_on_one_side_alone_is_unfair_and_a_busy_machine_is_not() -> None:
    assert interference.unfair(0.0, 0.4)
    assert not interference.unfair(0.5, 0.45)


def test_noise_is_a_share_of_the_time_between_two_moments(machine: Machine) -> None:
    before = Moment(clock=10.0, steal=1.0, pressure={"cpu": 3.0, "io": None, "memory": 0.0})
    after = Moment(clock=14.0, steal=1.8, pressure={"cpu": 5.0, "io": None, "memory": 0.0})
    found = interference.between(before, after, (0.1, 0.3), spoiled=True)
    assert found.steal == pytest.approx(0.1)
    assert found.pressure == {"cpu": 0.5, "io": None, "memory": 0.0}
    assert found.external_load == pytest.approx(0.2)
    assert found.spoiled


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("some avg10=1.00 avg60=2.00 avg300=3.00 total=2500000\nfull avg10=0 total=9\n", 2.5),
        ("full avg10=0.00 total=9\n", None),
        ("", None),
    ],
)
def test_pressure_is_read_in_seconds(text: str, seconds: float | None) -> None:
    assert interference.parse_pressure(text) == seconds


@pytest.mark.parametrize("broken", ["missing", "refused"])
def test_a_system_that_does_not_tell_its_pressure_is_no_error(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    error: Callable[..., str] = _raising(FileNotFoundError if broken == "missing" else OSError)
    monkeypatch.setattr("pathlib.Path.read_text", error)
    assert Moment.now().pressure == {"cpu": None, "memory": None, "io": None}


def _raising(error: type[OSError]) -> Callable[..., str]:
    def fail(*_: object, **__: object) -> str:
        raise error(95, "Operation not supported")

    return fail
