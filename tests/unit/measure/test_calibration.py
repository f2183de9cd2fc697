"""How peak memory waits for a loader that works ahead: real processes."""

from __future__ import annotations

import sys
import time

import pytest

from pytest_loaderperf.measure import calibration
from pytest_loaderperf.system.peak_memory import PeakMemory
from unit.running import python

MIB = 2**20
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

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


def test_a_peak_is_awaited_for_as_long_as_a_loader_works_ahead() -> None:
    with python(AHEAD.format(seconds=1), then="go.set()") as pid:
        memory = PeakMemory(pid)
        started = time.process_time()
        calibration._let_queues_fill(pid, memory, longest=60.0)
        assert memory.peak > 60 * MIB
        assert time.process_time() - started < 10  # it did not look for the whole minute


def test_a_loader_that_never_rests_is_not_awaited_for_ever() -> None:
    with python(AHEAD.format(seconds=1e9), then="go.set()") as pid:
        started = time.monotonic()
        calibration._let_queues_fill(pid, PeakMemory(pid), longest=0.5)
        assert time.monotonic() - started >= 0.5


def test_a_loader_of_one_thread_works_ahead_on_nothing() -> None:
    with python(then="while True: pass") as pid:
        memory = PeakMemory(pid)
        started = time.monotonic()
        calibration._let_queues_fill(pid, memory, longest=60.0)
        assert time.monotonic() - started < 10


def test_a_loader_that_rests_is_looked_at_twice() -> None:
    # Shared memory counts where two looks in a row have seen it.
    with python(SHARES) as pid:
        memory = PeakMemory(pid)
        calibration._let_queues_fill(pid, memory, longest=0.0)
        assert memory._shared > 60 * MIB
