"""Where the time went: what a failure says, and the results file."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import tiny
from support.project import Project

LOADERS = """\
import time


def read():
    time.sleep(0.0004)
    return 1


def decode(row):
    time.sleep(0.0004)
    return row


class Rows:
    def __iter__(self):
        while True:
            yield [decode(read()) for _ in range(4)]
"""
SLOWER = LOADERS.replace("    return row\n", "    time.sleep(0.0006)\n    return row\n")
CHECK = """\
import rows

def test_rows(loaderperf):
    loaderperf.check(rows.Rows())
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = tiny.create(tmp_path / "project", rows=LOADERS, test_it=CHECK)
    project.commit("before")
    return project


def test_a_failure_names_the_line_that_takes_longer(project: Project) -> None:
    project.write(rows="# comment\n\n" + SLOWER)
    run = project.pytest("--loaderperf", "--loaderperf-against=HEAD")
    assert run.status == 1, run.output
    (check,) = run.results["checks"]
    assert check["verdict"] == "regressed"
    (culprit,) = check["why"]["culprits"]
    assert (culprit["file"], culprit["function"]) == ("rows.py", "decode")
    line = (project.root / "rows.py").read_text().splitlines()[culprit["line"] - 1]
    assert line == "    time.sleep(0.0006)"
    assert culprit["waits"]
    assert culprit["more"] == pytest.approx(check["why"]["lost"], rel=0.2)
    assert f"decode (rows.py:{culprit['line']}) waits " in run.output
    assert "why" in check["phases"]


def test_a_check_that_passes_is_not_asked_for_the_reason(project: Project) -> None:
    run = project.pytest("--loaderperf", "--loaderperf-against=HEAD")
    assert run.status == 0, run.output
    assert run.results["checks"][0]["why"] is None


def test_where_all_are_asked_for_nothing_is_named_of_unchanged_code(project: Project) -> None:
    run = project.pytest("--loaderperf", "--loaderperf-against=HEAD", "--loaderperf-why")
    assert run.status == 0, run.output
    why = run.results["checks"][0]["why"]
    assert not why["culprits"]
    assert "no line takes clearly longer" in run.output
