"""A run that is ended while it measures leaves nothing behind, and no file half-written."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from pytest_loaderperf.baselines import store as baselines
from support import leftovers, tiny
from support.background import Running, started
from support.project import Project

# A loader with a worker process that would stay; each trial that has started it leaves a sign.
TELLING = "import os\n" + tiny.PACED.replace(
    "        time.sleep(0.002)\n",  # one that waits is never frozen
    """\
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass
""",
).replace(
    "    for ",
    """\
    if not os.fork():
        time.sleep(600)
    open(f"{os.environ['SIGNS']}/{os.getpid()}", "w").close()
    for """,
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that compares with a commit: both arms are measured side by side."""
    project = tiny.create(tmp_path / "project", paced=TELLING, test_it=tiny.CHECK)
    tiny.accept(project)
    return project


@pytest.mark.parametrize("trials", [1, 3], ids=["memory", "a pair"])
def test_ctrl_c_ends_everything(project: Project, temporary: Path, trials: int) -> None:
    with started(project, temporary, "--loaderperf") as running:
        running.wait_for_trials(trials)
        os.killpg(running.process.pid, signal.SIGINT)
        output = running.ended()
    assert running.process.returncode == 2, output
    assert "KeyboardInterrupt" in output
    running.wait_for_processes_to_end()
    assert_nothing_is_left(project, running)
    assert json.loads(running.results.read_text())["checks"] == []


def test_sigterm_ends_everything(project: Project, temporary: Path) -> None:
    with started(project, temporary, "--loaderperf") as running:
        running.wait_for_trials(3)
        running.process.terminate()
        output = running.ended()
    assert running.process.returncode == 2, output
    assert "KeyboardInterrupt: SIGTERM" in output
    running.wait_for_processes_to_end()
    assert_nothing_is_left(project, running)


@pytest.mark.parametrize("trials", ["fork", "fresh"])
def test_sigkill_leaves_no_process(project: Project, temporary: Path, trials: str) -> None:
    with started(project, temporary, "--loaderperf", f"--loaderperf-trials={trials}") as running:
        running.wait_for_trials(3)
        freeze(temporary)  # as those are that have no turn
        running.process.kill()
        running.ended()
        running.wait_for_processes_to_end()


def test_interrupted_update_keeps_the_old_baselines(project: Project, temporary: Path) -> None:
    store = baselines.store_path(project.root, "test_it.py")
    before = store.read_bytes()
    update = ("--loaderperf-update=all", "--loaderperf-against=stored")
    with started(project, temporary, *update) as running:
        running.wait_for_trials(7)  # of memory, and of those that make the new numbers
        os.killpg(running.process.pid, signal.SIGINT)
        running.ended()
    assert running.process.returncode == 2
    running.wait_for_processes_to_end()
    assert store.read_bytes() == before
    assert list(store.parent.iterdir()) == [store]
    assert_nothing_is_left(project, running)


def test_interrupted_update_writes_what_was_measured(tmp_path: Path) -> None:
    """The second loader interrupts the run itself: the first one has been measured by then."""
    both = """\
import os, signal
import paced

RUN = os.getppid()  # of the process that imports the tests

def test_first(loaderperf):
    loaderperf.check(paced.Paced())

def interrupting():
    os.kill(RUN, signal.SIGINT)
    yield from paced.Paced()

def test_second(loaderperf):
    loaderperf.check(lambda: interrupting())
"""
    project = tiny.create(tmp_path / "project", git=False, test_it=both)
    run = project.pytest("--loaderperf-update")
    assert run.status == 2, run.output
    assert "loaderperf: written: baselines/test_it.json, 1 check" in run.output
    assert baselines.load(baselines.store_path(project.root, "test_it.py")).keys() == {"test_first"}


def freeze(temporary: Path) -> None:
    """Stop the arms of a run, and all that they have started."""
    frozen = 0
    for process in leftovers.processes_of(temporary):
        with contextlib.suppress(psutil.Error):
            if "pytest_loaderperf.arm" in process.cmdline():
                process.suspend()
                frozen += 1
    assert frozen >= 2  # both arms, which are trials where those are fresh


def assert_nothing_is_left(project: Project, running: Running) -> None:
    assert not leftovers.files(running.temporary)
    assert not project.worktrees()
    assert project.git("status", "--porcelain") == ""
