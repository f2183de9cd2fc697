"""Two branches that accept different checks of one file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pytest_loaderperf.baselines import store
from pytest_loaderperf.baselines.store import Entry, Record, Stored
from pytest_loaderperf.model.workload import Workload
from support import tiny
from support.project import Project

CHECKS = ("test_a", "test_c", "test_e", "test_g")


def entry(throughput: float) -> Entry:
    metrics = {
        "throughput": Stored(value=throughput, spread=0.01),
        "peak_memory": Stored(value=6e6, spread=0.01),
        "first_batch": Stored(value=0.002, spread=0.01),
        "cpu_time": Stored(value=1e-5, spread=0.01),
    }
    versions = {"numpy": "2.4.6", "torch": "2.14.1"}
    return Entry(
        workload=Workload(batch="list[int, ...]", bytes_per_sample=8.0),
        records={"a machine": Record(metrics=metrics, versions=versions)},
    )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose baselines are on its main branch."""
    project = tiny.create(tmp_path / "project")
    tiny.accept(project, *(f"test_it.py::{name}" for name in CHECKS))
    project.git("branch", "theirs")
    return project


def accept(project: Project, branch: str, **accepted: float) -> Path:
    """Accept these throughputs on a branch."""
    project.git("checkout", "-q", branch)
    path = store.store_path(project.root, "test_it.py")
    entries = {**store.load(path), **{name: entry(each) for name, each in accepted.items()}}
    store.save(path, entries)
    project.commit(f"accept {', '.join(accepted)}")
    return path


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"test_a": 1.0}, {"test_c": 2.0}),  # neighbours
        ({"test_a": 1.0}, {"test_g": 2.0}),
        ({"test_b": 1.0}, {"test_f": 2.0}),  # new ones
        ({"test_b": 1.0}, {"test_c": 2.0}),
        ({"test_a": 1.0}, {"test_z": 2.0}),  # a new last one
    ],
)
def test_branches_merge(project: Project, ours: dict[str, float], theirs: dict[str, float]) -> None:
    path = accept(project, "theirs", **theirs)
    before = store.load(accept(project, "main", **ours))
    project.git("merge", "-q", "-m", "merge", "theirs")
    merged = store.load(path)
    assert merged == {**before, **{name: entry(each) for name, each in theirs.items()}}


def test_two_that_accept_the_same_check_are_in_conflict_and_told_so(project: Project) -> None:
    accept(project, "theirs", test_a=1.0)
    accept(project, "main", test_a=2.0)
    with pytest.raises(subprocess.CalledProcessError):
        project.git("merge", "-q", "-m", "merge", "theirs")
    run = project.pytest("--loaderperf")
    assert run.status == 1
    assert "is the mark of a merge conflict; resolve it" in run.output
