"""Runs in the background, which tests wait for, interrupt and kill."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import environment, leftovers
from support.project import Project

SECONDS = 10.0  # for all to end


@dataclass(frozen=True)
class Running:
    """A run that goes on, with its private temporary folder."""

    process: subprocess.Popen[str]
    temporary: Path
    signs: Path
    results: Path

    def wait_for_trials(self, count: int) -> None:
        """Wait until so many trials have been started."""
        wait_until(lambda: len(list(self.signs.iterdir())) >= count, 60)

    def wait_for_processes_to_end(self, seconds: float = SECONDS) -> None:
        wait_until(lambda: not leftovers.processes_of(self.temporary), seconds)

    def wait_for_files_to_go(self, seconds: float) -> None:
        wait_until(lambda: not leftovers.files(self.temporary), seconds)

    def ended(self, seconds: float = SECONDS) -> str:
        """The output, when the run has ended."""
        return self.process.communicate(timeout=seconds)[0]


def wait_until(condition: Callable[[], object], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A temporary folder for runs, that tells their processes and has a lock of its own."""
    with tempfile.TemporaryDirectory(prefix="lp-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def started(project: Project, temporary: Path, *arguments: str) -> Iterator[Running]:
    """A run of pytest, killed at the end if it goes on."""
    signs = project.root.parent / "signs"
    signs.mkdir(exist_ok=True)
    results = project.root.parent / "results.json"
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", f"--loaderperf-json={results}", *arguments],
        cwd=project.root,
        env=environment.clean(TMPDIR=str(temporary), SIGNS=str(signs)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # as a job of a shell: its group gets what Ctrl-C sends
    ) as process:
        try:
            yield Running(process, temporary, signs, results)
        finally:
            process.kill()
