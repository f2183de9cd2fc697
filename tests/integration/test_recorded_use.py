"""What a check uses is recorded when its baseline is accepted, and spares it measuring later."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import tiny
from support.project import Project
from support.tiny import SOON, USUAL

LOADING = """\
import importlib, multiprocessing, time
from pathlib import Path

def work(queue):
    name = (Path(__file__).parent / "data" / "kind.txt").read_text().strip()
    module = importlib.import_module(name)
    for each in range(60):
        queue.put([module.VALUE, each])
    queue.put(None)

class Loader:
    def __iter__(self):
        context = multiprocessing.get_context("spawn")
        queue = context.Queue(4)
        worker = context.Process(target=work, args=(queue,), daemon=True)
        worker.start()
        while (batch := queue.get()) is not None:
            time.sleep(0.002)
            yield batch
        worker.join()
"""
CHECK = """\
import loading

def test_it(loaderperf):
    loaderperf.check(loading.Loader())
"""
FILES = {
    "data/kind.txt": "readers_quick\n",
    "readers_quick.py": "import inner\nVALUE = inner.VALUE\n",
    "inner.py": "VALUE = 1\n",
    "spare.py": "VALUE = 1\n",
}
STORE = "baselines/test_it.json"
ENDLESS = """\
import subprocess
import paced

class Started(paced.Paced):
    def __iter__(self):
        subprocess.run(["true"], check=True)
        return paced.paced(self.batches)

def test_endless(loaderperf):
    loaderperf.check(paced.Paced())

def test_started(loaderperf):
    loaderperf.check(Started(100))
"""


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose check was accepted by a run, and committed."""
    root = tmp_path_factory.mktemp("accepted") / "project"
    project = tiny.create(root, git=True, test_it=CHECK, loading=LOADING)
    for name, text in FILES.items():
        project.put(name, text)
    project.commit("a loader")
    run = project.pytest("--loaderperf-update", environment=USUAL)
    assert run.status == 0, run.output
    project.commit("accept")
    return root


@pytest.fixture
def project(accepted: Path, tmp_path: Path) -> Project:
    return Project(Path(shutil.copytree(accepted, tmp_path / "project", symlinks=True)))


def change_record(project: Project, change: Callable[[dict[str, Any]], None]) -> None:
    """Commit the store with another record, beside which nothing changes."""
    document = json.loads((project.root / STORE).read_text())
    change(document)
    project.put(STORE, json.dumps(document))
    project.commit("another record")


def records(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["checks"]["test_it"]["records"]
    return found


def check(project: Project, *arguments: str, **variables: str) -> dict[str, Any]:
    run = project.pytest("--loaderperf", *SOON, *arguments, environment={**USUAL, **variables})
    (found,) = run.results["checks"]
    return dict(found)


def test_what_its_processes_used_is_recorded(project: Project) -> None:
    document = json.loads((project.root / STORE).read_text())
    ((_, record),) = records(document).items()
    assert document["format"] == 2
    used = ["data/kind.txt", "inner.py", "loading.py", "pytest.ini", "readers_quick.py"]
    assert record["used"]["files"] == [*used, "test_it.py"]
    assert record["used"]["folders"] == []


def test_a_module_that_it_does_not_use_is_no_reason(project: Project) -> None:
    project.append("spare.py", "# Another text.\n")
    found = check(project)
    assert found["verdict"] == "identical", found
    assert "not used when it was accepted: spare.py" in found["reason"]
    assert found["notes"] == [f"not measured: {found['reason']}"]


@pytest.mark.parametrize("file", ["inner.py", "readers_quick.py", "data/kind.txt"])
def test_what_a_worker_uses_is(project: Project, file: str) -> None:
    project.append(file, "\n")
    found = check(project)
    assert found["verdict"] == "error", found  # it was measured, for too short a time
    assert found["reason"] == f"{file} differs, and was used when its baseline was accepted"


@pytest.mark.parametrize("how", ["new", "renamed", "link"])
def test_other_changes_of_modules_are(project: Project, how: str) -> None:
    if how == "new":
        project.put("extra.py", "")
    elif how == "renamed":
        (project.root / "spare.py").rename(project.root / "spares.py")
    else:
        (project.root / "spare.py").unlink()
        (project.root / "spare.py").symlink_to("inner.py")
    assert "may be run" in check(project)["reason"]


def test_a_module_that_the_environment_names_is(project: Project) -> None:
    project.append("spare.py", "# Another text.\n")
    assert check(project, READER="spare")["reason"] == "spare.py differs, and may be run"


def test_a_record_of_other_files_than_were_committed_proves_nothing(project: Project) -> None:
    project.append("inner.py", "# Not what was measured.\n")
    project.git("commit", "-q", "-a", "--amend", "-m", "accept, with another module")
    project.append("spare.py", "# Another text.\n")
    reason = check(project)["reason"]
    assert reason.startswith("spare.py differs, and may be run (the record of what it uses is of ")
    assert "other files than commit" in reason


def test_a_record_of_another_python_proves_nothing(project: Project) -> None:
    def change(document: dict[str, Any]) -> None:
        ((machine, record),) = [*records(document).items()]
        document["checks"]["test_it"]["records"] = {machine.replace("Python 3", "Python 2"): record}

    change_record(project, change)
    project.append("spare.py", "# Another text.\n")
    assert "another kind of machine" in check(project)["reason"]


def test_a_record_of_other_packages_proves_nothing(project: Project) -> None:
    def change(document: dict[str, Any]) -> None:
        for record in records(document).values():
            record["versions"] = {"numpy": "1.0"}

    change_record(project, change)
    project.append("spare.py", "# Another text.\n")
    assert "another kind of machine" in check(project)["reason"]


def test_a_record_of_another_cpu_proves_nothing_of_who_computes_names(project: Project) -> None:
    """As that of the module that the worker imports."""

    def change(document: dict[str, Any]) -> None:
        ((machine, record),) = [*records(document).items()]
        document["checks"]["test_it"]["records"] = {f"Another {machine}": record}

    change_record(project, change)
    project.append("spare.py", "# Another text.\n")
    assert "another kind of machine" in check(project)["reason"]


def test_a_file_without_a_record_is_read_as_before(project: Project) -> None:
    def change(document: dict[str, Any]) -> None:
        document["format"] = 1
        for record in records(document).values():
            del record["used"]

    change_record(project, change)
    same = check(project)
    assert same["verdict"] == "identical", same
    project.append("spare.py", "# Another text.\n")
    assert check(project)["reason"] == "spare.py differs, and may be run"


def test_what_nobody_can_see_is_not_recorded(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=True, test_it=ENDLESS)
    project.commit("loaders")
    run = project.pytest("--loaderperf-update", environment=USUAL)
    assert run.status == 0, run.output
    assert json.loads((project.root / STORE).read_text())["format"] == 1
    notes = {each["nodeid"]: " ".join(each["notes"]) for each in run.results["checks"]}
    assert "not recorded: its epochs do not end" in notes["test_it.py::test_endless"]
    assert "not recorded: it starts true" in notes["test_it.py::test_started"]
