"""The guard's main job: real git repositories, driven through a real pytest."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from integration import tiny
from integration.project import NEW_CHECK, OTHER, TRAIN, Project

CHECKS_PASS = {TRAIN: "passed", OTHER: "passed"}


def test_unchanged_tree_passes(project: Project) -> None:
    run = project.pytest("--loaderperf")
    assert run.status == 0, run.output
    assert run.outcomes == CHECKS_PASS
    assert "loaderperf: 2 checks, at most 48 s of judging" in run.output
    assert "machine: external load" in run.output
    assert "memory: from " in run.output
    assert run.results["against"]["commits"] == [project.git("rev-parse", "HEAD")]
    assert project.git("status", "--porcelain") == ""
    assert len(project.git("worktree", "list").splitlines()) == 1


def test_slower_loader_fails_its_check_and_no_other(project: Project) -> None:
    project.set_loader(work=4000)  # twice the work: no neighbour of this test hides that
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
    low, high = throughput["interval"]  # of 95 %; twice as wide, it leaves no luck to the test
    assert low**2 / throughput["ratio"] < 1 / 2 < high**2 / throughput["ratio"]
    assert high < 1 - 0.1 / 5  # how wide it is, the machine's noise says: the verdict holds in all
    assert "peak_memory regressed" not in run.output


def test_kept_memory_fails_on_peak_memory(project: Project) -> None:
    project.set_loader(megabytes=220)  # 200 MiB more
    run = project.pytest("--loaderperf", "-k", "train")
    assert run.status == 1
    metrics = run.results["checks"][0]["metrics"]
    assert metrics["peak_memory"]["verdict"] == "regressed", run.output
    assert metrics["throughput"]["verdict"] != "regressed", run.output
    grown = metrics["peak_memory"]["value"] - metrics["peak_memory"]["baseline"]
    assert abs(grown - 200 * 2**20) < 10 * 2**20


def test_both_losses_are_named_and_can_be_accepted(project: Project) -> None:
    project.set_loader(work=4000, megabytes=60)
    run = project.pytest("--loaderperf", "-k", "train")
    assert run.status == 1
    assert "throughput regressed:" in run.output
    assert "peak_memory regressed:" in run.output

    update = project.pytest("--loaderperf-update", "-k", "train")
    assert update.status == 0, update.output
    assert project.git("status", "--porcelain", "baselines") == "M baselines/test_perf.json"
    project.commit("slower and bigger, on purpose")
    run = project.pytest("--loaderperf", "-k", "train", "--loaderperf-budget=12")
    assert run.status == 0, run.output
    assert run.results["against"]["commits"] == [project.git("rev-parse", "HEAD")]


def test_new_check_fails_and_says_how_to_add_it(project: Project) -> None:
    checks = project.root / "test_perf.py"
    checks.write_text(checks.read_text() + NEW_CHECK)
    run = project.pytest("--loaderperf", "-k", "new")
    assert run.status == 1
    assert run.verdicts == {"test_perf.py::test_new": "no_baseline"}
    assert "pytest test_perf.py::test_new --loaderperf-update" in run.output

    before = (project.root / "baselines/test_perf.json").read_text()
    update = project.pytest("--loaderperf-update=new", "-k", "new")
    assert update.status == 0, update.output
    assert re.search(
        r"test_perf.py::test_new +throughput +- +[\d,.]+ samples/s +new +no_baseline\n"
        r" +peak memory +- +[\d.]+ MiB +new\n"
        r"loaderperf: written: baselines/test_perf.json, 1 check\n",
        update.output,
    )
    after = (project.root / "baselines/test_perf.json").read_text()
    assert after != before
    assert '"test_other"' in after  # entries of checks that did not run are kept


def test_uncommitted_baseline_is_compared_by_its_numbers(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    assert project.pytest("--loaderperf-update", "-k", "train").status == 0
    run = project.pytest("--loaderperf", "-k", "train")
    assert run.status == 0, run.output
    assert "the baseline is not committed: compared with stored numbers" in run.output
    assert run.results["against"]["commits"] == []


def test_against_a_commit(project: Project) -> None:
    project.set_loader(work=4000)
    slower = project.commit("slower")
    run = project.pytest("--loaderperf", "-k", "train", "--loaderperf-against=HEAD~1")
    assert run.verdicts == {TRAIN: "regressed"}, run.output
    shorter = "--loaderperf-budget=12"  # nothing is to be found
    run = project.pytest("--loaderperf", "-k", "train", "--loaderperf-against=HEAD", shorter)
    assert run.status == 0, run.output
    assert run.results["against"]["commits"] == [slower]


def test_fresh_processes_give_the_same_verdict(project: Project) -> None:
    project.set_loader(work=3000)
    run = project.pytest("--loaderperf", "-k", "train", "--loaderperf-trials=fresh")
    assert run.verdicts == {TRAIN: "regressed"}, run.output
    metrics = run.results["checks"][0]["metrics"]
    # CPU time first: it depends less on what else this machine does.
    assert 1 / 0.75 < metrics["cpu_time"]["ratio"] < 1 / 0.6
    assert 0.6 < metrics["throughput"]["ratio"] < 0.75


def test_a_loader_that_waits_is_judged_by_its_waits(tmp_path: Path) -> None:
    # Frozen while it waits it would have waited for nothing.
    project = tiny.create(tmp_path / "project", paced=_waits("0.03"), test_it=tiny.CHECK)
    tiny.accept(project)
    project.write(paced=_waits("0.04"))
    file = tmp_path / "junit.xml"
    run = project.pytest("--loaderperf", "--loaderperf-budget=12", f"--junitxml={file}")
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
