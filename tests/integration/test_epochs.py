"""Metrics of epochs and of training steps, of loaders that start, end and wait by a known time."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration import tiny
from integration.project import Project

# Epochs of 300 batches, each 2 ms, which take so long to start.
STARTING = """\
import time
from paced import Paced

class Starting(Paced):
    def __iter__(self):
        time.sleep(START)
        yield from Paced(300)
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
    project = tiny.create(tmp_path / "project", starting=starting(0.4), test_it=EPOCHS)
    tiny.accept(project)
    project.write(starting=starting(1.2))
    run = project.pytest("--loaderperf", "--loaderperf-budget=40")
    assert run.verdicts == {tiny.NODE: "regressed"}, run.output
    overhead = run.results["checks"][0]["metrics"]["epoch_overhead"]
    # By the clock of this machine, which may oversleep: at least what was asked for.
    assert 1.19 < overhead["value"] < 1.8
    assert 0.39 < overhead["baseline"] < 0.7
    assert "epoch_overhead regressed: 1." in run.output


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


@pytest.fixture
def stepping(tmp_path: Path) -> Project:
    project = tiny.create(tmp_path / "project", test_it=STEPS)
    tiny.accept(project)
    return project


def test_a_step_that_waits_longer_is_a_regression(stepping: Project) -> None:
    stepping.write(paced=tiny.PACED.replace("0.002", "0.004"))
    run = stepping.pytest("--loaderperf", "--loaderperf-budget=40")
    assert run.verdicts == {tiny.NODE: "regressed"}, run.output
    stall = run.results["checks"][0]["metrics"]["stall"]
    assert 0.35 < stall["value"] < 0.5  # 4 ms of 10 ms
    assert 0.2 < stall["baseline"] < 0.33  # 2 ms of 8 ms
    assert stall["unit"] == "of time"


def test_a_loader_that_works_ahead_does_not_stall(stepping: Project) -> None:
    stepping.write(ahead=AHEAD, test_it=STEPS.replace("import paced", "import ahead as paced"))
    run = stepping.pytest("--loaderperf", "--loaderperf-budget=40")
    assert run.verdicts == {tiny.NODE: "improved"}, run.output
    assert run.results["checks"][0]["metrics"]["stall"]["value"] < 0.02


def test_steps_need_a_length(stepping: Project) -> None:
    stepping.write(test_it=STEPS.replace('step_time="6ms", ', ""))
    run = stepping.pytest("--loaderperf")
    assert run.verdicts == {tiny.NODE: "error"}
    assert "stall needs the length of a training step" in run.output
    assert "step_time='50ms'" in run.output
    run = stepping.pytest(
        "--loaderperf", "-o", "loaderperf_step_time=6ms", "--loaderperf-budget=40"
    )
    stall = run.results["checks"][0]["metrics"]["stall"]
    assert 0.2 < stall["value"] < 0.4, run.output


@pytest.mark.parametrize("step", ["0ms", "often", "-1"])
def test_a_step_of_no_length_is_refused(stepping: Project, step: str) -> None:
    tiny.assert_usage_error(stepping, f"--loaderperf-step-time={step}", says=["step-time", step])
