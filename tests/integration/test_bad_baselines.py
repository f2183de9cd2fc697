"""Baselines that cannot be read, and commits that cannot be measured: an error, nothing lost."""

from __future__ import annotations

import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import tiny
from support.project import Project, Run
from support.tiny import Report

# A module of checks for each store, so that one run shows them all.
STORES = {
    "damaged": ('{"format": 1, "checks": ', "Expecting value"),
    "newer": ('{"format": 3, "entries": []}', "upgrade the plugin"),
    "conflict": ("<<<<<<< HEAD\n", "merge conflict"),
    "folder": (None, ": the baselines cannot be read"),
}


@pytest.mark.parametrize(
    "option", ["--loaderperf", "--loaderperf-update", "--loaderperf-update=all"]
)
def test_unreadable_stores_are_errors_and_stay(tmp_path: Path, option: str) -> None:
    checks = {f"test_{kind}": tiny.CHECK.replace("test_paced", f"test_{kind}") for kind in STORES}
    project = tiny.create(tmp_path / "project", git=False, **checks)
    stores = {kind: project.root / f"baselines/test_{kind}.json" for kind in STORES}
    for kind, (content, _) in STORES.items():
        if content is None:
            stores[kind].mkdir(parents=True)
        else:
            project.put(f"baselines/test_{kind}.json", content)
    report = tiny.report(project, option)
    assert report.run.status == 1
    assert report.run.verdicts == {f"test_{kind}.py::test_{kind}": "error" for kind in STORES}
    for kind, (content, problem) in STORES.items():
        text = report.texts[f"test_{kind}"]
        assert str(stores[kind]) in text
        assert problem in text
        assert stores[kind].is_dir() if content is None else stores[kind].read_text() == content
    assert sorted((project.root / "baselines").iterdir()) == sorted(stores.values())


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
    project = tiny.create(tmp_path / "project", test_it=broken, test_new=tiny.CHECK)
    tiny.accept(project, machine="another machine")
    renamed = tiny.CHECK.replace("test_paced", "test_new")
    project.write(test_it=tiny.CHECK, test_new=renamed)
    readable = {"PYTHONIOENCODING": "utf-8:backslashreplace"}

    report = tiny.report(project, "--loaderperf", "test_it.py", environment=readable)
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert "ImportError: nowhere" in report.texts[tiny.KEY]
    assert "loaderperf_fallback = stored" in report.texts[tiny.KEY]

    asked = ("--loaderperf", "test_it.py", "-o", "loaderperf_fallback=stored")
    report = tiny.report(project, *asked, environment=readable)
    assert report.run.verdicts == {tiny.NODE: "error"}
    assert "there are no stored numbers of this machine class" in report.texts[tiny.KEY]

    against_head = ("--loaderperf-against=HEAD", "--loaderperf-tests=theirs")
    report = tiny.report(project, "--loaderperf", *against_head, environment=readable)
    assert report.run.verdicts == {tiny.NODE: "error", "test_new.py::test_new": "error"}
    commit = project.git("rev-parse", "HEAD")[:12]
    assert f"commit {commit} cannot be measured" in report.texts[tiny.KEY]
    lacks = f"commit {commit} cannot be measured: it does not have this check"
    assert lacks in report.texts["test_new"]
    assert not project.worktrees()


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


# --- sources of the other version: modules of one project, so that two runs show them all

RUNS_HELPER = """\
import importlib.util as util
SPEC = util.spec_from_file_location('helper', HELPER)
def load():
    SPEC.loader.exec_module(util.module_from_spec(SPEC))
"""
ASKS = """\
import pathlib, select, socket, subprocess, sys, time

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
                while not select.select([connection], [], [], 0)[0]:
                    pass  # it works for its answers: one that waits has no other trial beside it
                yield [1, 2] if connection.recv(1) else None
"""
HIDDEN = tiny.PACED.replace(
    "    for ",
    "    import subprocess, sys\n"
    "    subprocess.Popen([sys.executable, '-Ic', 'import time; time.sleep(600)'])\n    for ",
    1,
)
WRITES = tiny.PACED.replace("    for ", "    open(__file__, 'a').write('#')\n    for ", 1)
READS = """\
import os
from pathlib import Path

import paced

TOP = {top}

def test_{name}(loaderperf):
    exec((TOP / "pace.txt").read_text())
    loaderperf.check(paced.Paced())
"""
PLACES = ("at_import", "in_the_test")


def _check(name: str, code: str, place: str = "") -> str:
    """A module whose check runs code at its top or, in that place, in the test."""
    check = tiny.CHECK.replace("test_paced", f"test_{name}")
    if place == "in_the_test":
        return check.replace("    ", f"    {code}\n    ", 1)
    return f"{code}\n{check}"


@dataclass(frozen=True)
class Proven:
    """Runs before and after files changed, of checks that are called as their modules are."""

    project: Project
    installed: Path
    before: Run
    after: Report

    def text(self, name: str) -> str:
        """What an error of a check says."""
        assert self.after.run.verdicts[f"test_{name}.py::test_{name}"] == "error", self.after.run
        return self.after.texts[f"test_{name}"]


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Proven:
    folder = tmp_path_factory.mktemp("proven")
    root, installed = folder / "project", folder / "installed"
    helper = RUNS_HELPER.replace("HELPER", repr(str(root / "lib/helper.py")))
    with socket.create_server(("127.0.0.1", 0)) as free:
        asks = ASKS.format(port=free.getsockname()[1])
    checks = {
        "runs_at_import": f"{helper}load()\n" + _check("runs_at_import", ""),
        "runs_in_the_test": helper + _check("runs_in_the_test", "load()", "in_the_test"),
        **{f"copy_{place}": _check(f"copy_{place}", "import package", place) for place in PLACES},
        **{
            name: _check(name, f"import {name} as paced").replace("import paced\n", "")
            for name in ("asks", "hidden", "writes")
        },
        "reads": READS.format(top=f"Path({str(root)!r})", name="reads"),
        "reads_own": READS.format(top="Path(__file__).parent", name="reads_own"),
    }
    project = tiny.create(root, asks=asks, server=tiny.SERVER, hidden=HIDDEN, writes=WRITES)
    project.write(**{f"test_{name}": text for name, text in checks.items()})
    for name, text in (
        ("lib/helper.py", ""), ("src/package/__init__.py", ""), ("pace.txt", "pace = 1\n"),
    ):  # fmt: skip
        project.put(name, text)
    Project(installed).put("package/__init__.py", "")
    tiny.accept(project, *(f"test_{name}.py::test_{name}" for name in checks))
    before = project.pytest("--loaderperf", "test_reads.py")
    project.put("pace.txt", "pace = 2\n")
    project.write(server=tiny.SERVER.replace("0.002", "0.004"))
    path = {"PYTHONPATH": str(installed)}
    after = tiny.report(project, "--loaderperf", environment=path, timeout=600)
    return Proven(project, installed, before, after)


class TestProof:
    @pytest.mark.parametrize("place", PLACES)
    def test_baseline_that_runs_a_file_of_the_working_tree_is_an_error(
        self, proven: Proven, place: str
    ) -> None:
        commit = proven.project.git("rev-parse", "HEAD")[:12]
        text = proven.text(f"runs_{place}")
        assert f"commit {commit} ran lib/helper.py (helper) from the working tree" in text
        assert "by its absolute path" in text

    @pytest.mark.parametrize("place", PLACES)
    def test_copy_of_the_project_on_the_path_is_an_error(self, proven: Proven, place: str) -> None:
        text = proven.text(f"copy_{place}")
        copy = proven.installed / "package/__init__.py"
        assert f"ran {copy} (package), and not src/package/__init__.py" in text
        assert "pip install -e ." in text

    def test_server_of_one_version_that_serves_the_other_is_an_error(self, proven: Proven) -> None:
        """Both are as slow as the one that has started first."""
        verdict = proven.after.run.verdicts["test_asks.py::test_asks"]
        if verdict in ("regressed", "inconclusive"):
            return  # so busy is the machine that they ran one after the other: each had its own
        says = "in a pair of trials only one version ran server.py, which has changed"
        assert says in proven.text("asks")

    def test_python_that_shows_nothing_is_an_error(self, proven: Proven) -> None:
        text = proven.text("hidden")
        assert "started a Python that does not show which files it runs" in text
        assert "-Ic import time" in text

    def test_loader_that_writes_into_its_sources_is_an_error(self, proven: Proven) -> None:
        assert "writes.py was changed while it was measured" in proven.text("writes")

    def test_baseline_that_reads_what_has_changed_from_the_working_tree(
        self, proven: Proven
    ) -> None:
        verdict = proven.before.verdicts["test_reads.py::test_reads"]
        assert verdict in ("unchanged", "inconclusive"), proven.before.output
        says = "read pace.txt from the working tree, where it has changed"
        assert says in proven.text("reads")

    def test_each_version_reads_its_own_file(self, proven: Proven) -> None:
        verdict = proven.after.run.verdicts["test_reads_own.py::test_reads_own"]
        assert verdict in ("unchanged", "inconclusive"), proven.after.run.output


def test_absolute_path_in_a_conftest_is_no_harm(tmp_path: Path) -> None:
    root = tmp_path / "project"
    checks = {
        f"test_{place}": _check(place, "import lib_paced", place)
        .replace("paced.Paced", "lib_paced.Paced")
        for place in PLACES
    }  # fmt: skip
    inserts = f"import sys\nsys.path.insert(0, {str(root / 'lib')!r})\n"
    project = tiny.create(root, conftest=inserts)
    project.write(**checks)
    project.put("lib/lib_paced.py", tiny.PACED)
    nodes = [f"{name}.py::{name}" for name in checks]
    tiny.accept(project, *nodes)
    project.put("lib/lib_paced.py", tiny.PACED.replace("0.002", "0.004"))
    run = project.pytest("--loaderperf")
    assert run.verdicts == dict.fromkeys(nodes, "regressed"), run.output


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
