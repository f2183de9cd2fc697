"""A check that asks for the fixture of pytest-benchmark appears in all that pytest-benchmark shows.

With the release that is installed; the workflow of the tests runs this with the oldest one too.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import tiny
from support.project import Project, Run

CHECKS = """\
import paced
import pytest

@pytest.mark.benchmark(group="loaders")
def test_shown(loaderperf, benchmark):
    benchmark.extra_info["note"] = "by the test"
    loaderperf.check(paced.Paced())

def test_not_shown(loaderperf):
    loaderperf.check(paced.Paced())
"""
# A fixture for every test, which must not run where nothing is measured.
CONFTEST = """\
import os, pytest
PID = os.getpid()

@pytest.fixture(autouse=True)
def everywhere(request):
    with open("everywhere", "a") as file:
        file.write(f"{type(request.config.pluginmanager.get_plugin('loaderperf-arm')).__name__}\\n")
"""
# Its test calls the benchmark.
CALLED = """\
import paced

def test_called(loaderperf, benchmark):
    benchmark(loaderperf.check, paced.Paced())
"""
SHOWN = "test_it.py::test_shown"
# How a check comes out does not matter, and a single version is measured soonest.
ALONE = "--loaderperf-against=stored"


@dataclass(frozen=True)
class Benchmarked:
    """A project, and a run of all of its checks that pytest-benchmark has shown and saved.

    A warning that is an error is none there.
    """

    project: Project
    run: Run


@pytest.fixture(scope="module")
def benchmarked(tmp_path_factory: pytest.TempPathFactory) -> Benchmarked:
    root = tmp_path_factory.mktemp("benchmarked") / "project"
    project = tiny.create(root, test_it=CHECKS, conftest=CONFTEST, test_called=CALLED)
    tiny.accept(project, SHOWN, "test_it.py::test_not_shown", "test_called.py::test_called")
    run = project.pytest(
        "--loaderperf", "--benchmark-json=benchmark.json", "--benchmark-verbose",
        "--benchmark-autosave", "-Werror", "-Wdefault::pytest_loaderperf.InconclusiveWarning",
    )  # fmt: skip
    return Benchmarked(project, run)


@pytest.fixture
def project(benchmarked: Benchmarked) -> Project:
    return benchmarked.project


def benchmarks(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(file.read_text())["benchmarks"]
    return found


def test_it_is_in_the_table_and_in_the_file(benchmarked: Benchmarked) -> None:
    project, run = benchmarked.project, benchmarked.run
    assert run.status == 0, run.output
    assert "benchmark 'loaders': 1 tests" in run.output
    assert "=== 3 passed in " in run.output  # each check itself is reported once
    found = {each["fullname"]: each for each in benchmarks(project.root / "benchmark.json")}
    assert set(found) == {SHOWN, "test_called.py::test_called"}
    shown = found[SHOWN]
    assert shown["group"] == "loaders"
    check = next(each for each in run.results["checks"] if each["nodeid"] == SHOWN)
    speed = check["metrics"]["throughput"]["value"]
    assert shown["extra_info"] == {
        "note": "by the test",
        "verdict": check["verdict"],
        "samples_per_second": speed,
        "peak_memory_bytes": check["metrics"]["peak_memory"]["value"],
    }
    times = shown["stats"]["data"]
    assert len(times) >= 8
    # Two samples in a batch: what pytest-benchmark says of a batch is what the check says.
    assert statistics.fmean(times) == pytest.approx(2 / speed, rel=0.05)
    # That this process keeps out of the project's own fixtures.
    assert set((project.root / "everywhere").read_text().split()) == {"ArmPlugin"}
    # A benchmark that is called changes nothing.
    assert found["test_called.py::test_called"]["stats"]["rounds"] >= 8


def test_saving_and_comparing_work(project: Project) -> None:
    """And --benchmark-only leaves out the others."""
    (saved,) = (project.root / ".benchmarks").rglob("*.json")
    assert SHOWN in [each["fullname"] for each in benchmarks(saved)]
    run = project.pytest(
        "--loaderperf", ALONE, "test_it.py", "--benchmark-only", "--benchmark-compare",
        "--benchmark-compare-fail=mean:90%", "--benchmark-histogram=plot",
    )  # fmt: skip
    assert "(0001_" in run.output, run.output  # the saved run, beside this one
    assert "NOW" in run.output
    assert {each["nodeid"] for each in run.results["checks"]} == {SHOWN}


def test_nothing_is_shown_where_benchmarks_are_off(project: Project) -> None:
    """As pytest-codspeed has it as well, where that is active."""
    run = project.pytest("--loaderperf", ALONE, "-k", "test_shown", "--benchmark-disable")
    assert run.status == 0, run.output
    assert run.outcomes == {SHOWN: "passed"}
    assert "benchmark 'loaders'" not in run.output


def test_skipping_benchmarks_skips_it(project: Project) -> None:
    run = project.pytest("--loaderperf", ALONE, "test_it.py", "--benchmark-skip")
    assert {each["nodeid"] for each in run.results["checks"]} == {"test_it.py::test_not_shown"}
    assert "1 skipped" in run.output


def test_a_plain_run_skips_it_as_any_check(project: Project) -> None:
    run = project.pytest("-rs")
    assert run.status == 0, run.output
    assert "3 skipped" in run.output
