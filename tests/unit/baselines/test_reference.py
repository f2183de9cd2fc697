"""Worktrees of references, with real git: the tests of today in them, and what is noticed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pytest_loaderperf.baselines.reference import Configuration, References
from pytest_loaderperf.errors import CheckoutError, PackagesError
from pytest_loaderperf.model.version import Version
from pytest_loaderperf.settings import RunSettings
from support.project import Project
from support.wheels import asking, wheel


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path.resolve() / "tree")
    project.start_history()
    project.put("tests/test_x.py", "old")
    project.put("x.py", "old")
    project.commit("first")
    project.put("x.py", "new")
    project.commit("second")
    project.put("tests/test_x.py", "new")
    return project


def references(project: Project, tmp_path: Path, **settings: object) -> References:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return References(project.root, RunSettings(**settings), folder, Configuration())  # type: ignore[arg-type]


def test_tests_of_today_are_no_change_of_a_worktree_until_something_writes_to_them(
    project: Project, tmp_path: Path
) -> None:
    here = Version(root=project.root)
    with_them = references(project, tmp_path)
    version = with_them.overlaid(project.git("rev-parse", "HEAD~1"), lambda _: None)
    assert with_them.overlay(version, "tests/test_x.py", ["tests/test_x.py", "x.py"])
    assert not with_them.overlay(version, "tests/test_x.py", ["tests/test_x.py"])
    assert (version.root / "tests/test_x.py").read_text() == "new"
    assert (version.root / "x.py").read_text() == "old"
    changes = with_them.changes(version, here)
    assert {*changes.since} == {"tests/test_x.py", "x.py"}
    assert not changes.in_worktree
    (note,) = with_them.notes(version)
    assert note.endswith("was measured with tests of today: tests/test_x.py")
    # One that has gone since was opened for a moment, and is nobody's test.
    with_them.overlay(version, "tests/test_x.py", ["tests/gone", "tests/__pycache__/x.pyc"])
    (version.root / "tests/gone").touch()
    assert with_them.notes(version) == [note]
    (version.root / "tests/test_x.py").write_text("written to")
    assert {*with_them.changes(version, here).in_worktree} == {"tests/test_x.py"}
    with_them.close()


def test_two_commits_differ_in_what_lies_between_them(project: Project, tmp_path: Path) -> None:
    # Whatever the ini file compares with.
    both = references(project, tmp_path, bisect=("HEAD~1", "HEAD"), against="stored")
    good, commits = both.searched()
    assert (good, commits) == (
        project.git("rev-parse", "HEAD~1"),
        [(project.git("rev-parse", "HEAD"), "second")],
    )
    first, second = (both.overlaid(each, lambda _: None) for each in (good, commits[0][0]))
    (second.root / "x.py").write_text("written to")
    changes = both.changes(first, second)
    assert [*changes.since] == ["x.py"]
    assert {*changes.in_candidate} == {"x.py"}
    both.release(second)
    assert not second.root.exists()
    assert both.commits == [good]
    both.close()
    assert not project.worktrees()


def test_a_merge_stands_for_what_it_brings(project: Project, tmp_path: Path) -> None:
    project.git("checkout", "-q", "-b", "side", "HEAD~1")
    project.git("checkout", "-q", "--", ".")
    project.put("y.py", "")
    project.commit("in a branch")
    project.git("checkout", "-q", "-")
    project.git("merge", "-q", "--no-ff", "-m", "merged", "side")
    span = references(project, tmp_path, bisect=("HEAD~2", "HEAD"))
    assert [subject for _, subject in span.searched()[1]] == ["second", "merged"]


@pytest.mark.parametrize("span", [("HEAD", "HEAD~1"), ("HEAD", "HEAD")])
def test_commits_that_lead_nowhere_cannot_be_searched(
    project: Project, tmp_path: Path, span: tuple[str, str]
) -> None:
    with pytest.raises(CheckoutError, match="no commits lead from"):
        references(project, tmp_path, bisect=span).searched()


# --- packages of a commit


def test_a_commit_has_the_packages_of_its_own_requirements(
    project: Project, tmp_path: Path
) -> None:
    wheels = tmp_path / "wheels"
    for number in ("1", "2"):
        wheel(wheels, "thing", number)
    project.put("requirements.txt", asking(wheels, "thing==1"))
    project.put("other/tests.txt", asking(wheels, "thing==2"))
    commit = project.commit("with requirements")
    project.put("requirements.txt", asking(wheels, "thing==2"))

    def with_packages(asked: str) -> tuple[Version, list[str]]:
        scratch = tmp_path / asked.replace("/", "-")
        scratch.mkdir()
        here = references(project, scratch, against="HEAD", baseline_requirements=asked)
        version = here.find("tests/test_x.py", "test_x").version
        assert version is not None
        told = here.notes(version)
        here.close()
        return version, told

    version, told = with_packages("accepted")
    assert not version.is_of_this_python
    label = f"requirements.txt of commit {commit[:12]}"
    assert told == [f"packages of {label}: those that are here; the baseline alone has thing"]
    code = "import thing; assert thing.VERSION == '1'"
    assert subprocess.run([version.python, "-c", code], check=False).returncode == 0
    other, told = with_packages("accepted:other/tests.txt")
    assert told[0].startswith(f"packages of other/tests.txt of commit {commit[:12]}: ")
    assert other.python != version.python
    with pytest.raises(PackagesError, match=r"has no none\.txt .*accepted:PATH"):
        with_packages("accepted:none.txt")
    assert not project.worktrees()


def test_what_a_file_asks_for_is_read_before_anything_is_measured(
    project: Project, tmp_path: Path
) -> None:
    with pytest.raises(PackagesError, match=r"none\.txt cannot be read"):
        references(project, tmp_path, baseline_requirements="none.txt")
