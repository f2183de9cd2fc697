"""A run that is ended while it measures leaves nothing behind, and no file half-written."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from integration import tiny
from integration.project import Project, clean_environment, leftovers, processes
from pytest_loaderperf.baselines import store as baselines

# A loader with a worker process that would stay; each trial that has started it leaves a sign.
TELLING = "import os\n" + tiny.PACED.replace(
    "    for ",
    """\
    if not os.fork():
        time.sleep(600)
    open(f"{os.environ['SIGNS']}/{os.getpid()}", "w").close()
    for """,
)
SECONDS = 10.0  # for all to end


@dataclass(frozen=True)
class Running:
    """A run that is measuring, with its private temporary folder."""

    process: subprocess.Popen[str]
    temporary: Path
    signs: Path
    results: Path

    def wait_for_trials(self, count: int) -> None:
        """Wait until so many trials have been started."""
        wait_until(lambda: len(list(self.signs.iterdir())) >= count, 60)

    def wait_for_processes_to_end(self) -> None:
        wait_until(lambda: not processes(str(self.temporary)), SECONDS)

    def ended(self) -> str:
        """The output, when the run has ended."""
        return self.process.communicate(timeout=SECONDS)[0]


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.fixture
def temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lp-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that compares with a commit: both arms are measured side by side."""
    project = tiny.create(tmp_path / "project", paced=TELLING, test_it=tiny.CHECK)
    tiny.accept(project)
    return project


@contextlib.contextmanager
def started(project: Project, temporary: Path, *arguments: str) -> Iterator[Running]:
    signs = project.root.parent / "signs"
    signs.mkdir()
    results = project.root.parent / "results.json"
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", f"--loaderperf-json={results}", *arguments],
        cwd=project.root,
        env={**clean_environment(), "TMPDIR": str(temporary), "SIGNS": str(signs)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # as a job of a shell: its group gets what Ctrl-C sends
    ) as process:
        try:
            yield Running(process, temporary, signs, results)
        finally:
            process.kill()


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
        wait_until(lambda: any_is_frozen(temporary), 60)
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


def any_is_frozen(temporary: Path) -> bool:
    statuses = []
    for process in processes(str(temporary)):
        with contextlib.suppress(psutil.Error):
            statuses.append(process.status())
    return psutil.STATUS_STOPPED in statuses


def assert_nothing_is_left(project: Project, running: Running) -> None:
    assert not leftovers(str(running.temporary))
    assert len(project.git("worktree", "list").splitlines()) == 1
    assert project.git("status", "--porcelain") == ""
