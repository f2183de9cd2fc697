"""Checks of several ranks: real processes, each with a loader of its own, in step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support import tiny
from support.project import Project

# Knows its rank from its import on, as many projects do.
RANKED = """\
import os
import time

RANK = int(os.environ.get("RANK", "-1"))
WORLD = int(os.environ.get("WORLD_SIZE", "1"))

class Ranked:
    slow = {}  # by rank: how many times as long a batch takes
    ends = {}  # by rank: after so many batches
    batches = 10**9

    def __len__(self):
        return self.batches

    def __iter__(self):
        seconds = 0.004 * self.slow.get(RANK, 1)
        for i in range(self.ends.get(RANK, self.batches)):
            self.at(i)
            time.sleep(seconds)
            yield [1, 2]

    def at(self, batch):
        pass
"""
CHECK = """\
import pytest
import ranked

@pytest.mark.loaderperf(ranks=3)
def test_it(loaderperf):
    loaderperf.check(ranked.Ranked())
"""
KEY = "test_it"
NODE = "test_it.py::test_it"
# As a torch project has it: every rank joins the group before it makes its loader.
GLOO = """\
import os
import pytest
import ranked

torch = pytest.importorskip("torch")

@pytest.fixture
def world():
    torch.distributed.init_process_group("gloo")
    yield torch.distributed
    torch.distributed.destroy_process_group()

@pytest.mark.loaderperf(ranks=2)
def test_it(loaderperf, world):
    assert (world.get_rank(), world.get_world_size()) == (ranked.RANK, ranked.WORLD)
    total = torch.ones(1) * (1 + world.get_rank())
    world.all_reduce(total)
    assert total.item() == 3
    perf = loaderperf(ranked.Ranked())
    world.barrier()
    assert perf.throughput > 0
"""


def project(root: Path, *, accepted: bool = True, **modules: str) -> Project:
    made = tiny.create(root / "project", **{"ranked": RANKED, "test_it": CHECK, **modules})  # type: ignore[arg-type]
    if accepted:
        tiny.accept(made, NODE, throughput=1500.0)
    return made


def test_all_ranks_are_measured_at_the_pace_of_the_slowest(tmp_path: Path) -> None:
    tests = project(tmp_path)
    tests.append("ranked.py", "\nUNUSED = 1\nRanked.slow = {1: 1.5}\n")
    report = tiny.report(tests, "--loaderperf", tiny.WIDE)
    check = report.checks[KEY]
    assert check["verdict"] == "unchanged", report.run.output
    first, second, third = check["ranks"]["candidate"]
    assert second > 1.3 * first
    assert second > 1.3 * third
    assert check["ranks"]["slowest"] == 1
    # Two samples of each of three ranks, every 6 ms.
    speed = check["metrics"]["throughput"]["value"]
    assert speed < 6 / 0.006
    assert speed == pytest.approx(6 / check["ranks"]["step"], rel=0.1)
    assert "3 ranks in step need" in report.run.output
    assert "the others wait for rank 1" in report.run.output


def test_a_rank_that_got_slower_is_found_and_named(tmp_path: Path) -> None:
    tests = project(tmp_path)
    tests.append("ranked.py", "\nRanked.slow = {2: 8}\n")
    report = tiny.report(tests, "--loaderperf", tiny.WIDE)
    check = report.checks[KEY]
    assert check["verdict"] == "regressed", report.run.output
    assert check["ranks"]["slowest"] == 2
    assert max(check["ranks"]["baseline"]) < 0.5 * check["ranks"]["candidate"][2]
    assert "rank 2 needs" in report.texts[KEY]
    assert "more for a batch than in the baseline" in report.texts[KEY]


def test_each_rank_has_what_torchrun_tells_it_from_its_import_on(tmp_path: Path) -> None:
    told = tmp_path / "told"
    told.mkdir()
    names = ["RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"]
    text = CHECK.replace("ranks=3", "ranks=2, world_size=4").replace(
        "    loaderperf.check",
        f"    names = {names}\n"
        f"    import json, os, pathlib\n"
        f"    found = [os.environ.get(each) for each in names] + [ranked.RANK, ranked.WORLD]\n"
        f"    pathlib.Path({str(told)!r}, str(os.getpid())).write_text(json.dumps(found))\n"
        f"    loaderperf.check",
    )
    tests = project(tmp_path, accepted=False, test_it=text)
    run = tests.pytest("--loaderperf", *tiny.SOON)
    found = [json.loads(each.read_text()) for each in told.iterdir()]
    assert found, run.output
    assert {each[0] for each in found} == {"0", "1"}
    for rank, local, size, local_size, address, port, imported, world in found:
        assert rank == local == str(imported)
        assert (size, local_size, address, world) == ("4", "2", "127.0.0.1", 4)
        assert 0 < int(port) < 65536
    ports = {rank: [each[5] for each in found if each[0] == rank] for rank in "01"}
    assert sorted(ports["0"]) == sorted(ports["1"])  # they meet


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            "def at(self, batch):\n        if batch == 30 and RANK == 1: os.kill(os.getpid(), 9)",
            ["rank 1 of a trial of the working tree was killed"],
        ),
        (
            "def at(self, batch):\n        if batch == 30 and RANK == 2: raise OSError('no disk')",
            ["the test of rank 2 of a trial of the working tree failed", "no disk"],
        ),
        (
            "def at(self, batch):\n        if batch == 30 and RANK == 1: time.sleep(1000)",
            ["rank 1 has given no batch for"],
        ),
        (
            "batches = 40\n    ends = {2: 20}\n    def at(self, batch):",
            ["rank 2 ended after 20 batches, and rank 0 and rank 1 had more"],
        ),
        (
            "def __len__(self):\n        return 40 + RANK\n    def at(self, batch):",
            ["epochs have different numbers of batches: rank 0 40, rank 1 41, rank 2 42"],
        ),
    ],
    ids=["dies", "fails", "hangs", "ends early", "lengths"],
)
def test_a_rank_that_goes_wrong_is_named(tmp_path: Path, changed: str, says: list[str]) -> None:
    head, _, tail = RANKED.rpartition("def at(self, batch):")
    broken = f"{head}{changed}{'' if changed.endswith(':') else '; return'}{tail}"
    tests = project(tmp_path, accepted=False, ranked=broken)
    options = ("--loaderperf-timeout=8", "--loaderperf-trials=fresh")
    report = tiny.report(tests, "--loaderperf", *options)
    assert report.checks[KEY]["verdict"] == "error", report.run.output
    for part in says:
        assert part in report.texts[KEY] + report.run.output


def test_a_fixture_that_fails_in_one_rank_is_named(tmp_path: Path) -> None:
    text = CHECK.replace(
        "    loaderperf.check",
        "    assert ranked.RANK != 1, 'no data for this rank'\n    loaderperf.check",
    )
    tests = project(tmp_path, accepted=False, test_it=text)
    report = tiny.report(tests, "--loaderperf")
    assert report.checks[KEY]["verdict"] == "error"
    assert "rank 1" in report.checks[KEY]["message"]
    assert "no data for this rank" in report.texts[KEY]


def test_memory_is_that_of_all_ranks(tmp_path: Path) -> None:
    holds = RANKED.replace(
        "    def at(self, batch):\n        pass",
        "    def at(self, batch):\n"
        "        if not batch: self.kept = b'x' * (24 * 2**20 * (1 + (RANK == 2)))",
    )
    tests = project(tmp_path, accepted=False, ranked=holds)
    report = tiny.report(tests, "--loaderperf", *tiny.SOON)
    peak = report.checks[KEY]["metrics"]["peak_memory"]["value"] / 2**20
    assert 96 < peak < 130, report.run.output


def test_another_number_of_ranks_cannot_be_compared(tmp_path: Path) -> None:
    tests = project(tmp_path)
    tests.write(test_it=CHECK.replace("ranks=3", "ranks=2"))
    report = tiny.report(tests, "--loaderperf")
    assert report.checks[KEY]["verdict"] == "incomparable", report.run.output
    assert "ranks: 3 of 3 -> 2 of 2" in report.texts[KEY]


def test_ranks_of_torch_join_a_group_in_their_fixtures(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    tests = project(tmp_path, accepted=False, test_it=GLOO)
    report = tiny.report(tests, "--loaderperf", "--loaderperf-selftest")
    check = report.checks[KEY]
    assert check["verdict"] in ("unchanged", "inconclusive"), report.run.output
    assert len(check["ranks"]["candidate"]) == 2


@pytest.mark.parametrize(
    ("marker", "says"),
    [
        ("ranks=0", "ranks=0: give a number of processes"),
        ("ranks='2'", "ranks='2': give a number of processes"),
        ("ranks=2, world_size=3", "world_size is a multiple of ranks"),
    ],
)
def test_what_is_no_world_is_a_usage_error(tmp_path: Path, marker: str, says: str) -> None:
    tests = project(tmp_path, accepted=False, test_it=CHECK.replace("ranks=3", marker))
    tiny.assert_usage_error(tests, says=[says])
