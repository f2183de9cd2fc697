"""Projects for the integration tests; the accepted one is measured once and then cloned."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from integration import tiny
from integration.project import Project


@pytest.fixture(scope="session")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose baselines are measured and committed."""
    project = Project.create(tmp_path_factory.mktemp("accepted") / "project")
    run = project.pytest("--loaderperf-update")
    assert run.status == 0, run.output
    project.commit("accept the baselines")
    return project


@pytest.fixture
def project(accepted: Project, tmp_path: Path) -> Project:
    """A fresh clone of the accepted project."""
    return accepted.clone(tmp_path / "project")


@pytest.fixture(scope="session")
def measuring(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project without git that leaves a file where anything is measured."""
    root = tmp_path_factory.mktemp("measuring") / "project"
    telling = tiny.PACED.replace("    for ", "    open('measured', 'w').close()\n    for ")
    return tiny.create(root, git=False, paced=telling, test_it=tiny.CHECK)


@pytest.fixture(autouse=True)
def _nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No process that a test started is left behind: each inherits a mark of its own."""
    mark = str(uuid.uuid4())
    monkeypatch.setenv("INTEGRATION_TEST", mark)
    yield
    left = [process for process in psutil.process_iter() if _has_mark(process, mark)]
    assert not left, [process.cmdline() for process in left]


def _has_mark(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get("INTEGRATION_TEST") == mark
    except psutil.Error:
        return False
