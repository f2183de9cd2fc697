"""Peak memory: what real processes add."""

from __future__ import annotations

import mmap
import os
import signal
import sys
import threading
import time
from unittest import mock

import pytest

from pytest_loaderperf.system.peak_memory import PeakMemory
from unit.running import python

MIB = 2**20
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SLACK = 16 * MIB  # what an interpreter needs besides


@on_linux
def test_a_peak_that_one_look_has_seen_is_kept_after_the_memory_is_gone() -> None:
    memory = PeakMemory(os.getpid())
    block = bytearray(b"x") * (64 * MIB)
    memory.sample()
    del block
    memory.sample()
    assert 60 * MIB < memory.peak < 64 * MIB + SLACK


@on_linux
def test_a_peak_between_looks_at_all_pages_shows_in_the_counters() -> None:
    memory = PeakMemory(os.getpid())
    memory._rested = float("inf")  # as while the last such look was a moment ago
    block = bytearray(b"x") * (64 * MIB)
    memory.follow()
    assert memory.peak == 0  # until pages are looked at
    del block
    memory._rested = 0.0
    memory.follow()
    assert 60 * MIB < memory.peak < 64 * MIB + SLACK


@on_linux
def test_a_peak_that_no_look_has_seen_is_known_to_the_kernel() -> None:
    memory = PeakMemory(os.getpid())
    block = bytearray(b"x") * (64 * MIB)
    del block
    memory.follow()
    memory.sample()
    assert 60 * MIB < memory.peak < 64 * MIB + SLACK


@on_linux
def test_a_peak_of_before_the_start_does_not_count() -> None:
    memory = PeakMemory(os.getpid())
    block = bytearray(b"x") * (64 * MIB)
    del block
    memory.start()
    memory.follow()
    memory.sample()
    assert memory.peak < SLACK


@on_linux
def test_following_a_tree_mostly_leaves_it_alone() -> None:
    memory = PeakMemory(os.getpid())
    looks = 0

    def sample() -> None:
        nonlocal looks
        looks += 1
        time.sleep(0.01)

    with mock.patch.object(memory, "sample", sample):
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            memory.follow()
    assert 1 < looks < 10


@on_linux
def test_every_process_that_lives_counts_with_its_own_peak() -> None:
    # Both together, although one has gone down before the other goes up.
    memory = PeakMemory(os.getpid())
    block = bytearray(b"x") * (64 * MIB)
    memory.sample()
    del block
    with python("block = bytearray(b'x') * (64 << 20)"):
        memory.sample()
    assert 124 * MIB < memory.peak < 128 * MIB + 2 * SLACK


@on_linux
def test_processes_that_follow_each_other_do_not_add_up() -> None:
    memory = PeakMemory(os.getpid())
    for _ in range(3):
        with python("block = bytearray(b'x') * (64 << 20)"):
            memory.sample()
    assert 60 * MIB < memory.peak < 64 * MIB + 2 * SLACK


@on_linux
def test_a_process_that_nobody_has_waited_for_counts_no_more() -> None:
    memory = PeakMemory(os.getpid())
    with python("block = bytearray(b'x') * (64 << 20)") as pid:
        memory.sample()
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with python("block = bytearray(b'x') * (64 << 20)"):
            memory.sample()
    assert 60 * MIB < memory.peak < 64 * MIB + 2 * SLACK


@on_linux
def test_a_fork_adds_nothing_to_a_peak() -> None:
    memory = PeakMemory(os.getpid())
    block = bytearray(b"x") * (64 * MIB)
    memory.sample()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(reader, 1)
        os._exit(len(block) % 2)
    memory.sample()
    os.write(writer, b"x")
    os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)
    assert 60 * MIB < memory.peak < 64 * MIB + SLACK


@on_linux
def test_shared_memory_that_only_one_look_sees_is_chance() -> None:
    memory = PeakMemory(os.getpid())
    memory.sample()
    with mmap.mmap(-1, 64 * MIB) as block:
        block.write(b"x" * (64 * MIB))
        memory.sample()
    memory.sample()
    assert memory.peak < SLACK


@on_linux
def test_what_was_there_before_does_not_count() -> None:
    block = bytearray(b"x") * (64 * MIB)
    memory = PeakMemory(os.getpid())
    memory.sample()
    assert 0 <= memory.peak < SLACK
    del block
    memory.sample()
    assert 0 <= memory.peak < SLACK


@on_linux
def test_shared_memory_counts() -> None:
    memory = PeakMemory(os.getpid())
    with mmap.mmap(-1, 64 * MIB) as block:
        block.write(b"x" * (64 * MIB))
        memory.sample()
        memory.sample()
    assert memory.peak > 60 * MIB


@on_linux
def test_memory_of_descendants_counts() -> None:
    memory = PeakMemory(os.getpid())
    with python("block = bytearray(b'x') * (64 << 20)"):
        memory.sample()
        memory.sample()
    assert 64 * MIB < memory.peak < 64 * MIB + 2 * SLACK


def test_looks_are_made_while_others_work(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, looked = PeakMemory(os.getpid()), threading.Event()
    monkeypatch.setattr(memory, "follow", looked.set)
    with memory.followed(0.001):
        assert looked.wait(60)
    looked.clear()
    assert not looked.wait(0.05)  # nobody looks any more


def test_an_error_of_a_look_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, looked = PeakMemory(os.getpid()), threading.Event()

    def follow() -> None:
        looked.set()
        raise RuntimeError("no such page")

    monkeypatch.setattr(memory, "follow", follow)
    with pytest.raises(RuntimeError, match="no such page"), memory.followed(0.001):
        assert looked.wait(60)
