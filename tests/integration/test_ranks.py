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
PORT = os.environ.get("MASTER_PORT")

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


def project(root: Path, *, accepted: bool = True, **modules: str) -> Project:
    made = tiny.create(root / "project", **{"ranked": RANKED, "test_it": CHECK, **modules})  # type: ignore[arg-type]
    if accepted:
        tiny.accept(made, NODE, throughput=1500.0)
    return made


@pytest.fixture(scope="module")
def slower(tmp_path_factory: pytest.TempPathFactory) -> tiny.Report:
    """Two checks of three ranks: in one of them the last rank got slower."""
    root = tmp_path_factory.mktemp("slower")
    mark = CHECK.partition("@")[2]
    steady = mark.replace("test_it", "test_steady").replace("Ranked()", "Steady()")
    tests = project(root, test_it=f"{CHECK}\n@{steady}")
    tests.append("ranked.py", "\nclass Steady(Ranked):\n    slow = {}\n")
    tiny.accept(tests, NODE, "test_it.py::test_steady", throughput=1500.0)
    text = (tests.root / "ranked.py").read_text()
    tests.write(ranked=text.replace("slow = {}", "slow = {2: 8}", 1))
    return tiny.report(tests, "--loaderperf", tiny.WIDE)


def test_ranks_that_are_as_fast_as_they_were_pass(slower: tiny.Report) -> None:
    check = slower.checks["test_steady"]
    assert check["verdict"] == "unchanged", slower.run.output
    assert len(check["ranks"]["candidate"]) == len(check["ranks"]["baseline"]) == 3


def test_a_rank_that_got_slower_is_found_and_named(slower: tiny.Report) -> None:
    check = slower.checks[KEY]
    assert check["verdict"] == "regressed", slower.run.output
    assert check["ranks"]["slowest"] == 2
    first, second, third = check["ranks"]["candidate"]
    assert third > 4 * max(first, second)
    assert max(check["ranks"]["baseline"]) < 0.5 * third
    assert "rank 2 needs" in slower.texts[KEY]
    assert "more for a batch than in the baseline" in slower.texts[KEY]
    assert "3 ranks in step need" in slower.run.output
    assert "the others wait for rank 2" in slower.run.output


def test_throughput_is_that_of_all_ranks_at_the_pace_of_the_slowest(slower: tiny.Report) -> None:
    check = slower.checks[KEY]
    speed = check["metrics"]["throughput"]["value"]
    assert speed < 3 * 2 / 0.032  # two samples of each rank in a step
    assert speed == pytest.approx(6 / check["ranks"]["step"], rel=0.1)


def test_each_rank_has_what_torchrun_tells_it_from_its_import_on(tmp_path: Path) -> None:
    told = tmp_path / "told"
    told.mkdir()
    names = ["RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"]
    text = CHECK.replace("ranks=3", "ranks=2, world_size=4").replace(
        "    loaderperf.check",
        f"    names = {names}\n"
        f"    import json, os, pathlib\n"
        f"    found = [os.environ.get(each) for each in names] + [ranked.RANK, ranked.WORLD]\n"
        f"    found.append(ranked.PORT)\n"
        f"    pathlib.Path({str(told)!r}, str(os.getpid())).write_text(json.dumps(found))\n"
        f"    loaderperf.check",
    )
    tests = project(tmp_path, accepted=False, test_it=text)
    run = tests.pytest("--loaderperf", *tiny.SOON)
    found = [json.loads(each.read_text()) for each in told.iterdir()]
    assert found, run.output
    assert {each[0] for each in found} == {"0", "1"}
    for rank, local, size, local_size, address, port, imported, world, _ in found:
        assert rank == local == str(imported)
        assert (size, local_size, address, world) == ("4", "2", "127.0.0.1", 4)
        assert 0 < int(port) < 65536
    ports = {rank: [each[5] for each in found if each[0] == rank] for rank in "01"}
    assert sorted(ports["0"]) == sorted(ports["1"])  # they meet
    at_import = {rank: {each[8] for each in found if each[0] == rank} for rank in "01"}
    assert at_import["0"] == at_import["1"] != {None}


WRONG = """\
import os
import time
import pytest
import ranked
from ranked import RANK, Ranked

class Dies(Ranked):
    def at(self, batch):
        if batch == 30 and RANK == 1:
            os.kill(os.getpid(), 9)

class Fails(Ranked):
    def at(self, batch):
        if batch == 30 and RANK == 2:
            raise OSError("no disk")

class Hangs(Ranked):
    def at(self, batch):
        if batch == 30 and RANK == 1:
            time.sleep(1000)

class EndsEarly(Ranked):
    batches = 40
    ends = {2: 20}

class Lengths(Ranked):
    batches = 40 + RANK

@pytest.fixture
def data():
    assert RANK != 1, "no data for this rank"

pytestmark = pytest.mark.loaderperf(ranks=3)

def test_no_data(loaderperf, data):
    loaderperf.check(Ranked())

@pytest.mark.parametrize("kind", [Dies, Fails, Hangs, EndsEarly, Lengths])
def test_it(loaderperf, kind):
    loaderperf.check(kind())
"""
NAMED = {
    "test_it[Dies]": ["rank 1 of a trial of the working tree was killed"],
    "test_it[Fails]": ["the test of rank 2 of a trial of the working tree failed", "no disk"],
    "test_it[Hangs]": ["rank 1 has given no batch for"],
    "test_it[EndsEarly]": ["rank 2 ended after 20 batches, and rank 0 and rank 1 had more"],
    "test_it[Lengths]": ["different numbers of batches: rank 0 40, rank 1 41, rank 2 42"],
    "test_no_data": ["the test of rank 1 of a trial", "no data for this rank"],
}


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> tiny.Report:
    """Checks in each of which a rank goes wrong. That nothing is left, each run sees to."""
    root = tmp_path_factory.mktemp("wrong")
    tests = project(root, accepted=False, test_it=WRONG)
    return tiny.report(tests, "--loaderperf", "--loaderperf-timeout=8")


@pytest.mark.parametrize("check", NAMED)
def test_a_rank_that_goes_wrong_is_named(wrong: tiny.Report, check: str) -> None:
    assert wrong.checks[check]["verdict"] == "error", wrong.run.output
    for part in NAMED[check]:
        assert part in wrong.checks[check]["message"]


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
