"""The examples that a project without checks gets: each is a check that can be measured."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from pytest_loaderperf.scaffold.examples import EXAMPLES
from support import tiny


@pytest.mark.parametrize("framework", EXAMPLES)
def test_the_example_of_a_framework_is_measured(tmp_path: Path, framework: str) -> None:
    if framework and importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    project = tiny.create(tmp_path / "project", git=False, test_it=EXAMPLES[framework])
    run = project.pytest("--loaderperf", "--loaderperf-budget=4")
    assert [*run.verdicts.values()] == ["no_baseline"], run.output
