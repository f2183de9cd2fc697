"""Verdicts that hold for whole epochs, or say for how much of one; loaders that wait."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from support import tiny
from support.project import Run

# The budget of tiny projects holds epochs of 1.5 s.
LOADERS = """\
import itertools
import time
import zlib

WORK = bytes(200_000)
LATE = 1

def work(times):
    for _ in range(times):
        zlib.crc32(WORK)

class Epochs:
    \"\"\"Epochs of waiting, or of work, of which the last fifth takes LATE times as long.\"\"\"

    def __init__(self, batches, take=time.sleep, much=0.002):
        self.batches, self.take, self.much = batches, take, much

    def __len__(self):
        return self.batches

    def __iter__(self):
        for number in range(self.batches):
            self.take(self.much * LATE if number >= 0.8 * self.batches else self.much)
            yield [number, number]

def stalling():
    \"\"\"Without end, and with a stall after every 0.5 s.\"\"\"
    for number in itertools.count(1):
        time.sleep(0.15 if number % 230 == 0 else 0.002)
        yield [number, number]

def limited():
    \"\"\"An absolute schedule: who was late is served at once.\"\"\"
    began = time.monotonic()
    for number in itertools.count():
        time.sleep(max(0, began + number * 0.004 - time.monotonic()))
        yield [number, number]
"""
CHECKS = """\
import pytest
from loaders import *

def test_waits(loaderperf):
    loaderperf.check(Epochs(150))

def test_works(loaderperf):
    loaderperf.check(Epochs(150, work, 10))
"""
# What is asked of these is how much of an epoch they saw: with such a tolerance no machine is too
# noisy for a verdict.
PARTS = """\
import pytest
from loaders import *

pytestmark = pytest.mark.loaderperf(throughput="50%", epoch_time="50%", peak_memory="50%")

def test_long(loaderperf):
    loaderperf.check(Epochs(100_000))

def test_endless(loaderperf):
    loaderperf.check(limited)

@pytest.mark.loaderperf(budget=30)
def test_stalls(loaderperf):
    loaderperf.check(stalling)

@pytest.mark.loaderperf(metrics=["epoch_time"])
def test_no_epoch(loaderperf):
    loaderperf(Epochs(100_000))
"""


def checks_of(run: Run) -> dict[str, Any]:
    """What the results file says, by the name of the test."""
    return {check["nodeid"].partition("::")[2]: check for check in run.results["checks"]}


def test_a_loss_at_the_end_of_an_epoch_is_a_regression(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", loaders=LOADERS, test_it=CHECKS)
    project.commit("with checks")
    project.write(loaders=LOADERS.replace("LATE = 1", "LATE = 6"))
    run = project.pytest("--loaderperf", "--loaderperf-against=HEAD")
    for check in run.results["checks"]:
        assert check["verdict"] == "regressed", run.output
        assert check["coverage"] == {"batches": 150, "epoch_batches": 150, "share": 1.0}
        epoch = check["metrics"]["epoch_time"]
        assert epoch["verdict"] == "regressed"
        # The whole epoch is 0.8 + 6 * 0.2 = 2 times as long; 1 and 6 are what its parts say.
        assert 1.5 < epoch["ratio"] < 3, run.output
        assert 1 / 3 < check["metrics"]["throughput"]["ratio"] < 1 / 1.5, run.output
    assert "saw whole epochs, 150 batches" in run.output


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = tmp_path_factory.mktemp("parts")
    project = tiny.create(root / "project", loaders=LOADERS, test_it=PARTS)
    project.commit("with checks")
    return project.pytest("--loaderperf", "--loaderperf-against=HEAD")


def test_the_verdict_says_for_how_much_of_an_epoch_it_holds(run: Run) -> None:
    check = checks_of(run)["test_long"]
    assert check["verdict"] == "unchanged", run.output
    assert check["coverage"]["epoch_batches"] == 100_000
    assert 0 < check["coverage"]["share"] < 0.2
    assert "epoch_time" not in check["metrics"]
    batches = check["coverage"]["batches"]
    assert f"{batches:,} of 100,000 batches" in run.output
    assert re.search(r"test_long +unchanged \((\d+|<1) % seen\)", run.output)


def test_an_epoch_without_end_is_counted_in_batches(run: Run) -> None:
    check = checks_of(run)["test_endless"]
    assert check["verdict"] == "unchanged", run.output
    assert check["coverage"]["epoch_batches"] is None
    assert f"unchanged in {check['coverage']['batches']:,} batches" in run.output


def test_a_limiter_catches_up_with_nothing(run: Run) -> None:
    (throughput, first) = (
        checks_of(run)["test_endless"]["metrics"][name] for name in ("throughput", "stalled")
    )
    for value in (throughput["value"], throughput["baseline"]):
        assert value == pytest.approx(500, rel=0.1)  # two samples every 4 ms, by its schedule
    assert first["value"] < 0.1


def test_pairs_are_longer_where_they_would_hold_one_stall_or_two(run: Run) -> None:
    check = checks_of(run)["test_stalls"]
    assert check["verdict"] == "unchanged", run.output
    assert any(note.startswith("stalls come about every") for note in check["notes"])
    assert 0.15 < check["metrics"]["stalled"]["value"] < 0.4  # 0.15 s of 0.65


def test_an_epoch_that_does_not_fit_has_no_time(run: Run) -> None:
    check = checks_of(run)["test_no_epoch"]
    assert check["verdict"] == "error"
    assert "epoch_time was not measured" in check["message"]
    assert "larger budget" in check["message"]
