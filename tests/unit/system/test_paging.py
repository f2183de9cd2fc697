"""Thrashing: recorded counters, and a process that has too little memory for its file."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.system import cgroups
from pytest_loaderperf.system.paging import Paging, note, parse_returned
from unit.running import python

MIB = 2**20
counts = st.integers(0, 2**60)
no_deadline = settings(deadline=None)

VMSTAT = """\
nr_free_pages 250000
workingset_refault_anon 7
workingset_refault_file 1000
pgmajfault 5551
pswpin 5
pswpout 9
"""


def test_counters_are_read() -> None:
    assert parse_returned(VMSTAT) == 1007
    assert parse_returned(VMSTAT.replace("_anon 7", "_anon 0")) == 1005


@given(st.text())
@no_deadline
def test_any_text_has_counters(text: str) -> None:
    assert parse_returned(text) >= 0


@given(counts, counts)
@no_deadline
def test_a_machine_that_takes_nothing_away_is_not_thrashing(faults: int, returned: int) -> None:
    before = Paging(major_faults=faults, returned=returned)
    assert not note(before, before)
    assert not note(
        before, Paging(major_faults=faults + 10**6, returned=returned)
    )  # read for the first time
    assert not note(
        before, Paging(major_faults=faults, returned=returned + 10**6)
    )  # a large file, read once more
    assert note(before, Paging(major_faults=faults + 1000, returned=returned + 5000)) == (
        "thrashing: the machine was short of memory, and read back 5,000 pages that it had taken "
        "away (1,000 major page faults of the loader)"
    )


# Writes a file of 64 MiB, has the kernel forget it, and reads it three times, page by page.
READER = """
import mmap, os
open({procs!r}, "w").write(str(os.getpid()))
file = open({path!r}, "w+b")
for _ in range(64):
    file.write(b"x" * 2**20)
file.flush()
os.fsync(file.fileno())
os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
block = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
block.madvise(mmap.MADV_RANDOM)
for _ in range(3):
    sum(block[::4096])
"""


@contextlib.contextmanager
def limited(megabytes: int) -> Iterator[Path]:
    """A control group that may use so much memory; a process joins it by its ``cgroup.procs``."""
    places = list(cgroups.places())
    if not places:
        pytest.skip("no control group can be made here")
    parent, version = places[0]
    folder = parent / f"test-loaderperf-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("no control group can be made here")
    try:
        limit = "memory.limit_in_bytes" if version is cgroups.V1 else "memory.max"
        (folder / limit).write_text(str(megabytes * MIB))
        yield folder
    finally:
        for _ in range(100):
            with contextlib.suppress(OSError):
                folder.rmdir()
                break


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("megabytes", "thrashes"), [(32, True), (1024, False)])
def test_a_process_with_too_little_memory_is_noticed(
    tmp_path: Path, megabytes: int, thrashes: bool
) -> None:
    with limited(megabytes) as folder:
        places = {"procs": str(folder / "cgroup.procs"), "path": str(tmp_path / "file")}
        before = Paging.of(os.getpid())
        with python(READER.format(**places)):
            after = Paging.of(os.getpid())
    assert bool(note(before, after)) == thrashes
