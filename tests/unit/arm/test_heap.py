"""The throw-away blocks: they move what is allocated next, also in workers, and cost nothing."""

from __future__ import annotations

import platform
import subprocess
import sys
from unittest import mock

import pytest

from pytest_loaderperf.arm.isolation import Heap

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's allocator")

# Where in a page the buffer of an image lies, in so many processes that are forked one by one; each
# is then stopped and resumed as often as that.
PLACES = """
import ctypes, os, signal, sys, time
from pytest_loaderperf.arm.isolation import settle
from pytest_loaderperf.arm import isolation
settle(keep=True)
isolation._WORKER_SECONDS = float(sys.argv[4])
if sys.argv[1] == "shuffle":
    isolation.Heap().shuffle_workers()
def show():
    buffer = bytearray(562_500)
    print(ctypes.addressof(ctypes.c_char.from_buffer(buffer)) % 4096, flush=True)
def worker(resumed):
    show()
    for _ in range(resumed):
        os.kill(os.getpid(), signal.SIGSTOP)
        show()
    os._exit(0)
for _ in range(int(sys.argv[2])):
    pid = os.fork()
    if pid == 0:
        worker(int(sys.argv[3]))
    while os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1]):
        os.kill(pid, signal.SIGCONT)
"""


def places(mode: str, *, workers: int, resumed: int, seconds: float = 0.0) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PLACES, mode, str(workers), str(resumed), str(seconds)],
        check=True,
        capture_output=True,
        text=True,
    )
    shown = done.stdout.split()
    assert len(shown) == workers * (1 + resumed)
    return set(shown)


@glibc
def test_workers_of_one_process_would_have_its_luck_for_life() -> None:
    assert len(places("leave", workers=6, resumed=2)) == 1


@glibc
def test_workers_have_a_luck_of_their_own() -> None:
    assert len(places("shuffle", workers=12, resumed=0)) > 6


@glibc
def test_a_worker_that_is_resumed_tries_its_luck_again() -> None:
    assert len(places("shuffle", workers=1, resumed=24)) > 6


@glibc
def test_a_worker_that_is_resumed_again_at_once_does_not_shuffle_again() -> None:
    assert len(places("shuffle", workers=1, resumed=24, seconds=60.0)) == 1


def test_stretches_that_follow_soon_keep_their_luck(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 0.0, 0.1, 0.3, 0.3])  # each look at the clock, and the end of each shuffle
    monkeypatch.setattr("pytest_loaderperf.arm.isolation.time.monotonic", lambda: next(times))
    shuffled, blocks = Heap(), []
    for _ in range(3):
        shuffled.shuffle_when_due()
        blocks.append(list(shuffled._blocks))
    assert blocks[0]
    assert blocks[0] == blocks[1] != blocks[2]


HANDLES = """
import os, signal
from pytest_loaderperf.arm.isolation import Heap
signal.signal(signal.SIGCONT, lambda *_: print("mine", flush=True))
Heap().shuffle_workers()
if os.fork() == 0:
    os.kill(os.getpid(), signal.SIGCONT)
    os._exit(0)
os.wait()
"""


def test_a_loader_that_handles_the_signal_itself_is_left_alone() -> None:
    done = subprocess.run([sys.executable, "-c", HANDLES], check=True, capture_output=True)
    assert done.stdout == b"mine\n"


@glibc
def test_blocks_that_were_thrown_away_are_used_again() -> None:
    import psutil

    shuffled = Heap()
    for _ in range(100):
        shuffled.shuffle()
    before = psutil.Process().memory_info().rss
    for _ in range(2000):
        shuffled.shuffle()
    assert psutil.Process().memory_info().rss - before < 2**25


def test_a_system_without_such_an_allocator_is_shuffled_by_python() -> None:
    with mock.patch("ctypes.CDLL", side_effect=TypeError):
        shuffled = Heap()
    shuffled.shuffle()
    shuffled.shuffle()
    assert shuffled._malloc is bytearray


def test_a_worker_that_is_resumed_while_it_shuffles_frees_every_block_once() -> None:
    shuffled = Heap()
    made = iter(range(10**6))
    freed: list[object] = []
    resumed_at = {30, 100, 101, 150}

    def allocate(_: int) -> int:
        block = next(made)
        if block in resumed_at:
            shuffled.shuffle()
        return block

    shuffled._malloc, shuffled._free = allocate, freed.append
    for _ in range(3):
        shuffled.shuffle()
    assert len(freed) == len(set(freed))
    assert len(freed) + len(shuffled._blocks) == next(made)
