"""How peak memory waits for a loader that works ahead: real processes."""

from __future__ import annotations

import sys
import time

import pytest

from pytest_loaderperf import measure
from pytest_loaderperf.memory import PeakMemory
from unit.running import python

MIB = 2**20
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

WORKS = """
import time
while time.process_time() < 1: pass
block = bytearray(b"x") * (64 << 20)
"""
SHARES = """
import mmap
block = mmap.mmap(-1, 64 << 20)
block.write(b"x" * (64 << 20))
"""
NEVER_STOPS = "while True: pass"


def test_a_peak_is_awaited_for_as_long_as_a_loader_works_ahead() -> None:
    with python(then=WORKS) as pid:
        memory = PeakMemory(pid)
        started = time.process_time()
        measure._let_queues_fill(pid, memory, longest=60.0)
        assert memory.peak > 60 * MIB
        assert time.process_time() - started < 10  # it did not look for the whole minute


def test_a_loader_that_never_rests_is_not_awaited_for_ever() -> None:
    with python(then=NEVER_STOPS) as pid:
        started = time.monotonic()
        measure._let_queues_fill(pid, PeakMemory(pid), longest=0.5)
        assert time.monotonic() - started >= 0.5


def test_a_loader_that_rests_is_looked_at_twice() -> None:
    # Shared memory counts where two looks in a row have seen it.
    with python(SHARES) as pid:
        memory = PeakMemory(pid)
        measure._let_queues_fill(pid, memory, longest=0.0)
        assert memory._shared > 60 * MIB
