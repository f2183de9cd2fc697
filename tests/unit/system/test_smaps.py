"""What the pages and the counters of processes say: recorded texts, and real processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.errors import LoaderError
from pytest_loaderperf.system.smaps import (
    Counters,
    Mapped,
    Used,
    counters_of,
    parse_mapped,
    parse_rollup,
    parse_status,
    reset_highest,
    torch_files,
    used_by_tree,
)
from unit.running import python

MIB = 2**20
no_deadline = settings(deadline=None)
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SLACK = 16 * MIB  # what an interpreter needs besides


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
Private_Dirty:    250000 kB
Anonymous:        310000 kB
AnonHugePages:     20480 kB
ShmemPmdMapped:        0 kB
Swap:               4096 kB
SwapPss:              24 kB
Locked:                0 kB
"""


def test_anonymous_shared_and_swapped_memory_count() -> None:
    kilobytes = Used(anonymous=301000 + 24, shared=1000, whole=310000 + 4096, own=250000)
    assert parse_rollup(ROLLUP) == Used(
        **{name: 1024 * size for name, size in vars(kilobytes).items()}
    )


def test_pages_of_files_do_not_count() -> None:
    assert parse_rollup(ROLLUP.replace("100337", "900337")) == parse_rollup(ROLLUP)


@pytest.mark.parametrize("text", ["", "Pss_Anon:", "Pss_Anon: many kB", "xPss_Anon: 5 kB"])
def test_what_is_not_there_counts_nothing(text: str) -> None:
    assert parse_rollup(text) == Used()


kilobytes = st.integers(0, 2**40)


@given(
    st.fixed_dictionaries(
        dict.fromkeys(("Pss_Anon", "Pss_Shmem", "SwapPss", "Private_Dirty"), kilobytes)
    )
)
@no_deadline
def test_a_rollup_reads_back(parts: dict[str, int]) -> None:
    others = {"Rss": 7, "Pss": 7, "Pss_File": 7, "Anonymous": 3, "Swap": 4}
    text = "".join(f"{key}:{value:>16} kB\n" for key, value in {**others, **parts}.items())
    assert parse_rollup(text) == Used(
        anonymous=1024 * (parts["Pss_Anon"] + parts["SwapPss"]),
        shared=1024 * parts["Pss_Shmem"],
        whole=1024 * 7,
        own=1024 * parts["Private_Dirty"],
    )


@given(st.text())
@no_deadline
def test_any_text_has_a_size(text: str) -> None:
    assert parse_rollup(f"Pss_Anon: 4 kB\n{text}").anonymous >= 0


def test_an_older_kernel_is_an_error_and_not_zero() -> None:
    with pytest.raises(LoaderError, match="Linux"):
        parse_rollup("Rss: 100 kB\nPss: 50 kB\n")
    assert parse_rollup("") == Used()  # the process has ended


# What it writes of the same kind of process in ``status``.
STATUS = """\
Name:\tpython3
VmPeak:\t  999999 kB
VmHWM:\t  640000 kB
VmRSS:\t  410337 kB
RssAnon:\t  301000 kB
RssFile:\t  108337 kB
RssShmem:\t    1000 kB
VmSwap:\t      24 kB
Threads:\t1
"""


def test_a_status_tells_the_kinds_of_memory_apart() -> None:
    sizes = Counters(anonymous=301000 + 24, files=108337, shared=1000, highest=640000)
    assert parse_status(STATUS) == Counters(
        **{name: 1024 * size for name, size in vars(sizes).items()}
    )


@pytest.mark.parametrize("text", ["", "VmHWM: many kB", "Name: VmHWM: 5 kB"])
def test_a_status_without_numbers_counts_nothing(text: str) -> None:
    assert parse_status(text) == Counters()


counters = st.builds(
    Counters,
    **dict.fromkeys(("anonymous", "files", "shared", "highest"), st.integers(0, 2**60)),
)


@given(counters, counters)
@no_deadline
def test_the_highest_of_each_counter_is_kept(one: Counters, other: Counters) -> None:
    raised = one.raised_by(other)
    assert raised == other.raised_by(one) == raised.raised_by(one)
    assert raised.highest == max(one.highest, other.highest)
    assert raised.anonymous >= one.anonymous


# --- real processes -----------------------------------------------------------------------------


def bytes_of(pid: int) -> int:
    """What a tree uses."""
    used = used_by_tree(pid)
    return used.anonymous + used.shared


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
        Mapped(file=(os.makedev(0, 0x1A), 42), length=8192, resident=4096),
        Mapped(file=(os.makedev(0x103, 2), 7), length=4096, resident=0),
    ]


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


@on_linux
def test_the_highest_use_counts_from_its_reset_on() -> None:
    spike = "block = bytearray(b'x') * (64 << 20); del block"
    with python(spike) as pid:
        assert counters_of(pid).highest > 64 * MIB
        reset_highest(pid)
        assert counters_of(pid).highest < SLACK + counters_of(pid).files


@on_linux
def test_counters_of_a_process_that_has_ended_are_nothing() -> None:
    with python("pass") as pid:
        assert counters_of(pid).anonymous > 0
    reset_highest(pid)
    assert counters_of(pid) == Counters()


@on_linux
def test_files_of_torch_count_for_those_who_have_made_them() -> None:
    mine, others = (Path(f"/dev/shm/torch_{pid}_unit_test") for pid in (os.getpid(), 1))
    try:
        for file in (mine, others):
            file.write_bytes(b"x" * MIB)
        assert list(torch_files({os.getpid()}).values()) == [MIB]
        assert torch_files(set()) == {}
    finally:
        mine.unlink()
        others.unlink()
    assert torch_files({os.getpid()}) == {}
