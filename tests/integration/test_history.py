"""What was accepted over time, printed without measuring, and in the HTML report."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_loaderperf.baselines import store
from support import tiny
from support.project import Project
from support.tiny import KEY, NODE


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project in which one check was accepted twice."""
    # A tolerance at which no machine is too noisy for a verdict.
    project = tiny.create(tmp_path / "project", ini="loaderperf_throughput = 50%\n")
    tiny.accept(project)
    path = project.root / "baselines" / "test_it.json"
    entries = store.load(path)
    ((name, record),) = entries[KEY].records.items()
    was = record.metrics["throughput"]
    metrics = {**record.metrics, "throughput": replace(was, value=was.value / 2)}
    slower = replace(record, metrics=metrics)
    store.save(path, {KEY: replace(entries[KEY], records={name: slower})})
    project.git("commit", "-q", "-a", "-m", "slower, and known to be")
    return project


def test_it_is_printed_and_nothing_is_measured(project: Project) -> None:
    run = project.pytest("--loaderperf-history")
    assert run.status == 0, run.output
    assert run.results["checks"] == []
    row = next(line for line in run.output.splitlines() if "slower, and known" in line)
    assert "-50.0 %" in row
    assert project.git("rev-parse", "HEAD")[:10] in row
    assert NODE in run.output


def test_only_what_is_selected(project: Project) -> None:
    run = project.pytest("--loaderperf-history", "-k", "nothing_of_that_name")
    assert run.status == 0, run.output
    assert "slower, and known" not in run.output


def test_outside_git_there_is_none(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False)
    tiny.accept(project, commit=False)
    run = project.pytest("--loaderperf-history")
    assert run.status == 0, run.output
    assert f"{NODE}: no baseline has been committed" in run.output


def test_without_a_commit_git_says_why(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    run = project.pytest("--loaderperf-history")
    assert run.status == 0, run.output
    assert (
        "--loaderperf-history: the history of baselines/test_it.json cannot be read" in run.output
    )


def test_the_report_holds_it_with_pairs_and_memory(project: Project) -> None:
    run = project.pytest("--loaderperf", tiny.WIDE, "--loaderperf-html=reports/page.html")
    assert run.status == 0, run.output
    page = (project.root / "reports" / "page.html").read_text()
    assert "slower, and known to be" in page
    found = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    (check,) = json.loads(found[1])["checks"]
    ratios = check["pairs"]["throughput"]["ratios"]
    assert len(ratios) >= 2
    assert ratios == pytest.approx(
        run.results["checks"][0]["metrics"]["throughput"]["ratios"], rel=1e-3
    )
    assert [each["added"] for each in check["memory"]]
    assert "main" in check["memory"][-1]["processes"]
    assert len(check["history"]) == 2


def test_a_report_that_cannot_be_written_is_told(project: Project) -> None:
    (project.root / "page.html").mkdir()
    run = project.pytest("--loaderperf", tiny.WIDE, "--loaderperf-html=page.html")
    assert "could not be written" in run.output
    assert "1 unchanged" in run.output
