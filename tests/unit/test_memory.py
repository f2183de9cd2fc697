"""Peak memory: what a rollup says, and what real processes add."""

from __future__ import annotations

import mmap
import os
import signal
import sys
import time
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.errors import LoaderError
from pytest_loaderperf.memory import (
    Mapped,
    PeakMemory,
    Used,
    parse_mapped,
    parse_rollup,
    used_by_tree,
)
from unit.running import python

MIB = 2**20
no_deadline = settings(deadline=None)
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# What Linux 6.18 writes, of a process that maps library files as well.
ROLLUP = """\
55d5c8a00000-7ffd2b3f9000 ---p 00000000 00:00 0                          [rollup]
Rss:              904820 kB
Pss:              402337 kB
Pss_Dirty:        398112 kB
Pss_Anon:         301000 kB
Pss_File:         100337 kB
Pss_Shmem:          1000 kB
Shared_Clean:      98004 kB
Anonymous:        310000 kB
AnonHugePages:     20480 kB
ShmemPmdMapped:        0 kB
Swap:               4096 kB
SwapPss:              24 kB
Locked:                0 kB
"""


def test_anonymous_shared_and_swapped_memory_count() -> None:
    kilobytes = Used(anonymous=301000 + 24, shared=1000, whole=310000 + 4096)
    assert parse_rollup(ROLLUP) == Used(*(1024 * size for size in vars(kilobytes).values()))


def test_pages_of_files_do_not_count() -> None:
    assert parse_rollup(ROLLUP.replace("100337", "900337")) == parse_rollup(ROLLUP)


@pytest.mark.parametrize("text", ["", "Pss_Anon:", "Pss_Anon: many kB", "xPss_Anon: 5 kB"])
def test_what_is_not_there_counts_nothing(text: str) -> None:
    assert parse_rollup(text) == Used()


kilobytes = st.integers(0, 2**40)


@given(st.fixed_dictionaries(dict.fromkeys(("Pss_Anon", "Pss_Shmem", "SwapPss"), kilobytes)))
@no_deadline
def test_a_rollup_reads_back(parts: dict[str, int]) -> None:
    others = {"Rss": 7, "Pss": 7, "Pss_File": 7, "Anonymous": 3, "Swap": 4}
    text = "".join(f"{key}:{value:>16} kB\n" for key, value in {**others, **parts}.items())
    assert parse_rollup(text) == Used(
        anonymous=1024 * (parts["Pss_Anon"] + parts["SwapPss"]),
        shared=1024 * parts["Pss_Shmem"],
        whole=1024 * 7,
    )


@given(st.text())
@no_deadline
def test_any_text_has_a_size(text: str) -> None:
    assert parse_rollup(f"Pss_Anon: 4 kB\n{text}").anonymous >= 0


def test_an_older_kernel_is_an_error_and_not_zero() -> None:
    with pytest.raises(LoaderError, match="Linux"):
        parse_rollup("Rss: 100 kB\nPss: 50 kB\n")
    assert parse_rollup("") == Used()  # the process has ended


# --- real processes -----------------------------------------------------------------------------

SLACK = 16 * MIB  # what an interpreter needs besides


def bytes_of(pid: int) -> int:
    """What a tree uses."""
    used = used_by_tree(pid)
    return used.anonymous + used.shared


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


QUEUED = """
import mmap, os
batch = os.memfd_create('batch')
os.truncate(batch, 64 << 20)
with mmap.mmap(batch, 64 << 20) as block:
    block.write(b'x' * (64 << 20))
os.fork() or input()  # both hold it open
"""
MAPPED = QUEUED + "block = mmap.mmap(batch, 64 << 20)\n"
RECEIVED = MAPPED + "os.close(batch)"  # mapped, and not touched
READ = MAPPED + "assert sum(block[::4096])"


@on_linux
@pytest.mark.parametrize(
    "code",
    [QUEUED, MAPPED, RECEIVED, READ, READ + "\nos.close(batch)"],
    ids=["queued", "mapped", "received", "read", "read and closed"],
)
def test_shared_memory_counts_once_whoever_has_it(code: str) -> None:
    with python("import mmap") as alone:
        empty = bytes_of(alone)
    with python(code) as parent:
        used = bytes_of(parent)
    assert 60 * MIB < used - empty < 64 * MIB + SLACK


def test_maps_name_the_files_of_shared_memory() -> None:
    text = """\
7f0000000000-7f0000002000 rw-s 00000000 00:1a 42                 /dev/shm/torch_1_2 (deleted)
Size:                  8 kB
Rss:                   4 kB
VmFlags: rd wr sh
7f0000002000-7f0000003000 rw-s 00000000 103:02 7 /memfd:a batch (deleted)
7f0000003000-7f0000004000 r-xp 00000000 fe:00 99 /usr/lib/libc.so.6
Rss:                   4 kB
7f0000004000-7f0000005000 rw-p 00000000 00:00 0
7f0000005000-7f0000006000 rw-p 00000000 00:00 0 [heap]
"""
    assert parse_mapped(text) == [
        Mapped((os.makedev(0, 0x1A), 42), 8192, 4096),
        Mapped((os.makedev(0x103, 2), 7), 4096, 0),
    ]


@on_linux
def test_memory_of_descendants_counts() -> None:
    memory = PeakMemory(os.getpid())
    with python("block = bytearray(b'x') * (64 << 20)"):
        memory.sample()
        memory.sample()
    assert 64 * MIB < memory.peak < 64 * MIB + 2 * SLACK


@on_linux
def test_pages_that_processes_share_count_once() -> None:
    with python("pass") as alone:
        empty = bytes_of(alone)
    fork = "import os\nblock = bytearray(b'x') * (64 << 20)\nif not os.fork(): input()"
    with python(fork) as parent:
        used = bytes_of(parent)
    assert 60 * MIB < used - empty < 64 * MIB + SLACK


@on_linux
def test_a_process_that_has_ended_uses_nothing() -> None:
    with python("pass") as pid:
        assert bytes_of(pid) > 0
    assert bytes_of(pid) == 0
