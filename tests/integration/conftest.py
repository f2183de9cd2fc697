"""Projects for the integration tests; the accepted one is measured once and then cloned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

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


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """No process that a test started is left behind."""
    before = {process.pid for process in psutil.process_iter()}
    yield
    left = [
        process
        for process in psutil.process_iter()
        if process.pid not in before and _is_ours(process)
    ]
    assert not left, [process.cmdline() for process in left]


def _is_ours(process: psutil.Process) -> bool:
    try:
        return "pytest_loaderperf.arm" in process.cmdline()
    except psutil.Error:
        return False
