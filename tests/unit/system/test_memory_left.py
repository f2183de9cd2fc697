"""What is left to use: files of control groups as both versions write them, and this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from pytest_loaderperf.system.cgroups import Limit, Memory, limiting_groups

MIB = 2**20
# Of which the kernel would give 100 MiB back.
STAT_V2 = f"anon {300 * MIB}\nfile {200 * MIB}\ninactive_file {100 * MIB}\nactive_file {MIB}\n"
STAT_V1 = f"inactive_file {7 * MIB}\nhierarchical_memory_limit 1\ntotal_inactive_file {100 * MIB}\n"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def groups(tmp_path: Path, membership: str) -> list[Limit]:
    member = tmp_path / "cgroup"
    member.write_text(membership)
    return list(limiting_groups(member, tmp_path / "fs"))


def test_version_2_limits_of_a_group_and_of_those_around_it(tmp_path: Path) -> None:
    outer = write(
        tmp_path / "fs" / "jobs",
        {
            "memory.max": f"{800 * MIB}\n",
            "memory.current": f"{500 * MIB}\n",
            "memory.stat": STAT_V2,
        },
    )
    write(tmp_path / "fs" / "jobs" / "one", {"memory.max": "max\n"})
    (found,) = groups(tmp_path, "0::/jobs/one\n")
    assert (found.folder, found.limit) == (outer, 800 * MIB)
    assert found.available == (800 - 500 + 100) * MIB


def test_version_1_counts_the_whole_subtree(tmp_path: Path) -> None:
    files = {
        "memory.limit_in_bytes": f"{800 * MIB}\n",
        "memory.usage_in_bytes": f"{500 * MIB}\n",
        "memory.stat": STAT_V1,
    }
    write(tmp_path / "fs" / "memory" / "job", files)
    write(tmp_path / "fs" / "memory", {"memory.limit_in_bytes": "9223372036854771712\n"})
    (found,) = groups(tmp_path, "11:cpu,cpuacct:/job\n4:memory:/job\n1:name=systemd:/job\n")
    assert found.available == (800 - 500 + 100) * MIB


def test_a_path_of_the_host_leaves_the_group_that_a_container_sees(tmp_path: Path) -> None:
    write(tmp_path / "fs", {"memory.max": f"{MIB}\n"})
    (found,) = groups(tmp_path, "0::/docker/0123/unseen\n")
    assert found.limit == MIB


@pytest.mark.parametrize("membership", ["", "0::/\n", "3:cpu:/\n"])
def test_without_a_limit_there_is_none(tmp_path: Path, membership: str) -> None:
    assert groups(tmp_path, membership) == []


def test_this_machine_has_some_of_its_memory_left() -> None:
    memory = Memory()
    assert 0 < memory.available < memory.total <= psutil.virtual_memory().total


def test_where_proc_shows_processes_alone_the_machine_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = Memory()
    known._groups = []
    total, page = known.total, 4096

    def missing() -> None:
        raise FileNotFoundError("/proc/meminfo")

    monkeypatch.setattr(psutil, "virtual_memory", missing)
    assert known.total == pytest.approx(total, abs=page)
    assert 0 < known.available <= total
