"""Processes that are taken for one tree: counted, suspended and resumed together."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest

from pytest_loaderperf.system import cpus, process_tree, signals
from pytest_loaderperf.system.peak_memory import PeakMemory
from unit.running import python

MIB = 2**20


@pytest.fixture
def three() -> Iterator[list[int]]:
    """Three processes that lead groups of their own, the first one with the others."""
    code = "import os; os.setsid()"
    with ExitStack() as stack:
        pids = [stack.enter_context(python(code)) for _ in range(3)]
        end = time.monotonic() + 60
        while any(os.getpgid(pid) != pid for pid in pids) and time.monotonic() < end:
            time.sleep(0.01)
        process_tree.join(pids[0], pids[1:])
        try:
            yield pids
        finally:
            process_tree.part(pids[0])


def states(pids: list[int]) -> set[str]:
    return {psutil.Process(pid).status() for pid in pids}


def test_they_are_suspended_and_resumed_together(three: list[int]) -> None:
    signals.suspend(three[0])
    assert states(three) == {psutil.STATUS_STOPPED}
    signals.resume(three[0])
    assert psutil.STATUS_STOPPED not in states(three)


def test_their_trees_are_one(three: list[int]) -> None:
    assert process_tree.leaders(three[0]) == tuple(three)
    assert process_tree.tree(three[0]) == three
    assert process_tree.own_tree(three[0]) == three[:1]
    assert not process_tree.has_one_thread(three[0])
    alone = sum(cpus.cpu_seconds_of(pid) for pid in three)
    assert cpus.cpu_seconds(three[0]) >= alone > cpus.cpu_seconds_of(three[0])


def test_one_that_has_parted_is_by_itself(three: list[int]) -> None:
    process_tree.part(three[0])
    assert process_tree.tree(three[0]) == three[:1]


TAKES_WHEN_ASKED = """
import signal
kept = []
signal.signal(signal.SIGUSR1, lambda *_: kept.append(b"x" * (32 * 2**20)))
"""


def test_their_memory_is_counted_together_and_told_by_rank() -> None:
    with python(TAKES_WHEN_ASKED) as first, python(TAKES_WHEN_ASKED) as second:
        process_tree.join(first, [second])
        try:
            memory = PeakMemory(first, first)
            before = [psutil.Process(pid).memory_info().rss for pid in (first, second)]
            for pid, used in zip((first, second), before, strict=True):
                os.kill(pid, signal.SIGUSR1)
                end = time.monotonic() + 60
                while psutil.Process(pid).memory_info().rss < used + 30 * MIB:
                    assert time.monotonic() < end
                    time.sleep(0.01)
            memory.sample()
            memory.sample()
            assert 60 * MIB < memory.peak < 80 * MIB
            assert {*memory.samples[-1].processes} == {"rank 0", "rank 1"}
        finally:
            process_tree.part(first)
    memory.close()
