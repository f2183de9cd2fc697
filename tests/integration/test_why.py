"""Where the time went: what a failure says, and the results file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from support import tiny
from support.environment import PLAIN
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
# As users run it; other runs do not look.
ASKING = {"PYTEST_ADDOPTS": f"{PLAIN} --loaderperf-always"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = tiny.create(tmp_path / "project", rows=LOADERS, test_it=CHECK)
    project.commit("before")
    return project


def test_a_failure_names_the_line_that_takes_longer(project: Project) -> None:
    project.write(rows="# comment\n\n" + SLOWER)
    run = project.pytest("--loaderperf", "--loaderperf-against=HEAD", "--loaderperf-why=why.json")
    assert run.status == 1, run.output
    profiles = json.loads((project.root / "why.json").read_text())["profiles"]
    assert [each["name"].rpartition(" ")[2] for each in profiles] == ["candidate", "baseline"]
    (check,) = run.results["checks"]
    assert check["verdict"] == "regressed"
    (culprit,) = check["why"]["time"]["culprits"]
    assert (culprit["file"], culprit["function"]) == ("rows.py", "decode")
    line = (project.root / "rows.py").read_text().splitlines()[culprit["line"] - 1]
    assert line == "    time.sleep(0.0006)"
    assert culprit["waits"]
    assert culprit["more"] == pytest.approx(check["why"]["time"]["lost"], rel=0.2)
    assert f"decode (rows.py:{culprit['line']}) waits " in run.output
    assert "why" in check["phases"]


def test_a_check_that_passes_is_not_asked_for_the_reason(project: Project) -> None:
    run = project.pytest("--loaderperf", "--loaderperf-against=HEAD", environment=ASKING)
    assert run.status == 0, run.output
    assert run.results["checks"][0]["why"] == {}


def test_where_all_are_asked_for_nothing_is_named_of_unchanged_code(project: Project) -> None:
    against = ("--loaderperf", "--loaderperf-against=HEAD")
    run = project.pytest(*against, "--loaderperf-why", "test_it.py")  # a path, and no value
    assert run.status == 0, run.output
    why = run.results["checks"][0]["why"]["time"]
    assert not why["culprits"]
    # On a busy machine it may take clearly longer; even then that is in no line.
    named = [line for line in run.output.splitlines() if ".py:" in line and "more of the" in line]
    assert not named
    said = ("no line takes clearly longer", "more that a sample takes are in no single line")
    assert any(each in run.output for each in said)


HOLDING = """\
import time

KEPT = []

def load(n):
    row = bytearray(2**16)
    return row

class Rows:
    def __iter__(self):
        for n in range(400):
            time.sleep(0.001)
            yield [len(load(n)) for _ in range(2)]
"""
KEEPING = HOLDING.replace("    return row\n", "    KEPT.append(bytearray(2**16))\n    return row\n")


def test_a_failure_names_the_line_that_holds_more_memory(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", rows=HOLDING, test_it=CHECK)
    project.commit("before")
    project.write(rows="# comment\n" + KEEPING)
    run = project.pytest("--loaderperf", "--loaderperf-against=HEAD", environment=ASKING)
    assert run.status == 1, run.output
    (check,) = run.results["checks"]
    assert check["metrics"]["peak_memory"]["verdict"] == "regressed"
    why = check["why"]["memory"]
    (culprit,) = why["culprits"]
    assert (culprit["file"], culprit["function"], culprit["line"]) == ("rows.py", "load", 8)
    grown = check["metrics"]["peak_memory"]["value"] - check["metrics"]["peak_memory"]["baseline"]
    assert culprit["more"] * 2**20 == pytest.approx(grown, rel=0.15)
    assert "load (rows.py:8) holds " in run.output


SHARED = """\
import os

TEXTS = [f"{number:015d}" for number in range(400_000)]

def look(first):
    return len(TEXTS) - first

class Rows:
    def __iter__(self):
        '''Each epoch has a process of its own, as loaders with workers do.'''
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                for n in range(200):
                    look(2_000 * n)
                    os.write(writing, b"x" * 64)
            finally:
                os._exit(0)
        os.close(writing)
        try:
            for n in range(200):
                yield [os.read(reading, 64)] * 8
        finally:
            os.close(reading)
            os.waitpid(pid, 0)
"""
LOOKING = SHARED.replace("len(TEXTS) - first", "sum(map(len, TEXTS[first : first + 2_000]))")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is copied")
def test_a_failure_names_the_line_that_has_workers_copy_shared_memory(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", rows=SHARED, test_it=CHECK)
    project.commit("before")
    project.write(rows="# comment\n" + LOOKING)
    run = project.pytest("--loaderperf", "--loaderperf-against=HEAD", environment=ASKING)
    assert run.status == 1, run.output
    (check,) = run.results["checks"]
    assert check["metrics"]["peak_memory"]["verdict"] == "regressed"
    (culprit,) = check["why"]["copies"]["culprits"]
    assert (culprit["file"], culprit["function"], culprit["line"]) == ("rows.py", "look", 7)
    assert culprit["more"] * 2**20 == pytest.approx(400_000 * 64, rel=0.15)
    assert "look (rows.py:7) copies " in run.output


STARTING = """\
import time

def index(seconds):
    time.sleep(seconds)

def shuffle():
    time.sleep(0.02)

class Rows:
    def __iter__(self):
        shuffle()
        index(0.02)
        for n in range(10**6):
            time.sleep(0.001)
            yield [n, n]
"""
FIRST = """\
import pytest, rows

@pytest.mark.loaderperf(metrics=["first_batch"])
def test_rows(loaderperf):
    loaderperf.check(rows.Rows())
"""


def test_a_failure_names_the_line_for_which_the_first_batch_comes_later(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", rows=STARTING, test_it=FIRST)
    project.commit("before")
    project.write(rows="# comment\n" + STARTING.replace("index(0.02)", "index(0.2)"))
    run = project.pytest("--loaderperf", "--loaderperf-against=HEAD", environment=ASKING)
    assert run.status == 1, run.output
    (check,) = run.results["checks"]
    assert check["metrics"]["first_batch"]["verdict"] == "regressed"
    assert [*check["why"]] == ["first_batch"]
    why = check["why"]["first_batch"]
    (culprit,) = why["culprits"]
    assert (culprit["file"], culprit["function"], culprit["line"]) == (
        "rows.py",
        "Rows.__iter__",
        13,
    )
    assert culprit["waits"]
    assert culprit["more"] == pytest.approx(180, rel=0.25)
    assert why["took"] == pytest.approx(220, rel=0.25)
    assert "Rows.__iter__ (rows.py:13) waits " in run.output
    assert " ms a first batch that were lost" in run.output
