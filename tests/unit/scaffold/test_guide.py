"""What is said to somebody who has no check yet, or has the first one."""

from __future__ import annotations

import ast
import textwrap

import pytest

from pytest_loaderperf.scaffold import guide
from pytest_loaderperf.scaffold.examples import EXAMPLES, KINDS
from pytest_loaderperf.scaffold.seen import Overview
from pytest_loaderperf.session import discovery

FILE = "tests/perf/test_train_loader.py"


@pytest.mark.parametrize("framework", EXAMPLES)
def test_an_example_is_a_check_that_the_text_shows(framework: str) -> None:
    text = EXAMPLES[framework]
    written = discovery.parse(text.encode()).written
    assert written is not None
    assert len(written) == 1
    assert not framework or framework in text
    assert KINDS.keys() == EXAMPLES.keys()
    assert all(len(line) <= 96 for line in text.splitlines())


@pytest.mark.parametrize("framework", EXAMPLES)
def test_the_example_fits_the_framework_and_can_be_copied(framework: str) -> None:
    seen = Overview(frameworks={framework: 3} if framework else {})
    lines = guide.no_checks(seen, FILE, "pytest", git=True)
    text = "\n".join(lines)
    assert f"Write it to {FILE}:" in text
    assert ("import torch" in text) is (framework == "torch")
    assert not framework or f"import {framework} (3 files)" in text
    start = next(i for i, line in enumerate(lines) if line.endswith(f"{FILE}:")) + 1
    copied = "\n".join(lines[start : lines.index("Then type:")])
    assert textwrap.dedent(copied).strip() == EXAMPLES[framework].strip()
    ast.parse(textwrap.dedent(copied))
    assert all(len(line) <= 100 for line in lines)
    assert "    pytest --loaderperf-init=package.module:make_loader" in lines


def test_the_commands_are_those_to_type() -> None:
    lines = guide.no_checks(Overview(frameworks={}), FILE, "pytest", git=True)
    start = lines.index("Then type:") + 2
    assert lines[start : start + 3] == [
        "    pytest --loaderperf-update",
        f"    git add {FILE} baselines && git commit -m 'Guard the loaders'",
        "    pytest --loaderperf",
    ]
    below = guide.no_checks(Overview(frameworks={}), FILE, "pytest", git=True, root="../a b")
    assert any(line.endswith(f"Write it to ../a b/{FILE}:") for line in below)
    assert below[below.index("Then type:") + 2 :][:4] == ["    cd '../a b'", *lines[start:][:3]]
    without = guide.no_checks(Overview(frameworks={}), FILE, "pytest", git=False)
    assert not any("git" in line for line in without)


def test_functions_of_the_project_are_offered_first() -> None:
    makers = tuple(f"photos:make_{name}_loader" for name in "abcd")
    lines = guide.no_checks(Overview(frameworks={}, makers=makers), FILE, "pytest", git=True)
    assert lines[3:6] == [f"    pytest --loaderperf-init={each}" for each in makers[:3]]
    assert not any("package.module" in line for line in lines)


def test_a_first_check_is_to_be_committed() -> None:
    told = guide.accepted([FILE, "a b.json"], ["cd ..", "pytest --loaderperf"], "x", git=True)
    assert told == [
        f"Commit it:      git add {FILE} 'a b.json' && git commit -m 'Guard x'",
        "From then on:   cd .. && pytest --loaderperf",
    ]
    alone = guide.accepted([FILE], ["pytest --loaderperf"], "x", git=False)
    assert alone[0].endswith("git init && git add --all && git commit -m 'Guard x'")


def test_a_first_check_that_fails_is_to_be_changed() -> None:
    (line,) = guide.failed(FILE, f"pytest {FILE} --loaderperf-update")
    assert line.endswith(f"then type: pytest {FILE} --loaderperf-update")
    assert "pytest --loaderperf" in guide.elsewhere(["tests/unit"], "pytest")[0]
