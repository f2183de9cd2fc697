"""Settings that a run goes by: strictness, budgets, tolerances, and which of them wins."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import pytest_loaderperf
from support import tiny
from support.project import Project


def stored(tmp_path: Path, ini: str = "", **modules: str) -> Project:
    """A project outside git: numbers of another day prove nothing at a usual tolerance."""
    usual = "" if "loaderperf_throughput" in ini else "loaderperf_throughput = 10%\n"
    project = tiny.create(tmp_path / "project", git=False, ini=usual + ini, **modules)
    tiny.accept(project, commit=False)
    return project


def test_inconclusive_check_passes_with_a_warning(tmp_path: Path) -> None:
    project = stored(tmp_path)
    run = project.pytest("--loaderperf")
    assert run.status == 0, run.output
    assert run.verdicts == {tiny.NODE: "inconclusive"}
    assert run.outcomes == {tiny.NODE: "passed"}
    assert f"InconclusiveWarning: {tiny.NODE} is inconclusive; throughput: ratio" in run.output
    assert "1 passed, 1 warning" in run.output


def test_inconclusive_check_fails_a_strict_run(tmp_path: Path) -> None:
    project = stored(tmp_path, ini="loaderperf_strict = false\n")
    run = project.pytest("--loaderperf", "--loaderperf-strict")
    assert run.status == 1
    assert run.verdicts == {tiny.NODE: "inconclusive"}
    assert run.outcomes == {tiny.NODE: "failed"}
    assert "1 failed" in run.output
    assert "passed" not in run.output


def test_inconclusive_check_fails_where_warnings_are_errors(tmp_path: Path) -> None:
    project = stored(tmp_path, ini="filterwarnings = error\n")
    report = tiny.report(project, "--loaderperf")
    assert report.run.status == 1
    assert report.run.outcomes == {tiny.NODE: "failed"}
    assert f"{tiny.NODE} is inconclusive" in report.texts[tiny.KEY]
    assert "1 failed" in report.run.output
    assert "passed" not in report.run.output


def test_a_budget_that_holds_no_look_is_an_error_that_says_what_it_takes(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    tiny.accept(project)
    report = tiny.report(project, "--loaderperf", "-o", "loaderperf_budget=1")
    assert report.run.verdicts == {tiny.NODE: "error"}
    needed = re.search(
        r"the budget of 1 s is too small: a pair of trials takes \d\.\d s, and the first look "
        r"2 pairs\. Give this check budget='(\d+)s' or more",
        report.texts[tiny.KEY],
    )
    assert needed is not None
    run = project.pytest("--loaderperf", tiny.WIDE, f"--loaderperf-budget={needed[1]}")
    assert run.verdicts[tiny.NODE] in ("unchanged", "inconclusive"), run.output


INI = """\
loaderperf_strict = true
loaderperf_metrics = throughput first_batch
loaderperf_throughput = 21%
loaderperf_peak_memory = 22%
loaderperf_first_batch = 23%
loaderperf_cpu_time = 24%
"""


def test_ini_values_are_used(tmp_path: Path) -> None:
    project = stored(tmp_path, ini=INI)
    run = project.pytest("--loaderperf")
    assert run.status == 1, run.output  # strict
    (check,) = run.results["checks"]
    tolerances, judged = _judging(check)
    assert tolerances == {"throughput": 0.21, "peak_memory": 0.22, "first_batch": 0.23,
                          "cpu_time": 0.24}  # fmt: skip
    assert judged == {"throughput", "peak_memory", "first_batch"}  # the test asserts the second


def test_command_line_wins_over_ini_and_the_marker_over_both(tmp_path: Path) -> None:
    marked = "import pytest\n" + tiny.CHECK.replace(
        "def ", "@pytest.mark.loaderperf(cpu_time='44%', metrics=['cpu_time'])\ndef "
    )
    project = stored(tmp_path, ini=INI, test_it=marked)
    run = project.pytest(
        "--loaderperf",
        "--loaderperf-metrics=first_batch",
        "--loaderperf-throughput=31%",
        "--loaderperf-peak-memory=32%",
        "--loaderperf-cpu-time=34%",
    )
    (check,) = run.results["checks"]
    tolerances, judged = _judging(check)
    assert tolerances == {"throughput": 0.31, "peak_memory": 0.32, "first_batch": 0.23,
                          "cpu_time": 0.44}  # fmt: skip
    assert judged == {"throughput", "peak_memory", "cpu_time"}


def test_what_to_compare_with_is_an_ini_value_too(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", ini="loaderperf_against = HEAD\n")
    project.commit("first")
    assert ", against HEAD" in project.pytest("--loaderperf", "--collect-only").output
    run = project.pytest("--loaderperf", "--collect-only", "--loaderperf-against=stored")
    assert ", against stored" in run.output


IMPORTED = """\
open("imports", "a").write("imported\\n")

class Broken:
    def __iter__(self):
        raise OSError

def test_one(loaderperf):
    loaderperf.check(Broken())

def test_two(loaderperf):
    loaderperf.check(Broken())
"""


@pytest.mark.parametrize(("arguments", "imports"), [((), 2), (("--loaderperf-trials=fork",), 1)])
def test_fresh_trials_import_the_tests_anew(
    tmp_path: Path, arguments: tuple[str, ...], imports: int
) -> None:
    ini = "loaderperf_trials = fresh\n"
    project = tiny.create(tmp_path / "project", git=False, ini=ini, test_it=IMPORTED)
    project.pytest("--loaderperf", *arguments)
    assert len((project.root / "imports").read_text().splitlines()) == imports


def test_baseline_has_an_interpreter_of_its_own(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    project.commit("no check")
    project.write(test_it=tiny.CHECK.replace("test_paced", "test_new"))
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$PWD" >> {tmp_path}/used\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    arguments = ("--loaderperf", "--loaderperf-against=HEAD", "--loaderperf-tests=theirs")
    run = project.pytest(*arguments, f"--loaderperf-baseline-python={python}")
    assert "it does not have this check" in run.output
    commit = project.git("rev-parse", "HEAD")[:12]
    asked, arm = (tmp_path / "used").read_text().splitlines()  # for what it has installed, first
    assert Path(asked) == project.root
    assert Path(arm).name == commit


def test_an_interpreter_with_another_version_of_the_plugin_is_an_error(tmp_path: Path) -> None:
    two = tiny.CHECK + tiny.CHECK.replace("test_paced", "test_again")
    project = tiny.create(tmp_path / "project", test_it=two)
    project.commit("with checks")
    other = tmp_path / "other" / "pytest_loaderperf"
    shutil.copytree(Path(pytest_loaderperf.__file__).parent, other)
    here = pytest_loaderperf.__version__
    start = (other / "__init__.py").read_text()
    (other / "__init__.py").write_text(start.replace(f'"{here}"', '"99.0"'))
    python = tmp_path / "python"
    path = f"PYTHONPATH={other.parent}:$PYTHONPATH"
    python.write_text(f'#!/bin/sh\n{path} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    arguments = ("--loaderperf", "--loaderperf-against=HEAD")
    run = project.pytest(*arguments, f"--loaderperf-baseline-python={python}")
    assert run.status == 1
    said = f"pytest-loaderperf is {here} here and 99.0 in {python}: install the same version there"
    messages = [check["message"] for check in run.results["checks"]]
    assert len(messages) == 2  # what is said of the first check is said of the others, too
    assert all(said in message for message in messages)


def _judging(check: Mapping[str, Any]) -> tuple[dict[str, float], set[str]]:
    """The tolerance of each metric, and the metrics that were judged."""
    metrics = check["metrics"]
    tolerances = {
        name: tolerance for name, metric in metrics.items() if (tolerance := metric["tolerance"])
    }
    return tolerances, {name for name, metric in metrics.items() if metric["verdict"]}
