"""Metrics of epochs and of training steps, of loaders that start, end and wait by a known time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from support import tiny
from support.project import Project, Run

# Epochs of 100 batches, each 2 ms, which take so long to start.
STARTING = """\
import time
from paced import Paced

class Starting(Paced):
    def __iter__(self):
        time.sleep(START)
        yield from Paced(100)
"""
EPOCHS = """\
import pytest
import starting

@pytest.mark.loaderperf(metrics=["epoch_overhead"])
def test_paced(loaderperf):
    perf = loaderperf(starting.Starting())
    assert perf.epoch_overhead <= perf.baseline.epoch_overhead
    assert perf.epoch_overhead <= "5 s"
"""
STEPS = """\
import pytest
import paced

@pytest.mark.loaderperf(step_time="6ms", metrics=["stall"])
def test_paced(loaderperf):
    perf = loaderperf(paced.Paced())
    assert perf.stall <= perf.baseline.stall
"""
# A thread works ahead: batches are there before anybody asks.
AHEAD = """\
import queue, threading
import paced as slow

class Paced:
    def __iter__(self):
        ready = queue.Queue(8)
        def fill():
            for batch in slow.Paced():
                ready.put(batch)
        threading.Thread(target=fill, daemon=True).start()
        while True:
            yield ready.get()
"""


def starting(seconds: float) -> str:
    return STARTING.replace("START", str(seconds))


def test_a_slower_start_of_epochs_is_a_regression(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", starting=starting(0.2), test_it=EPOCHS)
    tiny.accept(project)
    project.write(starting=starting(0.6))
    run = project.pytest("--loaderperf", "--loaderperf-budget=16")
    assert run.verdicts == {tiny.NODE: "regressed"}, run.output
    overhead = run.results["checks"][0]["metrics"]["epoch_overhead"]
    # Three times as much. What each is by the clock of this machine, which oversleeps now and then
    # in the batches that are taken off, is loose.
    assert 2 < overhead["ratio"] < 4
    assert 0.3 < overhead["value"] < 1.2
    assert re.search(r"epoch_overhead regressed: \d+(\.\d+)? m?s, baseline", run.output), run.output


def test_epochs_that_never_end_have_no_overhead(tmp_path: Path) -> None:
    check = EPOCHS.replace("starting.Starting()", "starting.Paced()")
    # As if the limit were shorter.
    conftest = "import pytest_loaderperf.measure.epochs as epochs\nepochs._LONGEST = 1.0\n"
    project = tiny.create(
        tmp_path / "project", git=False, starting=starting(0), test_it=check, conftest=conftest
    )
    run = project.pytest("--loaderperf")
    assert run.verdicts == {tiny.NODE: "error"}
    assert (
        "epoch_overhead cannot be told: an epoch takes more than 1 s, or never ends" in run.output
    )


# Modules of one project: of one the loader gets slower, of one it works ahead from now on, and one
# does not say how long a step is.
WITHOUT = STEPS.replace('step_time="6ms", ', "")


@pytest.fixture(scope="module")
def stepping(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = tiny.create(tmp_path_factory.mktemp("stepping") / "project", test_ahead=STEPS)
    project.write(
        slower=tiny.PACED, test_slower=STEPS.replace("import paced", "import slower as paced")
    )
    project.write(test_without=WITHOUT)
    # The third one is measured once, without a baseline.
    tiny.accept(project, "test_ahead.py::test_paced", "test_slower.py::test_paced")
    project.write(slower=tiny.PACED.replace("0.002", "0.004"))
    project.write(ahead=AHEAD, test_ahead=STEPS.replace("import paced", "import ahead as paced"))
    return project


@pytest.fixture(scope="module")
def steps(stepping: Project) -> tuple[Run, dict[str, dict[str, Any]]]:
    """A run in which the ini file says how long steps are, and what it says of each stall."""
    run = stepping.pytest(
        "--loaderperf", "--loaderperf-budget=16", "-o", "loaderperf_step_time=6ms"
    )
    found = {check["nodeid"]: check["metrics"]["stall"] for check in run.results["checks"]}
    return run, {name.removesuffix(".py::test_paced"): stall for name, stall in found.items()}


def test_a_step_that_waits_longer_is_a_regression(steps: tuple[Run, dict[str, Any]]) -> None:
    run, stalls = steps
    assert run.verdicts["test_slower.py::test_paced"] == "regressed", run.output
    stall = stalls["test_slower"]
    assert 0.35 < stall["value"] < 0.5  # 4 ms of 10 ms
    assert 0.2 < stall["baseline"] < 0.33  # 2 ms of 8 ms
    assert stall["unit"] == "of time"


def test_a_loader_that_works_ahead_does_not_stall(steps: tuple[Run, dict[str, Any]]) -> None:
    run, stalls = steps
    assert run.verdicts["test_ahead.py::test_paced"] == "improved", run.output
    assert stalls["test_ahead"]["value"] < 0.02


def test_steps_need_a_length(stepping: Project, steps: tuple[Run, dict[str, Any]]) -> None:
    missing = stepping.pytest("--loaderperf", "test_without.py")
    assert missing.verdicts == {"test_without.py::test_paced": "error"}
    assert "stall needs the length of a training step" in missing.output
    assert "step_time='50ms'" in missing.output
    run, stalls = steps
    assert 0.2 < stalls["test_without"]["value"] < 0.4, run.output


@pytest.mark.parametrize("step", ["0ms", "often", "-1"])
def test_a_step_of_no_length_is_refused(stepping: Project, step: str) -> None:
    tiny.assert_usage_error(stepping, f"--loaderperf-step-time={step}", says=["step-time", step])
