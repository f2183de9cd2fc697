"""The guard's main job: real git repositories, driven through a real pytest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from integration import adding
from integration.adding import OTHER, TRAIN
from support import tiny
from support.project import Project, Run

CHECKS_PASS = {TRAIN: "passed", OTHER: "passed"}


@dataclass(frozen=True)
class Accepted:
    """A project whose baselines are measured and committed, and a run before the commit."""

    project: Project
    uncommitted: Run


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Accepted:
    project = adding.create(tmp_path_factory.mktemp("accepted") / "project")
    run = project.pytest("--loaderperf-update")
    assert run.status == 0, run.output
    uncommitted = project.pytest("--loaderperf", "-k", "train")
    project.commit("accept the baselines")
    return Accepted(project, uncommitted)


@pytest.fixture
def project(accepted: Accepted, tmp_path: Path) -> Project:
    """A fresh clone of the accepted project."""
    return accepted.project.clone(tmp_path / "project")


def test_uncommitted_baseline_is_compared_by_its_numbers(accepted: Accepted) -> None:
    run = accepted.uncommitted
    assert run.status == 0, run.output
    assert "the baseline is not committed: compared with stored numbers" in run.output
    assert run.results["against"]["commits"] == []


def test_unchanged_tree_passes(project: Project) -> None:
    run = project.pytest("--loaderperf", "-v")
    assert run.status == 0, run.output
    assert run.outcomes == CHECKS_PASS
    assert "loaderperf: 2 checks, at most 32 s of judging" in run.output
    assert "machine: external load" in run.output
    assert "memory: from " in run.output
    assert run.results["against"]["commits"] == [project.git("rev-parse", "HEAD")]
    assert project.git("status", "--porcelain") == ""
    assert not project.worktrees()


def test_slower_loader_fails_its_check_and_no_other(project: Project) -> None:
    adding.set_loader(
        project, work=8000
    )  # so much more work that no neighbour of this test hides it
    run = project.pytest("--loaderperf")
    assert run.status == 1
    assert run.verdicts[TRAIN] == "regressed", run.output
    assert run.outcomes[OTHER] == "passed", run.output
    commit = project.git("rev-parse", "HEAD")[:12]
    failure = next(line for line in run.output.splitlines() if "throughput regressed:" in line)
    assert "samples/s, baseline" in failure
    assert f"(commit {commit})" in failure
    detail = run.output.split(failure)[1].splitlines()[1]
    for part in ("ratio 0.", "95 % interval", "tolerance 10 %", "pairs"):
        assert part in detail
    throughput = run.results["checks"][0]["metrics"]["throughput"]
    # Four times the work. How near to that it comes and how wide the interval is, the machine's
    # noise says (benchmarks count how often it holds the truth): the verdict holds in all of it.
    low, high = throughput["interval"]
    assert low <= throughput["ratio"] <= high < 1 - 0.1 / 5
    assert 1 / 6 < throughput["ratio"] < 1 / 2.5
    assert "peak_memory regressed" not in run.output
    # In the log of a job: a row behind pytest's letter, then the failures, and what to type last.
    row = re.search(r"^F test_train\[8\] +regressed +0\.\d{3} \[.+\] +◀", run.output, re.MULTILINE)
    assert row, run.output
    assert row.end() < run.output.index(failure) < run.output.index("To accept what got worse: ")
    assert run.results["checks"][0]["why"] == {}  # as these runs ask


def test_fresh_processes_give_the_same_verdict(project: Project) -> None:
    adding.set_loader(project, work=6000)
    # Each trial starts anew: twice the budget holds what a busy machine makes of that.
    fresh = ("--loaderperf-trials=fresh", "--loaderperf-budget=24")
    run = project.pytest("--loaderperf", "-k", "train", *fresh)
    assert run.verdicts == {TRAIN: "regressed"}, run.output
    metrics = run.results["checks"][0]["metrics"]
    # CPU time first: it depends less on what else this machine does, but it does, by its caches.
    assert 2.5 < metrics["cpu_time"]["ratio"] < 3.8
    assert 0.25 < metrics["throughput"]["ratio"] < 0.45


# Loaders that wait: what they lose is plain after few pairs.
KEEPING = """\
from paced import paced

class Keeping:
    def __init__(self, seconds, megabytes):
        self.seconds, self.kept = seconds, bytearray(b"x") * (megabytes * 2**20)

    def __iter__(self):
        return paced(seconds=self.seconds)

def bigger():
    return Keeping(0.002, {bigger})

def worse():
    return Keeping({seconds}, {worse})
"""
KEEPING_CHECKS = """\
import keeping

def test_bigger(loaderperf):
    perf = loaderperf(keeping.bigger())
    assert perf.throughput >= perf.baseline.throughput
    assert perf.peak_memory <= perf.baseline.peak_memory

def test_worse(loaderperf):
    perf = loaderperf(keeping.worse())
    assert perf.throughput >= perf.baseline.throughput
    assert perf.peak_memory <= perf.baseline.peak_memory
"""


def test_losses_are_named_and_can_be_accepted(tmp_path: Path) -> None:
    project = tiny.create(
        tmp_path / "project",
        paced=tiny.PACED.replace("batch=(1, 2)", "batch=(1, 2), seconds=0.002").replace(
            "sleep(0.002)", "sleep(seconds)"
        ),
        keeping=KEEPING.format(bigger=20, seconds=0.002, worse=20),
        test_it=KEEPING_CHECKS,
    )
    tiny.accept(project, "test_it.py::test_bigger", "test_it.py::test_worse")
    project.write(keeping=KEEPING.format(bigger=220, seconds=0.004, worse=60))
    report = tiny.report(project, "--loaderperf")
    assert report.run.status == 1
    metrics = report.checks["test_bigger"]["metrics"]
    assert metrics["peak_memory"]["verdict"] == "regressed", report.run.output
    assert metrics["throughput"]["verdict"] != "regressed", report.run.output
    grown = metrics["peak_memory"]["value"] - metrics["peak_memory"]["baseline"]
    assert abs(grown - 200 * 2**20) < 10 * 2**20
    assert "throughput regressed:" in report.texts["test_worse"]
    assert "peak_memory regressed:" in report.texts["test_worse"]

    update = project.pytest("--loaderperf-update", "-k", "worse")
    assert update.status == 0, update.output
    assert project.git("status", "--porcelain", "baselines") == "M baselines/test_it.json"
    project.commit("slower and bigger, on purpose")
    run = project.pytest("--loaderperf", "-k", "worse")
    assert run.status == 0, run.output
    assert run.results["against"]["commits"] == [project.git("rev-parse", "HEAD")]


NEW_CHECK = tiny.CHECK.replace("test_paced", "test_new").removeprefix("import paced\n")


def test_new_check_fails_and_says_how_to_add_it(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", test_it=tiny.CHECK)
    store = tiny.accept(project)
    project.append("test_it.py", NEW_CHECK)
    run = project.pytest("--loaderperf", "-k", "new")
    assert run.status == 1
    assert run.verdicts == {"test_it.py::test_new": "no_baseline"}
    assert "pytest test_it.py::test_new --loaderperf-update" in run.output

    before = store.read_text()
    update = project.pytest("--loaderperf-update=new", "-k", "new")
    assert update.status == 0, update.output
    assert re.search(
        r"test_it.py::test_new +throughput +- +[\d,.]+ samples/s +new +no_baseline\n"
        r" +peak memory +- +[\d.]+ [KM]iB +new\n"
        r"loaderperf: written: baselines/test_it.json, 1 check\n",
        update.output,
    )
    after = store.read_text()
    assert after != before
    assert '"test_paced"' in after  # entries of checks that did not run are kept


def test_against_a_commit(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    tiny.accept(project)
    project.write(paced=_waits("0.004"))
    slower = project.commit("slower")
    run = project.pytest("--loaderperf", "--loaderperf-against=HEAD~1")
    assert run.verdicts == {tiny.NODE: "regressed"}, run.output
    run = project.pytest("--loaderperf", "--loaderperf-against=HEAD")
    assert run.status == 0, run.output
    assert run.results["against"]["commits"] == [slower]


def test_a_loader_that_waits_is_judged_by_its_waits(tmp_path: Path) -> None:
    # Frozen while it waits it would have waited for nothing.
    project = tiny.create(tmp_path / "project", paced=_waits("0.03"), test_it=tiny.CHECK)
    tiny.accept(project)
    project.write(paced=_waits("0.04"))
    file = tmp_path / "junit.xml"
    run = project.pytest("--loaderperf", "--loaderperf-throughput=10%", f"--junitxml={file}")
    assert run.verdicts == {tiny.NODE: "regressed"}, run.output
    assert run.results["checks"][0]["metrics"]["throughput"]["ratio"] == pytest.approx(0.75, 0.04)

    suite = ElementTree.parse(file).getroot()[0]
    assert suite.get("failures") == "1"
    kept = [(each.get("name"), each.get("value")) for each in suite.iter("property")]
    assert len(dict(kept)) == len(kept)  # each once
    assert dict(kept)["loaderperf.throughput.verdict"] == "regressed"
    assert float(dict(kept)["loaderperf.throughput.ratio"] or 0) == pytest.approx(0.75, 0.04)


def _waits(seconds: str) -> str:
    return tiny.PACED.replace("0.002", seconds)
