"""A kind of loader as its users have it: counted, and guarded in a project of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kinds import probe
from pytest_loaderperf.model.workload import Workload
from support import tiny
from support.project import Run

ROWS = 105  # of a loader that is counted: with batches of 10 the last one is a partial one
_SECONDS = 0.001  # that a row takes in a project, and twice that when it is slowed

CHECKS = """\
import pathlib
import loaders
import pace
import pytest

def check(loaderperf, seconds):
    perf = loaderperf(loaders.NAME(pathlib.Path(pace.FOLDER), pace.ROWS, seconds))
    assert perf.throughput >= perf.baseline.throughput

@pytest.mark.loaderperf(metrics=["throughput"])
def test_unchanged(loaderperf):
    check(loaderperf, pace.UNCHANGED)

@pytest.mark.loaderperf(metrics=["throughput"])
def test_slowed(loaderperf):
    check(loaderperf, pace.SLOWED)
"""


def needs(*modules: str) -> pytest.MarkDecorator:
    """Skips a module of tests where a package is not installed; it is not imported here."""
    missing = [module for module in modules if not _is_installed(module)]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package that would hold it
        return False


def look(folder: Path, source: str, names: Sequence[str], rows: int = ROWS) -> dict[str, Any]:
    """What loaders of some names tell about themselves, and what they deliver."""
    (folder / "loaders.py").write_text(source, "utf-8")
    data = folder / f"data-{rows}"
    data.mkdir(exist_ok=True)
    finished = subprocess.run(
        [sys.executable, str(probe.__file__), str(folder), str(data), str(rows), *names],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    found: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return found


@dataclass(frozen=True)
class Guarded:
    """A run in which one of two checks got a loader that takes twice as long."""

    run: Run

    def result(self, check: str) -> Any:
        """What the results file says of a check."""
        return next(c for c in self.run.results["checks"] if c["nodeid"].endswith(check))


def guard(folder: Path, source: str, name: str, rows: int, budget: int = 20) -> Guarded:
    """Accept a loader, slow it down for one of two checks, and run the guard."""
    facts = look(folder, source, [name], rows)[name]
    root = folder / "project"
    project = tiny.create(
        root, loaders=source, test_it=CHECKS.replace("NAME", name), pace=_pace(folder, rows, 1)
    )
    project.put("pytest.ini", f"[pytest]\nloaderperf_budget = {budget}\n")
    # Where both versions are measured, the numbers of a baseline do not count.
    checks = ("test_it.py::test_unchanged", "test_it.py::test_slowed")
    workload = Workload(**facts["workload"])
    tiny.accept(project, *checks, metrics=["throughput"], workload=workload)
    project.write(pace=_pace(folder, rows, 2))
    return Guarded(project.pytest("--loaderperf", timeout=12 * budget))


def assert_guarded(guarded: Guarded) -> None:
    """What is unchanged passes, what takes twice as long fails."""
    unchanged, slowed = guarded.result("test_unchanged"), guarded.result("test_slowed")
    output = guarded.run.output
    assert unchanged["outcome"] == "passed", output
    assert unchanged["verdict"] in ("unchanged", "inconclusive"), output
    assert (slowed["verdict"], slowed["outcome"]) == ("regressed", "failed"), output
    assert slowed["metrics"]["throughput"]["ratio"] < 0.75


def _pace(folder: Path, rows: int, factor: int) -> str:
    return (
        f"FOLDER = {str(folder / f'data-{rows}')!r}\nROWS = {rows}\n"
        f"UNCHANGED = {_SECONDS}\nSLOWED = {factor * _SECONDS}\n"
    )
