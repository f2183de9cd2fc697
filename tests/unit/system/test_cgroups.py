"""Control groups: recorded files of both versions, and a real one where it can be made."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.system import cgroups
from pytest_loaderperf.system.cgroups import group_for, parse_stat

MIB = 2**20
no_deadline = settings(deadline=None)

# What Linux 6.18 writes (parts of it): 200 MiB of its own, and files that it has read.
STAT_V1 = """\
cache 73400320
rss 209715200
shmem 10485760
hierarchical_memory_limit 9223372036854771712
total_cache 73400320
total_rss 209715200
total_shmem 10485760
"""
STAT_V2 = """\
anon 209715200
file 73400320
kernel 2097152
shmem 10485760
workingset_refault_anon 0
"""
FILES = {
    "v1": {
        "memory.kmem.usage_in_bytes": str(2 * MIB),
        "memory.max_usage_in_bytes": str(300 * MIB),
        "memory.stat": STAT_V1,
    },
    "v2": {
        "memory.peak": str(300 * MIB),
        "memory.stat": STAT_V2,
    },
}
VERSIONS = {"v1": cgroups.V1, "v2": cgroups.V2}
versions = pytest.mark.parametrize("version", VERSIONS)


def recorded(folder: Path, version: str, highest: int = 300) -> Path:
    """A folder with the files of a group; at its highest were so many MiB."""
    files = {**FILES[version], VERSIONS[version].highest: str(highest * MIB)}
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@contextlib.contextmanager
def opened(folder: Path, version: str) -> Iterator[cgroups.Group]:
    found = cgroups.Group(folder, VERSIONS[version])
    with found._peak:
        yield found


@versions
def test_only_anonymous_and_shared_memory_counts(tmp_path: Path, version: str) -> None:
    with opened(recorded(tmp_path, version), version) as found:
        found.sample()
    # Beside the 210 that count there are 60 of files and 2 of the kernel.
    assert found.highest == (300 - 62) * MIB


@versions
def test_a_highest_of_before_the_start_counts_no_more(
    tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = recorded(tmp_path, version)
    writing: Any = Path.open

    def forbidden(file: Path, mode: str, **options: int) -> object:
        if "+" in mode:  # as on a kernel that does not count anew
            raise PermissionError(file)
        return writing(file, mode, **options)

    monkeypatch.setattr(Path, "open", forbidden)
    with opened(folder, version) as found:
        monkeypatch.undo()
        found.start()
        found.sample()
        assert found.highest == 210 * MIB
        recorded(tmp_path, version, highest=310)
        found.sample()
        assert found.highest == (310 - 62) * MIB


@versions
def test_the_highest_is_kept(tmp_path: Path, version: str) -> None:
    with opened(recorded(tmp_path, version, highest=400), version) as found:
        found.sample()
        recorded(tmp_path, version, highest=390)
        found.sample()
    assert found.highest == (400 - 62) * MIB


@given(st.text())
@no_deadline
def test_any_text_is_a_stat(text: str) -> None:
    assert all(number >= 0 for number in parse_stat(text).values())


def test_a_stat_is_read() -> None:
    assert parse_stat(STAT_V2)["anon"] == 200 * MIB
    assert parse_stat("anon many\nshmem 1\nthree words 3\n") == {"shmem": 1}


# --- where groups can be made


@pytest.mark.parametrize("text", ["", "nonsense", "4:cpu:/\n", "0::/\n", "a:memory:/nowhere\n"])
def test_without_a_place_there_is_no_group(tmp_path: Path, text: str) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text(text)
    assert group_for(os.getpid(), membership, tmp_path / "mount") is None
    assert group_for(os.getpid(), tmp_path / "none", tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == ["cgroup"]


def test_a_folder_that_is_no_group_is_removed_again(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("4:memory:/mine\n")
    place = tmp_path / "memory" / "mine"
    place.mkdir(parents=True)
    assert group_for(os.getpid(), membership, tmp_path) is None
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(("delegated", "place"), [("a/b", "a/b"), ("a", "a")])
def test_groups_of_version_2_are_made_where_memory_is_delegated(
    tmp_path: Path, delegated: str, place: str
) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("0::/a/b\n")
    (tmp_path / "a" / "b").mkdir(parents=True)
    for folder in ("a", "a/b"):
        controllers = "cpu memory\n" if folder == delegated else "cpu\n"
        (tmp_path / folder / "cgroup.subtree_control").write_text(controllers)
    (parent, version), *others = cgroups.places(membership, tmp_path)
    assert (parent, version, others) == (tmp_path / place, cgroups.V2, [])


def test_groups_of_runs_that_were_killed_are_removed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    left, mine, other = (
        tmp_path / name
        for name in (f"loaderperf-{ended.pid}-0", f"loaderperf-{os.getpid()}-9", "loaderperf-x")
    )
    for folder in (left, mine, other):
        folder.mkdir()
    cgroups.remove_abandoned(tmp_path)
    assert not left.exists()
    assert mine.exists()
    assert other.exists()


# Takes and frees so many MiB for each line that it reads.
SPIKES = """
import sys
for size in sys.stdin:
    block = bytearray(b"x") * (int(size) << 20)
    del block
    print("freed", flush=True)
"""


def test_a_real_group_counts_what_its_processes_add_and_free() -> None:
    command = [sys.executable, "-I", "-c", SPIKES]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1) as spiking:
        assert spiking.stdin is not None
        assert spiking.stdout is not None
        ask, answer = spiking.stdin, spiking.stdout

        def spike(size: int) -> None:
            print(size, file=ask)
            assert answer.readline() == "freed\n"

        def highest_of(size: int) -> int:
            spike(size)
            mine.sample()
            return mine.highest // MIB

        spike(1)
        found = group_for(spiking.pid)
        if found is None:
            spiking.kill()
            pytest.skip("no control group can be made here")
        mine = found
        assert mine.source.startswith("control group v")
        assert 200 <= highest_of(200) <= 202
        mine.start()
        assert 64 <= highest_of(64) <= 66
        assert 64 <= highest_of(30) <= 66
        spiking.kill()
        spiking.wait()
    mine.close()
    assert not mine._folder.exists()
