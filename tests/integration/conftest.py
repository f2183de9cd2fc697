"""Fixtures of the integration tests: no process may be left, and a project to misconfigure."""

from __future__ import annotations

import pytest

from support import tiny
from support.project import Project


@pytest.fixture(autouse=True)
def _nothing_is_left(nothing_is_left: None) -> None:
    """Of any test here."""


@pytest.fixture(scope="session")
def measuring(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project without git that leaves a file where anything is measured."""
    root = tmp_path_factory.mktemp("measuring") / "project"
    telling = tiny.PACED.replace("    for ", "    open('measured', 'w').close()\n    for ")
    return tiny.create(root, git=False, paced=telling, test_it=tiny.CHECK)
