"""Packages of the baseline by a requirements file, and the one that made a loader slower."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pytest_loaderperf.environments.contents import Environment
from pytest_loaderperf.environments.making import Environments
from support import tiny
from support.project import Project
from support.wheels import asking, wheel

PAUSE = "import time\ndef pause():\n    time.sleep({})\n"
# So much that no machine is too noisy for the answer.
CHECK = """\
import shutil
import sys
from pathlib import Path
import pytest
import pausing

# What is started by its name is the Python of each side.
assert Path(shutil.which("python")).parent == Path(sys.executable).parent

def rows():
    while True:
        pausing.pause()
        yield [1, 2]

@pytest.mark.loaderperf(throughput="20%", peak_memory="50%", budget=16)
def test_paced(loaderperf):
    loaderperf.check(rows)
"""
NAMES = ("before", "pausing")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for version, seconds in (("1", 0.002), ("2", 0.004)):
        for name in NAMES:
            wheel(folder, name, version, PAUSE.format(seconds) if name == "pausing" else "")
    return folder


@pytest.fixture(scope="module")
def today(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The environment of the runs: that of the tests, with these packages over it."""
    root = tmp_path_factory.mktemp("today")
    file = root / "requirements.txt"
    file.write_text(asking(wheels, *(f"{name}==2" for name in NAMES)))
    environments = Environments(root)
    return environments.of(environments.read(file, file.name), lambda _: None)


@pytest.fixture(scope="module")
def project(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One whose check was accepted with older packages than those of today."""
    project = tiny.create(tmp_path_factory.mktemp("packages") / "project", test_it=CHECK)
    old = [f"{name}==1" for name in NAMES]
    project.put("requirements.txt", asking(wheels, *old, "-e .", "pytest-loaderperf==0.0.1"))
    tiny.accept(project)
    return project


def by(today: Environment, **variables: str) -> dict[str, Any]:
    """How pytest is run in an environment, as if that had been activated."""
    programs = str(Path(today.python).parent)
    path = os.pathsep.join((programs, os.environ["PATH"]))
    return {"command": (today.python, "-m", "pytest"), "environment": {"PATH": path, **variables}}


def test_the_package_that_made_it_slower_is_named(project: Project, today: Environment) -> None:
    options = ("--loaderperf-baseline-requirements=accepted", "--loaderperf-blame")
    run = project.pytest("--loaderperf", *options, **by(today))
    (check,) = run.results["checks"]
    assert check["verdict"] == "regressed", run.output
    assert 0.4 < check["metrics"]["throughput"]["ratio"] < 0.65
    assert check["packages"] == {"pausing": ["1", "2"]}
    assert check["distributions"] == {"before": ["1", "2"], "pausing": ["1", "2"]}
    commit = project.git("rev-parse", "HEAD")[:12]
    label = f"requirements.txt of commit {commit}"
    assert f"packages of {label}: before 1 -> 2, pausing 1 -> 2" in check["notes"]

    # What is not as the file says it is told before anything is measured.
    told = run.output[: run.output.index("= FAILURES =")]
    assert f"the baseline has the packages of {label}, of which 2 differ" in told
    assert "asks for pytest-loaderperf==0.0.1: both sides are measured with" in told
    assert f"left out of {label}: -e ." in told

    blame = check["blame"]
    assert blame["suspects"] == [{"package": "pausing", "change": "1 -> 2"}], run.output
    assert blame["packages"] == 2
    assert [step["up_to"] for step in blame["steps"]] == ["pausing", "before"]
    assert 0.4 < blame["lost"]["throughput"]["ratio"] < 0.65
    assert "made worse by pausing 1 -> 2 (2 of 2 packages tried): throughput 0." in run.output
    assert not project.worktrees()


def test_packages_that_change_nothing_are_no_loss(
    project: Project, today: Environment, wheels: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old.txt"
    old.write_text(asking(wheels, "before==1"))
    options = (f"--loaderperf-baseline-requirements={old}", "--loaderperf-blame")
    run = project.pytest("--loaderperf", *options, **by(today, **tiny.USUAL))
    (check,) = run.results["checks"]
    assert check["verdict"] == "unchanged", run.output  # and measured, although no source differs
    # Beside each other: what was stored is of other packages.
    assert check["metrics"]["peak_memory"]["ratios"]
    assert check["blame"] is None
    assert f"the same for both, since {old} does not ask for it: pausing" in check["notes"]
    assert f"packages of {old}: before 1 -> 2" in check["notes"]


@pytest.mark.parametrize(
    ("text", "asked", "says"),
    [
        ("--no-index\nnowhere==1\n", "{}/old.txt", ["old.txt cannot be installed", "nowhere==1"]),
        ("", "accepted:none.txt", ["has no none.txt", "accepted:PATH"]),
    ],
    ids=["fails", "lacks"],
)
def test_packages_that_cannot_be_had_are_an_error(
    project: Project, today: Environment, tmp_path: Path, text: str, asked: str, says: list[str]
) -> None:
    (tmp_path / "old.txt").write_text(text)
    option = f"--loaderperf-baseline-requirements={asked.format(tmp_path)}"
    report = tiny.report(project, "--loaderperf", option, **by(today))
    assert report.checks[tiny.KEY]["verdict"] == "error"
    for part in says:
        assert part in report.texts[tiny.KEY]
    assert not project.worktrees()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--loaderperf-baseline-requirements=none.txt"], ["none.txt cannot be read", "uv.lock"]),
        (["--loaderperf-baseline-requirements={}/empty.txt"], ["empty.txt asks for no package"]),
        (["--loaderperf-blame"], ["--loaderperf-baseline-requirements=FILE"]),
        (
            ["--loaderperf-baseline-requirements=accepted", "--loaderperf-against=stored"],
            ["--loaderperf-baseline-requirements=accepted", "stored numbers"],
        ),
        (
            ["--loaderperf-baseline-requirements=accepted", "--loaderperf-selftest"],
            ["gives the baseline other packages", "--loaderperf-selftest"],
        ),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    project: Project, tmp_path: Path, arguments: list[str], says: list[str]
) -> None:
    (tmp_path / "empty.txt").write_text("# nothing\n")
    tiny.assert_usage_error(project, *(each.format(tmp_path) for each in arguments), says=says)
