"""A check that asks for the fixture of pytest-benchmark appears in all that pytest-benchmark shows.

With the release that is installed; the workflow of the tests runs this with the oldest one too.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from support import tiny
from support.project import Project

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
ROOM = "--loaderperf-budget=24"  # for pairs on a busy machine


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = tiny.create(tmp_path / "project", test_it=CHECKS, conftest=CONFTEST)
    tiny.accept(project, SHOWN, "test_it.py::test_not_shown")
    return project


def benchmarks(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(file.read_text())["benchmarks"]
    return found


def test_it_is_in_the_table_and_in_the_file(project: Project) -> None:
    project.write(test_called=CALLED)
    tiny.accept(project, "test_called.py::test_called")
    run = project.pytest(
        "--loaderperf", ROOM, "--benchmark-json=benchmark.json", "--benchmark-verbose"
    )
    assert run.status == 0, run.output
    assert "benchmark 'loaders': 1 tests" in run.output
    assert run.output.count("test_it.py ..") == 1  # the check itself is reported once
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
    """And a warning that is an error is none here; and --benchmark-only leaves out the others."""
    first = project.pytest(
        "--loaderperf", ROOM, "-k", "test_shown", "--benchmark-autosave", "-Werror"
    )
    assert first.status == 0, first.output
    (saved,) = (project.root / ".benchmarks").rglob("*.json")
    assert [each["fullname"] for each in benchmarks(saved)] == [SHOWN]
    run = project.pytest(
        "--loaderperf", ROOM, "--benchmark-only", "--benchmark-compare",
        "--benchmark-compare-fail=mean:90%", "--benchmark-histogram=plot",
    )  # fmt: skip
    assert "(0001_" in run.output, run.output  # the saved run, beside this one
    assert "NOW" in run.output
    assert {each["nodeid"] for each in run.results["checks"]} == {SHOWN}


def test_nothing_is_shown_where_benchmarks_are_off(project: Project) -> None:
    """As pytest-codspeed has it as well, where that is active."""
    run = project.pytest("--loaderperf", ROOM, "-k", "test_shown", "--benchmark-disable")
    assert run.status == 0, run.output
    assert "benchmark 'loaders'" not in run.output


def test_skipping_benchmarks_skips_it(project: Project) -> None:
    run = project.pytest("--loaderperf", ROOM, "--benchmark-skip")
    assert {each["nodeid"] for each in run.results["checks"]} == {"test_it.py::test_not_shown"}
    assert "1 skipped" in run.output


def test_a_plain_run_skips_it_as_any_check(project: Project) -> None:
    run = project.pytest("-rs")
    assert run.status == 0, run.output
    assert "2 skipped" in run.output
