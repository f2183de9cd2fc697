"""Baselines that cannot be read, and commits that cannot be measured: an error, nothing lost."""

from __future__ import annotations

import shutil
import socket
import sys
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
    assert "ImportError: nowhere" in report.texts[tiny.KEY]
    assert "loaderperf_fallback = stored" in report.texts[tiny.KEY]

    asked = ("--loaderperf", "-o", "loaderperf_fallback=stored")
    report = tiny.report(project, *asked, environment=readable)
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert "there are no stored numbers of this machine class" in report.texts[tiny.KEY]

    against_head = "--loaderperf-against=HEAD"
    report = tiny.report(project, "--loaderperf", against_head, environment=readable)
    assert report.run.verdicts == {tiny.NODE: "error"}
    commit = project.git("rev-parse", "HEAD")[:12]
    assert f"commit {commit} cannot be measured" in report.texts[tiny.KEY]
    assert len(project.git("worktree", "list").splitlines()) == 1


def test_baseline_that_cannot_be_collected_leaves_its_stored_numbers_if_asked_to(
    tmp_path: Path,
) -> None:
    ini = "loaderperf_drift = 40%\nloaderperf_fallback = stored\n"
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


def test_what_takes_the_place_of_a_broken_baseline_is_accepted(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", test_it="import nowhere\n" + tiny.CHECK)
    tiny.accept(project, throughput=200.0)
    project.write(test_it=tiny.CHECK)
    run = project.pytest("--loaderperf-update=all")
    assert run.status == 0, run.output
    assert "written: baselines/test_it.json" in run.output
    project.commit("a baseline that works")
    run = project.pytest("--loaderperf")
    assert run.verdicts[tiny.NODE] in ("unchanged", "inconclusive"), run.output


def test_commit_that_lacks_the_check_is_an_error(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    commit = project.commit("one check")[:12]
    project.write(test_it=tiny.CHECK.replace("test_paced", "test_other"))
    report = tiny.report(project, "--loaderperf", "--loaderperf-against=HEAD")
    assert report.run.verdicts == {"test_it.py::test_other": "error"}
    expected = f"commit {commit} cannot be measured: it does not have this check"
    assert expected in report.texts["test_other"]


@pytest.mark.parametrize("place", ["", "    "], ids=["at import", "in the test"])
def test_baseline_that_runs_a_file_of_the_working_tree_is_an_error(
    tmp_path: Path, place: str
) -> None:
    root = tmp_path / "project"
    loads = (
        "import importlib.util as util\n"
        f"SPEC = util.spec_from_file_location('helper', {str(root / 'lib/helper.py')!r})\n"
        "def load():\n    SPEC.loader.exec_module(util.module_from_spec(SPEC))\n"
    )
    checks = tiny.CHECK.replace("    ", f"    {'' if place else '0 and '}load()\n    ", 1)
    at_import = "" if place else "load()\n"
    project = tiny.create(root, test_it=f"{loads}{at_import}{checks}")
    (root / "lib").mkdir()
    (root / "lib/helper.py").touch()
    tiny.accept(project)
    report = tiny.report(project, "--loaderperf")
    assert report.run.verdicts == {tiny.NODE: "error"}
    commit = project.git("rev-parse", "HEAD")[:12]
    text = report.texts[tiny.KEY]
    assert f"commit {commit} ran lib/helper.py (helper) from the working tree" in text
    assert "by its absolute path" in text


@pytest.mark.parametrize("place", ["", "    "], ids=["at import", "in the test"])
def test_absolute_path_in_a_conftest_is_no_harm(tmp_path: Path, place: str) -> None:
    root = tmp_path / "project"
    project = tiny.create(
        root,
        conftest=f"import sys\nsys.path.insert(0, {str(root / 'lib')!r})\n",
        test_it=_importing("lib_paced", place).replace("paced.Paced", "lib_paced.Paced"),
    )
    (root / "lib").mkdir()
    helper = root / "lib/lib_paced.py"
    helper.write_text(tiny.PACED)
    tiny.accept(project)
    helper.write_text(tiny.PACED.replace("0.002", "0.004"))
    report = tiny.report(project, "--loaderperf")
    assert report.run.verdicts == {tiny.NODE: "regressed"}, report.run.output


@pytest.mark.parametrize("place", ["", "    "], ids=["at import", "in the test"])
def test_copy_of_the_project_on_the_path_is_an_error(tmp_path: Path, place: str) -> None:
    project = tiny.create(tmp_path / "project", test_it=_importing("package", place))
    for folder in (project.root / "src" / "package", tmp_path / "installed" / "package"):
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
    tiny.accept(project)
    installed = {"PYTHONPATH": str(tmp_path / "installed")}
    report = tiny.report(project, "--loaderperf", environment=installed)
    assert report.run.verdicts == {tiny.NODE: "error"}
    copy = tmp_path / "installed/package/__init__.py"
    assert f"ran {copy} (package), and not src/package/__init__.py" in report.texts[tiny.KEY]
    assert "pip install -e ." in report.texts[tiny.KEY]


ASKS = """\
import pathlib, socket, subprocess, sys, time

PORT = {port}

def connected():
    try:
        return socket.create_connection(("127.0.0.1", PORT))
    except ConnectionRefusedError:
        server = pathlib.Path(__file__).with_name("server.py")
        subprocess.Popen([sys.executable, str(server), str(PORT)], start_new_session=True)
    while True:
        time.sleep(0.05)
        try:
            return socket.create_connection(("127.0.0.1", PORT))
        except ConnectionRefusedError:
            pass

class Paced:
    def __iter__(self):
        with connected() as connection:
            while True:
                connection.send(b"1")
                yield [1, 2] if connection.recv(1) else None
"""


def test_server_of_one_version_that_serves_the_other_is_an_error(tmp_path: Path) -> None:
    """Both are as slow as the one that has started first."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        asks = ASKS.format(port=free.getsockname()[1])
    project = tiny.create(tmp_path / "project", paced=asks, server=tiny.SERVER, test_it=tiny.CHECK)
    tiny.accept(project)
    project.write(server=tiny.SERVER.replace("0.002", "0.004"))
    report = tiny.report(project, "--loaderperf")
    assert report.run.verdicts == {tiny.NODE: "error"}, report.run.output
    says = "in each pair of trials only one version ran server.py, which has changed"
    assert says in report.texts[tiny.KEY]


def test_python_that_shows_nothing_is_an_error(tmp_path: Path) -> None:
    hidden = tiny.PACED.replace(
        "    for ",
        "    import subprocess, sys\n"
        "    subprocess.Popen([sys.executable, '-Ic', 'import time; time.sleep(600)'])\n    for ",
        1,
    )
    project = tiny.create(tmp_path / "project", paced=hidden, test_it=tiny.CHECK)
    tiny.accept(project)
    report = tiny.report(project, "--loaderperf")
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert "started a Python that does not show which files it runs" in report.texts[tiny.KEY]
    assert "-Ic import time" in report.texts[tiny.KEY]


def test_loader_that_writes_into_its_sources_is_an_error(tmp_path: Path) -> None:
    writes = tiny.PACED.replace("    for ", "    open(__file__, 'a').write('#')\n    for ", 1)
    project = tiny.create(tmp_path / "project", paced=writes, test_it=tiny.CHECK)
    tiny.accept(project)
    report = tiny.report(project, "--loaderperf")
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert "paced.py was changed while it was measured" in report.texts[tiny.KEY]


READS = """\
import os
from pathlib import Path

import paced

TOP = {top}

def test_paced(loaderperf):
    exec((TOP / "pace.txt").read_text())
    loaderperf.check(paced.Paced())
"""


def test_baseline_that_reads_what_has_changed_from_the_working_tree(tmp_path: Path) -> None:
    root = tmp_path / "project"
    project = tiny.create(root, test_it=READS.format(top=f"Path({str(root)!r})"))
    (root / "pace.txt").write_text("pace = 1\n")
    tiny.accept(project)
    run = project.pytest("--loaderperf")
    assert run.verdicts[tiny.NODE] in ("unchanged", "inconclusive"), run.output
    (root / "pace.txt").write_text("pace = 2\n")
    report = tiny.report(project, "--loaderperf")
    assert report.run.verdicts == {tiny.NODE: "error"}, report.run.output
    assert "read pace.txt from the working tree, where it has changed" in report.texts[tiny.KEY]


def test_each_version_reads_its_own_file(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", test_it=READS.format(top="Path(__file__).parent"))
    (project.root / "pace.txt").write_text("pace = 1\n")
    tiny.accept(project)
    (project.root / "pace.txt").write_text("pace = 2\n")
    run = project.pytest("--loaderperf")
    assert run.verdicts[tiny.NODE] in ("unchanged", "inconclusive"), run.output


# --- git that is missing, damaged, or refuses


def test_no_git_in_a_repository_is_a_usage_error(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    tiny.accept(project)
    for name in ("python", "sh"):
        (tmp_path / name).symlink_to(shutil.which(name) or sys.executable)
    run = project.pytest("--loaderperf", environment={"PATH": str(tmp_path)})
    assert run.status == 4, run.output
    assert "there is no program `git` on PATH" in run.output
    assert "--loaderperf-against=stored" in run.output


def test_damaged_repository_is_a_usage_error(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    tiny.accept(project)
    (project.root / ".git/HEAD").unlink()
    run = project.pytest("--loaderperf")
    assert run.status == 4, run.output
    assert "git does not take it for a repository" in run.output
    assert "repair it or clone anew" in run.output


def test_refused_repository_is_a_usage_error(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project")
    tiny.accept(project)
    refusing = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    run = project.pytest("--loaderperf", environment=refusing)
    assert run.status == 4, run.output
    assert "which belongs to another user" in run.output
    assert "safe.directory" in run.output


def _importing(module: str, place: str) -> str:
    """The check, in a file that imports a module at its top or, indented, in the test."""
    if place:
        return tiny.CHECK.replace("    ", f"{place}import {module}\n    ", 1)
    return f"import {module}\n{tiny.CHECK}"
