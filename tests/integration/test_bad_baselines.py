"""Baselines that cannot be read, and commits that cannot be measured: an error, nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration import tiny
from integration.project import Project

STORES = {
    "damaged": ('{"format": 1, "checks": ', "Expecting value"),
    "newer": ('{"format": 2, "entries": []}', "upgrade the plugin"),
    "in conflict": ("<<<<<<< HEAD\n", "merge conflict"),
}


@pytest.mark.parametrize(
    ("kind", "option"),
    [("damaged", "--loaderperf"), *((kind, "--loaderperf-update=all") for kind in STORES)],
)
def test_unreadable_store_is_an_error_and_stays(measuring: Project, kind: str, option: str) -> None:
    content, problem = STORES[kind]
    store = measuring.root / "baselines" / "test_it.json"
    store.parent.mkdir(exist_ok=True)
    store.write_text(content)
    report = tiny.report(measuring, option)
    assert report.run.status == 1
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert str(store) in report.texts[tiny.KEY]
    assert problem in report.texts[tiny.KEY]
    assert store.read_text() == content
    assert list(store.parent.iterdir()) == [store]
    store.unlink()


def test_folder_in_place_of_a_store_is_an_error(measuring: Project) -> None:
    store = measuring.root / "baselines" / "test_it.json"
    store.mkdir(parents=True)
    report = tiny.report(measuring, "--loaderperf-update")
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert f"{store}: the baselines cannot be read" in report.texts[tiny.KEY]
    store.rmdir()


# --- commits


def test_unknown_commit_is_a_usage_error(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    tiny.accept(project)
    says = ["'v1.0' names no commit of this clone", "git fetch origin v1.0"]
    tiny.assert_usage_error(project, "--loaderperf-against=v1.0", says=says)


def test_shallow_clone_says_how_to_deepen_it(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    tiny.accept(project)
    project.write(other="")
    project.commit("later")
    report = tiny.report(project.clone(tmp_path / "clone", "--depth=1"), "--loaderperf")
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert "git fetch --unshallow" in report.texts[tiny.KEY]
    assert "fetch-depth: 0" in report.texts[tiny.KEY]


def test_baseline_that_cannot_be_collected(tmp_path: Path) -> None:
    broken = "raise ImportError('nowhere \\udcff')\n" + tiny.CHECK  # no text of UTF-8
    project = tiny.create(tmp_path / "project", test_it=broken)
    tiny.accept(project, machine="another machine")
    project.write(test_it=tiny.CHECK)
    readable = {"PYTHONIOENCODING": "utf-8:backslashreplace"}

    report = tiny.report(project, "--loaderperf", environment=readable)
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert "there are no stored numbers of this machine class" in report.texts[tiny.KEY]
    assert "ImportError: nowhere" in report.texts[tiny.KEY]

    against_head = "--loaderperf-against=HEAD"
    report = tiny.report(project, "--loaderperf", against_head, environment=readable)
    assert report.run.verdicts == {tiny.NODE: "error"}
    commit = project.git("rev-parse", "HEAD")[:12]
    assert f"commit {commit} cannot be measured" in report.texts[tiny.KEY]
    assert len(project.git("worktree", "list").splitlines()) == 1


def test_baseline_that_cannot_be_collected_leaves_its_stored_numbers(tmp_path: Path) -> None:
    ini = "loaderperf_drift = 40%\n"
    project = tiny.create(tmp_path / "project", ini=ini, test_it="import nowhere\n" + tiny.CHECK)
    tiny.accept(project)
    project.write(test_it=tiny.CHECK)
    run = project.pytest("--loaderperf")
    assert run.status == 0, run.output
    assert run.verdicts == {tiny.NODE: "inconclusive"}
    commit = project.git("rev-parse", "HEAD")[:12]
    assert f"compared with stored numbers, since commit {commit} cannot be measured" in run.output
    assert "No module named 'nowhere'" in run.output
    low, high = run.results["checks"][0]["metrics"]["throughput"]["interval"]
    assert low < 0.6  # the drift alone makes it exp(-0.8) to exp(0.8)
    assert high > 1.7


def test_commit_that_lacks_the_check_is_an_error(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    commit = project.commit("one check")[:12]
    project.write(test_it=tiny.CHECK.replace("test_paced", "test_other"))
    report = tiny.report(project, "--loaderperf", "--loaderperf-against=HEAD")
    assert report.run.verdicts == {"test_it.py::test_other": "error"}
    expected = f"commit {commit} cannot be measured: it does not have this check"
    assert expected in report.texts["test_other"]


@pytest.mark.parametrize("place", ["", "    "], ids=["at import", "in the test"])
def test_baseline_that_imports_from_the_working_tree_is_an_error(
    tmp_path: Path, place: str
) -> None:
    root = tmp_path / "project"
    project = tiny.create(
        root,
        conftest=f"import sys\nsys.path.insert(0, {str(root / 'lib')!r})\n",
        test_it=_importing("helper", place),
    )
    (root / "lib").mkdir()
    (root / "lib/helper.py").touch()
    tiny.accept(project)
    report = tiny.report(project, "--loaderperf")
    assert report.run.verdicts == {tiny.NODE: "error"}
    commit = project.git("rev-parse", "HEAD")[:12]
    text = report.texts[tiny.KEY]
    assert f"commit {commit} imported helper from the working tree" in text
    assert "an absolute path in conftest.py" in text


@pytest.mark.parametrize("place", ["", "    "], ids=["at import", "in the test"])
def test_project_that_is_installed_as_a_copy_is_an_error(tmp_path: Path, place: str) -> None:
    project = tiny.create(tmp_path / "project", test_it=_importing("package", place))
    for folder in (project.root / "src" / "package", tmp_path / "installed" / "package"):
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
    tiny.accept(project)
    installed = {"PYTHONPATH": str(tmp_path / "installed")}
    report = tiny.report(project, "--loaderperf", environment=installed)
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert "package was imported from an installed copy" in report.texts[tiny.KEY]
    assert "pip install -e ." in report.texts[tiny.KEY]


def _importing(module: str, place: str) -> str:
    """The check, in a file that imports a module at its top or, indented, in the test."""
    if place:
        return tiny.CHECK.replace("    ", f"{place}import {module}\n    ", 1)
    return f"import {module}\n{tiny.CHECK}"
