"""Baselines of tests that are gone: told in every run, removed on demand and never by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_loaderperf.baselines import store
from support import tiny
from support.project import Project
from support.tiny import KEY, NODE

GONE = "test_it.py::test_gone"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a baseline of a test that it does not have."""
    project = tiny.create(tmp_path / "project", git=False)
    tiny.accept(project, NODE, GONE, commit=False)
    return project


def test_a_stale_baseline_is_told_and_kept(project: Project) -> None:
    run = project.pytest("--loaderperf", "-k", "nothing_of_that_name")
    says = "baselines/test_it.json: no test any more: test_gone; "
    says += "to remove them: pytest --loaderperf-prune"
    assert says in run.output
    assert set(kept(project)) == {KEY, "test_gone"}


def test_pruning_removes_it_and_measures_nothing(project: Project) -> None:
    run = project.pytest("--loaderperf-prune")
    assert run.status == 0, run.output
    assert "removed from baselines/test_it.json: no test any more: test_gone" in run.output
    assert run.results["checks"] == []
    assert set(kept(project)) == {KEY}
    assert "no test any more" not in project.pytest("--loaderperf-prune").output


@pytest.mark.parametrize(
    "arguments", [("-k", "paced"), ("test_it.py",), ("--deselect", NODE), ("--lf",)]
)
def test_an_incomplete_collection_prunes_nothing(
    project: Project, arguments: tuple[str, ...]
) -> None:
    run = project.pytest("--loaderperf-prune", *arguments)
    assert run.status == 4
    assert "--loaderperf-prune needs a complete collection" in run.output
    assert set(kept(project)) == {KEY, "test_gone"}


def test_a_module_that_does_not_import_prunes_nothing(project: Project) -> None:
    project.write(test_it="import nothing_of_that_name\n" + tiny.CHECK)
    run = project.pytest("--loaderperf-prune")
    assert run.status == 2, run.output
    assert set(kept(project)) == {KEY, "test_gone"}


def test_a_store_that_cannot_be_written_is_told_and_kept(project: Project) -> None:
    # As on a full disk. (A read-only folder stops nobody who is root.)
    project.write(conftest="import os\n\ndef full(_):\n    raise OSError(28, 'No space left')\n\n"
                           "os.fsync = full\n")  # fmt: skip
    run = project.pytest("--loaderperf-prune")
    assert run.status == 4, run.output
    assert "the baselines cannot be written and are unchanged: No space left" in run.output
    assert set(kept(project)) == {KEY, "test_gone"}


def kept(project: Project) -> store.Entries:
    return store.load(project.root / "baselines/test_it.json")
