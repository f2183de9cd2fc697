"""The throw-away blocks: they move what is allocated next, also in workers, and cost nothing."""

from __future__ import annotations

import platform
import subprocess
import sys
from unittest import mock

import pytest

from pytest_loaderperf.heap import Heap

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's allocator")

# Where in a page the buffers of an image lie, in so many processes that are forked one by one.
PLACES = """
import ctypes, os, sys
from pytest_loaderperf.allocator import keep_memory
from pytest_loaderperf.heap import Heap
keep_memory()
heap = Heap()
if "shuffle" in sys.argv:
    heap.shuffle_workers()
def place():
    buffer = bytearray(562_500)
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer)) % 4096
place()
sys.stdout.flush()
for _ in range(12):
    if os.fork() == 0:
        print(place(), flush=True)
        os._exit(0)
    os.wait()
"""


def places(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PLACES, *arguments], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


@glibc
def test_workers_of_one_process_would_all_have_its_luck() -> None:
    assert len(places()) == 1


@glibc
def test_workers_have_a_luck_of_their_own() -> None:
    assert len(places("shuffle")) > 6


@glibc
def test_blocks_that_were_thrown_away_are_used_again() -> None:
    import psutil

    shuffled = Heap()
    for _ in range(100):
        shuffled.shuffle()
    before = psutil.Process().memory_info().rss
    for _ in range(2000):
        shuffled.shuffle()
    assert psutil.Process().memory_info().rss - before < 2**22


def test_a_system_without_such_an_allocator_is_shuffled_by_python() -> None:
    with mock.patch("ctypes.CDLL", side_effect=TypeError):
        shuffled = Heap()
    shuffled.shuffle()
    shuffled.shuffle()
    assert shuffled._malloc is bytearray
