"""Checks of today on the code of yesterday: of a commit that has no such check, or another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import tiny
from support.project import Project

# The sources lie in the top folder; the check, a fixture, a helper and a data builder in tests/.
TESTS = {
    "tests/conftest.py": """\
import pytest
from helper import write

@pytest.fixture
def pace(loaderperf_data):
    return float((loaderperf_data("pace", write) / "pace.txt").read_text())
""",
    "tests/helper.py": """\
def write(folder):
    (folder / "pace.txt").write_text("0.002")
""",
    "tests/test_it.py": """\
import paced

def test_paced(loaderperf, pace):
    loaderperf.check(paced.Paced(pace))

def test_newer(loaderperf):
    loaderperf.check(paced.newer())
""",
}
PACED = tiny.PACED.replace(
    "paced(batches=10**9, batch=(1, 2))", "paced(batches=10**9, batch=(1, 2), pace=0.002)"
).replace("time.sleep(0.002)", "time.sleep({times} * pace)")
LOADERS = """
class Paced:
    def __init__(self, pace):
        self.pace = pace

    def __iter__(self):
        return paced(pace=self.pace)
"""
NEWER = "\ndef newer():\n    return Paced(0.002)\n"


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that got slower, and only then its first checks."""
    root = tmp_path_factory.mktemp("grown") / "project"
    project = tiny.create(root, ini="pythonpath = .\n", paced=PACED.format(times=1) + LOADERS)
    project.commit("as it was")
    project.write(paced=PACED.format(times=2) + LOADERS + NEWER)
    project.commit("slower")
    for name, text in TESTS.items():
        project.put(name, text)
    return project


def test_a_commit_without_checks_is_measured_with_those_of_today(grown: Project) -> None:
    report = tiny.report(grown, "--loaderperf", "--loaderperf-against=HEAD~1")
    paced, newer = report.checks["test_paced"], report.checks["test_newer"]
    commit = grown.git("rev-parse", "HEAD~1")[:12]
    assert paced["verdict"] == "regressed", report.run.output
    assert paced["metrics"]["throughput"]["ratio"] == pytest.approx(0.5, abs=0.1)
    today = f"commit {commit} was measured with tests of today: "
    assert f"{today}tests/conftest.py, tests/helper.py, tests/test_it.py" in paced["notes"]
    assert "but for those tests" not in str(paced["notes"])
    # What the old code lacks is said.
    assert newer["verdict"] == "error"
    assert f"commit {commit} cannot be measured" in report.texts["test_newer"]
    assert "has no attribute 'newer'" in report.texts["test_newer"]
    assert not grown.worktrees()
    assert grown.git("status", "--porcelain") == "?? tests/"


def test_what_only_has_new_tests_is_unchanged(grown: Project) -> None:
    run = grown.pytest("--loaderperf", "--loaderperf-against=HEAD", "-k", "newer")
    assert run.verdicts["tests/test_it.py::test_newer"] in ("unchanged", "inconclusive"), run.output


def test_tests_of_today_can_be_refused(grown: Project) -> None:
    asked = ("--loaderperf-against=HEAD", "--loaderperf-tests=theirs")
    report = tiny.report(grown, "--loaderperf", *asked)
    assert {check["verdict"] for check in report.checks.values()} == {"error"}
    assert "its tests cannot be collected" in report.texts["test_paced"]


def test_a_commit_with_a_check_of_its_own_is_measured_with_that(tmp_path: Path) -> None:
    slow = tiny.PACED.replace("    for ", "    time.sleep(0)\n    for ")
    check = "import time, paced\n\ndef slow():\n    for each in paced.paced():\n        {}\n" + (
        "        yield each\n\ndef test_paced(loaderperf):\n    loaderperf.check(slow)\n"
    )
    project = tiny.create(
        tmp_path / "project", paced=slow, test_it=check.format("time.sleep(0.003)")
    )
    tiny.accept(project)
    project.write(test_it=check.format("pass"))
    run = project.pytest("--loaderperf", "--loaderperf-against=HEAD")
    assert run.verdicts == {tiny.NODE: "improved"}, run.output
    assert "tests of today" not in run.output
    run = project.pytest("--loaderperf", "--loaderperf-tests=mine")
    assert run.verdicts[tiny.NODE] in ("unchanged", "inconclusive"), run.output
    notes = " ".join(run.results["checks"][0]["notes"])
    assert "was measured with tests of today: test_it.py" in notes
    assert "but for those tests, it runs what commit" in notes
