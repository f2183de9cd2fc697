"""Beside other tests: a plain `pytest` skips checks, and pytest's own options work on them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from support import tiny
from support.project import PYTEST, Project

# In many ways a check of its own; none needs more than its loader's first failure.
CHECKS = """\
import pytest

class Broken:
    def __iter__(self):
        raise OSError("broken on purpose")

@pytest.fixture
def loader(batch_size):
    return Broken()

@pytest.mark.loaderperf(batch_sizes=[8, 16])
def test_sizes(loader, loaderperf):
    loaderperf.check(loader)

class TestPhotos:
    class TestSmall:
        @pytest.mark.parametrize("transform", ["crop::flip", "größer", "a b"])
        def test_nested(self, transform, loaderperf):
            loaderperf.check(Broken())

    @pytest.mark.slow
    def test_slow(self, loaderperf):
        loaderperf.check(Broken())
"""
MIXED = """\
import pytest

def test_ordinary():
    pass

@pytest.mark.loaderperf
def test_marked():
    raise AssertionError("runs")

def test_asks(loaderperf):
    raise AssertionError("runs")
"""
NODES = [
    "test_checks.py::test_sizes[8]",
    "test_checks.py::test_sizes[16]",
    "test_checks.py::TestPhotos::TestSmall::test_nested[crop::flip]",
    "test_checks.py::TestPhotos::TestSmall::test_nested[gr\\xf6\\xdfer]",
    "test_checks.py::TestPhotos::TestSmall::test_nested[a b]",
    "test_checks.py::TestPhotos::test_slow",
]
MIXED_NODES = ["test_mixed.py::test_marked", "test_mixed.py::test_asks"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("plain") / "project"
    return tiny.create(
        root, git=False, ini="markers = slow\n", test_checks=CHECKS, test_mixed=MIXED
    )


def test_plain_pytest_skips_checks_and_runs_the_rest(project: Project) -> None:
    run = project.pytest("-rs", "-v")
    assert run.status == 0, run.output
    assert "1 passed, 5 skipped" in run.output
    assert "test_mixed.py::test_ordinary PASSED" in run.output
    assert "test_checks.py::test_sizes SKIPPED" in run.output  # not imported: no parameters
    assert "test_checks.py::TestPhotos::TestSmall::test_nested SKIPPED" in run.output
    assert "test_mixed.py::test_marked SKIPPED" in run.output
    assert "test_mixed.py::test_asks SKIPPED" in run.output
    assert "a loader check: run pytest --loaderperf" in run.output


def test_plain_pytest_knows_checks_by_their_node_ids(project: Project) -> None:
    run = project.pytest(NODES[0], NODES[2], "test_checks.py::TestPhotos")
    assert run.status == 0, run.output  # pytest refuses to run if it does not know one of them
    assert "skipped" in run.output.splitlines()[-1]


def test_plain_pytest_imports_no_module_of_checks(tmp_path: Path) -> None:
    broken = "raise RuntimeError('imported')\n" + tiny.CHECK
    project = tiny.create(tmp_path / "project", git=False, test_it=broken)
    run = project.pytest("-rs")
    assert run.status == 0, run.output
    assert "1 skipped" in run.output
    assert project.pytest("--loaderperf").status == 2


def test_plain_pytest_imports_nothing_heavy(tmp_path: Path) -> None:
    conftest = """\
import pathlib, sys
def pytest_unconfigure():
    pathlib.Path("modules").write_text(" ".join(sys.modules))
"""
    project = tiny.create(tmp_path / "project", git=False, conftest=conftest, test_mixed=MIXED)
    others = [f"-pno:{name}" for name in ("benchmark", "hypothesispytest", "randomly")]
    run = project.pytest(*others, command=PYTEST)
    assert "1 passed, 2 skipped" in run.output
    imported = set((project.root / "modules").read_text().split())
    assert "pytest_loaderperf.plugin" in imported
    heavy = {"numpy", "scipy", "psutil", "torch", "tensorflow", "pytest_loaderperf.session.run"}
    assert not heavy & imported


def test_collect_only_lists_node_ids_and_measures_nothing(project: Project) -> None:
    run = project.pytest("--loaderperf", "--collect-only", "-q")
    assert run.status == 0, run.output
    assert run.output.splitlines()[: len(NODES) + len(MIXED_NODES)] == NODES + MIXED_NODES
    assert "broken on purpose" not in run.output


def test_checks_are_selected_by_their_node_ids(project: Project) -> None:
    nodes = NODES[:1] + NODES[2:4] + NODES[5:]
    report = tiny.report(project, "--loaderperf", *nodes)
    assert report.run.verdicts == dict.fromkeys(nodes, "error")
    for text in report.texts.values():
        assert "broken on purpose" in text
    assert len(report.texts) == len(nodes)


def test_group_of_checks_is_selected_by_its_node_id(project: Project) -> None:
    run = project.pytest("--loaderperf", "test_checks.py::TestPhotos::TestSmall")
    assert list(run.verdicts) == NODES[2:5]


SELECTIONS = {
    ("-k", "sizes and 16"): NODES[1:2],
    ("-k", "Photos and not slow"): NODES[2:5],
    ("-m", "slow"): NODES[5:],
    ("--deselect", "test_checks.py::TestPhotos", "test_checks.py"): NODES[:2],
    ("-x", "test_checks.py"): NODES[:1],
    ("--maxfail=2",): NODES[:2],
}


@pytest.mark.parametrize("arguments", SELECTIONS, ids=" ".join)
def test_pytest_selects_checks(project: Project, arguments: tuple[str, ...]) -> None:
    run = project.pytest("--loaderperf", *arguments)
    assert list(run.verdicts) == SELECTIONS[arguments], run.output


def test_last_failed_runs_what_failed(tmp_path: Path) -> None:
    checks = CHECKS + "\ndef test_skipped(loaderperf):\n    pytest.skip('works')\n"
    project = tiny.create(tmp_path / "project", git=False, ini="markers = slow\n", test_it=checks)
    project.pytest("--loaderperf", "-k", "sizes or skipped")
    run = project.pytest("--loaderperf", "--lf")
    assert list(run.verdicts) == ["test_it.py::test_sizes[8]", "test_it.py::test_sizes[16]"]
    run = project.pytest("--loaderperf", "--lf", "-k", "16")
    assert list(run.verdicts) == ["test_it.py::test_sizes[16]"]


def test_junit_counts_a_failed_check_as_a_failure(project: Project) -> None:
    file = project.root / "junit.xml"
    project.pytest("--loaderperf", f"--junitxml={file}", NODES[5])
    suite = ElementTree.parse(file).getroot()[0]
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "1", "failures": "1", "errors": "0", "skipped": "0"}
    case = suite[0]
    assert case.get("classname") == "test_checks.TestPhotos"
    assert case.get("name") == "test_slow"


def test_ordinary_tests_are_not_run_with_checks(project: Project) -> None:
    run = project.pytest("--loaderperf", "test_mixed.py")
    assert list(run.verdicts) == MIXED_NODES
    assert "2 failed" in run.output
    assert "passed" not in run.output


def test_pytest_shows_marker_and_options(project: Project) -> None:
    markers = project.pytest("--markers").output
    assert "@pytest.mark.loaderperf(batch_sizes=, " in markers
    help_text = project.pytest("--help").output
    for option in ("--loaderperf ", "--loaderperf-update", "--loaderperf-against", "--loaderperf-"
                   "strict", "loaderperf_drift", "loaderperf_share"):  # fmt: skip
        assert option in help_text
    fixtures = project.pytest("--fixtures", "test_mixed.py").output
    assert "loaderperf_data [session scope]" in fixtures
