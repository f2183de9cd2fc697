"""Threads, and the libraries on their stacks."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from pytest_loaderperf.system import threads
from pytest_loaderperf.system.threads import Mapping

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
CODE = [
    Mapping(0x1000, 0x2000, "r-xp", "/lib/libc.so.6"),
    Mapping(0x2000, 0x3000, "r--p", "/lib/libother.so"),
    Mapping(0x5000, 0x6000, "r-xp", "/opt/libpool.so.1"),
    Mapping(0x7000, 0x8000, "r-xp", "/usr/bin/python3"),
]


@pytest.mark.parametrize(
    ("words", "libraries"),
    [
        ([0x1010, 0x5FFF, 0x5000, 0x1020], ["libpool.so.1"]),
        ([0x7000, 0x5001, 0x7FFF], ["python3", "libpool.so.1", "python3"]),
        ([0x6000, 0x4FFF, 0x0, 0x2FFF, 2**64 - 1], []),  # in no code
        ([0x00B5_0000_0000_5010], ["libpool.so.1"]),  # signed, as newer ARM processors do it
    ],
)
def test_words_on_a_stack_lead_to_libraries(
    monkeypatch: pytest.MonkeyPatch, words: list[int], libraries: list[str]
) -> None:
    monkeypatch.setattr(threads, "_words", lambda *_: words)
    assert list(threads._libraries("202 0x0 0x1 0x7ff0 0x1000", CODE)) == libraries


@pytest.mark.parametrize("syscall", ["running", "", "running\n"])
def test_a_thread_that_runs_shows_nothing(syscall: str) -> None:
    assert list(threads._libraries(syscall, CODE)) == []


def test_a_thread_of_this_process_is_pythons() -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    before = threads.count()
    thread.start()
    try:
        assert threads.count() == before + 1
        while any(each.busy for each in threads.others()):  # it may not wait yet
            time.sleep(0.001)
        assert any("python" in each.owner for each in threads.others())
    finally:
        end.set()
        thread.join()
