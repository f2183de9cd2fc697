"""How peak memory waits for a loader that works ahead (real processes), and what sets the pace."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import replace
from typing import Any

import pytest

from pytest_loaderperf.measure import calibration
from pytest_loaderperf.measure.calibration import Calibration
from pytest_loaderperf.measure.plan import Lengths, Plan, plan
from pytest_loaderperf.measure.timed_trial import Timing
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.protocol.messages import EpochEnd, Finish, Handed, Opened, Slice
from pytest_loaderperf.system import cpus
from pytest_loaderperf.system.peak_memory import PeakMemory
from unit.running import python

MIB = 2**20
reads_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

AHEAD = """
import threading, time
go, blocks = threading.Event(), []

def work(seconds):
    go.wait()
    while time.process_time() < seconds: pass
    blocks.append(bytearray(b"x") * (64 << 20))

threading.Thread(target=work, args=[{seconds}], daemon=True).start()
"""
SHARES = """
import mmap
block = mmap.mmap(-1, 64 << 20)
block.write(b"x" * (64 << 20))
"""


@reads_proc
def test_a_peak_is_awaited_for_as_long_as_a_loader_works_ahead() -> None:
    with python(AHEAD.format(seconds=1), then="go.set()") as pid:
        memory = PeakMemory(pid)
        started = time.process_time()
        calibration._let_queues_fill(pid, memory, longest=60.0)
        assert memory.peak > 60 * MIB
        assert time.process_time() - started < 10  # it did not look for the whole minute


@reads_proc
def test_a_loader_that_never_rests_is_not_awaited_for_ever() -> None:
    with python(AHEAD.format(seconds=1e9), then="go.set()") as pid:
        started = time.monotonic()
        calibration._let_queues_fill(pid, PeakMemory(pid), longest=0.5)
        assert time.monotonic() - started >= 0.5


@reads_proc
def test_a_loader_of_one_thread_works_ahead_on_nothing() -> None:
    with python(then="while True: pass") as pid:
        memory = PeakMemory(pid)
        started = time.monotonic()
        calibration._let_queues_fill(pid, memory, longest=60.0)
        assert time.monotonic() - started < 10


@reads_proc
def test_a_loader_that_rests_is_looked_at_twice() -> None:
    # Shared memory counts where two looks in a row have seen it.
    with python(SHARES) as pid:
        memory = PeakMemory(pid)
        calibration._let_queues_fill(pid, memory, longest=0.0)
        assert memory._shared > 60 * MIB


# --- the pace of timing trials --------------------------------------------------------------------

WORKLOAD = Workload(batch="int", bytes_per_sample=8.0)
MINUTE = Lengths.within(60.0)


def taken(seconds: float, cpu_seconds: float = 0.0, epoch_batches: int | None = None) -> Slice:
    """A slice of ten batches."""
    return Slice(
        stretches=[(0.0, seconds)],
        samples=80,
        batches=10,
        cpu_seconds=cpu_seconds,
        epoch_batches=epoch_batches,
    )


def timing(seconds: float, cpu_seconds: float) -> Timing:
    return Timing(values={}, workload=WORKLOAD, taken=taken(seconds, cpu_seconds), made=10.0)


def paced(
    *timings: Timing,
    epoch_seconds: float = math.inf,
    short_turns: bool = False,
    workers: tuple[int, int] = (0, 0),
) -> tuple[Plan, Plan]:
    """The plan of a calibration in which a batch took 20 ms, and that after some timings."""
    loader = Handed(
        kind="iterable",
        workers=workers[0],
        prefetch=0,
        epoch_batches=1000,
        samples_per_epoch=None,
        built_data=False,
    )
    before = plan(0.02, 0, 0, 1000, MINUTE, epoch_seconds=epoch_seconds, short_turns=short_turns)
    known = Calibration(
        loader=loader,
        workload=WORKLOAD,
        peak_memory=1e6,
        values={"first_batch": 0.1},
        batches=10,
        plan=before,
        epoch_seconds=epoch_seconds,
        asserted=(),
    )
    other = replace(known, loader=replace(loader, workers=workers[1]))
    return before, calibration.paced(known, timings, MINUTE, other)


@pytest.mark.parametrize(
    ("cpu_seconds", "short_turns"),
    [((0.1, 0.1), True), ((0.1, 0.03), False), ((0.03, 0.1), False)],
)
def test_turns_are_short_where_no_side_waits(
    monkeypatch: pytest.MonkeyPatch, cpu_seconds: tuple[float, float], *, short_turns: bool
) -> None:
    monkeypatch.setattr(cpus, "usable_cpus", lambda: [0, 1])
    _, after = paced(*(timing(0.1, each) for each in cpu_seconds), short_turns=not short_turns)
    assert after.short_turns is short_turns


@pytest.mark.parametrize(
    ("workers", "cpu_seconds", "short_turns"),
    [
        ((2, 0), (0.2, 0.1), True),
        ((0, 2), (0.1, 0.2), True),
        ((2, 2), (0.2, 0.1), False),
        ((0, 2), (0.1, 0.1), False),
    ],
)
def test_a_loader_is_as_busy_as_its_own_workers_can_be(
    monkeypatch: pytest.MonkeyPatch,
    workers: tuple[int, int],
    cpu_seconds: tuple[float, float],
    *,
    short_turns: bool,
) -> None:
    monkeypatch.setattr(cpus, "usable_cpus", lambda: [0, 1])
    timings = (timing(0.1, each) for each in cpu_seconds)
    _, after = paced(*timings, short_turns=not short_turns, workers=workers)
    assert after.short_turns is short_turns


def test_memory_that_was_looked_at_does_not_set_the_pace() -> None:
    before, after = paced(timing(0.1, 0.1))
    assert (before.batches, after.batches) == (8, 15)


@pytest.mark.parametrize("short_turns", [True, False])
def test_the_starts_of_short_epochs_do_not_look_like_waiting(*, short_turns: bool) -> None:
    waits = timing(0.1, 0.01)
    before, after = paced(waits, waits, epoch_seconds=0.05, short_turns=short_turns)
    assert before.whole is not None
    assert before.whole.epochs > 1
    assert after.short_turns is short_turns


@pytest.mark.parametrize(("epoch_seconds", "whole"), [(5.0, True), (50.0, False)])
def test_whole_epochs_are_timed_where_they_fit(epoch_seconds: float, *, whole: bool) -> None:
    for each in paced(timing(0.1, 0.1), epoch_seconds=epoch_seconds):
        assert (each.whole is not None) is whole


class Asked:
    """A trial that notes for how long it may read its epoch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def ask(self, message: Finish, expected: type[EpochEnd]) -> EpochEnd:
        self.seconds.append(message.seconds)
        return expected(batches=100, seconds=1.0)


@pytest.mark.parametrize(
    ("epoch_batches", "asked"),
    [
        (None, [4.8]),
        (900, [11.25]),  # memory is looked at meanwhile: it may be faster
        (1015, [11.25]),
        (1025, []),
        (10**9, []),
    ],
)
def test_an_epoch_is_read_to_its_end_if_it_seems_to_fit(
    epoch_batches: int | None, asked: list[float]
) -> None:
    trial: Any = Asked()
    opened = Opened(first_batch=1.05, workload=WORKLOAD, epoch_batches=epoch_batches)
    survey = taken(0.1, epoch_batches=epoch_batches)
    end = calibration._epoch_end(trial, opened, survey, longest=7.5, unknown=4.8)
    assert trial.seconds == asked
    assert (end.batches is not None) == bool(asked)
