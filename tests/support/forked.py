"""Runs of pytest that are forked from a process in which there has been one before.

``python -m pytest`` spends more than a second on what it imports, and tests start hundreds of runs.
A run differs from one that a shell starts only by having that already: whatever it starts itself,
arms above all, are new processes.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

import pytest

from support.environment import PLAIN

# It never calls its fixture, and so ends as soon as all is imported.
CHECK = "def test_it(loaderperf): pass\n"
# What an interpreter reads of its environment only as it starts.
AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_")


def at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a process must have from its start."""
    return {name: value for name, value in environment.items() if name.startswith(AT_START)}


class Forks:
    """A process that forks for each run."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.at_start = at_start(environment)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=Path(__file__).parents[1],
            env={**self.at_start, "PATH": environment["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self._process.communicate)

    def run(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        timeout: float | None,
    ) -> tuple[int, str]:
        """Status (negative: the signal that ended it) and output of ``pytest`` with arguments.

        Raises:
            TimeoutError: It took more seconds than that, and was killed.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory() as written:
            outputs = [Path(written, name) for name in ("stdout", "stderr")]
            run = {
                "arguments": arguments,
                "folder": str(folder),
                "environment": dict(environment),
                "outputs": list(map(str, outputs)),
                "timeout": timeout or 0,
            }
            print(json.dumps(run), file=self._process.stdin, flush=True)
            status, is_late = json.loads(self._process.stdout.readline())
            output = "".join(path.read_text("utf-8") for path in outputs)
        if is_late:
            raise TimeoutError(f"pytest {' '.join(arguments)}: more than {timeout} s\n{output}")
        return status, output


def main() -> None:
    """Fork for each line of the input, and say how that run has ended."""
    _warm_up()
    for line in sys.stdin:
        run = json.loads(line)
        if pid := os.fork():
            print(json.dumps(_await(pid, run["timeout"])), flush=True)
        else:
            _become(**run)
            break


def _warm_up() -> None:
    """Run pytest once, with its output out of the way."""
    here, spoken = Path.cwd(), os.dup(1)
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        Path(folder, "test_it.py").write_text(CHECK)
        os.chdir(folder)
        tempfile.tempdir = folder  # with a lock of its own
        os.dup2(nowhere.fileno(), 1)
        status = pytest.main(["--loaderperf", *shlex.split(PLAIN)])
        importlib.import_module("scipy.special")  # what a first decision imports
        os.dup2(spoken, 1)
        os.chdir(here)
    os.close(spoken)
    assert status == 1, status
    gc.freeze()


def _await(pid: int, timeout: float) -> tuple[int, bool]:
    """Its status, and whether it was killed because it took more than so many seconds."""
    is_late = False

    def kill(number: int, frame: FrameType | None) -> None:
        nonlocal is_late
        is_late = True
        os.kill(pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, kill)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    _, status = os.waitpid(pid, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return os.waitstatus_to_exitcode(status), is_late


def _become(
    *,
    arguments: Sequence[str],
    folder: str,
    environment: Mapping[str, str],
    outputs: Sequence[str],
    timeout: float,
) -> None:
    """Be ``python -m pytest`` in a folder."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, path in enumerate([os.devnull, *outputs]):
        opened = os.open(path, writing if number else os.O_RDONLY)
        os.dup2(opened, number)
        os.close(opened)
    tempfile.tempdir = None
    sys.argv = ["pytest", *arguments]
    sys.path[0] = folder
    runpy.run_module("pytest", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
