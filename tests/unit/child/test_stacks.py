"""What a process writes down of where it is, whenever it is asked; and all that it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_loaderperf import child
from pytest_loaderperf.child.loaderperf_exchange import Exchange
from pytest_loaderperf.child.loaderperf_sources import EXCHANGE, RAN
from pytest_loaderperf.child.loaderperf_stacks import ASK, MAIN, STACKS

CHILD = str(Path(child.__file__).parent)
BUSY = """\
def spin():
    while True:
        pass

def turn():
    spin()
"""
SECONDS = 60.0  # which none of this takes


@contextmanager
def running(folder: Path, code: str) -> Iterator[subprocess.Popen[bytes]]:
    exchange, ran = folder / "exchange", folder / "ran"
    exchange.write_text(Exchange("", "", {}).dump())
    ran.mkdir()
    (folder / "stacks").mkdir()
    (folder / "main.py").write_text(BUSY + code)
    variables = {
        "PYTHONPATH": CHILD,
        EXCHANGE: str(exchange),
        RAN: str(ran),
        STACKS: str(folder / "stacks"),
    }
    with subprocess.Popen([sys.executable, "main.py"], cwd=folder, env=variables) as process:
        try:
            yield process
        finally:
            process.kill()


def asked(folder: Path, pids: list[int], wanted: str) -> list[Any]:
    """Ask until a stack names what is wanted, and then some more; all lines of that process."""
    end = time.monotonic() + SECONDS
    found: list[Any] = []
    while time.monotonic() < end:
        for pid in pids:
            os.kill(pid, ASK)
        time.sleep(0.01)
        for path in (folder / "stacks").iterdir():
            found = [json.loads(line) for line in path.read_text().splitlines()]
            stacks = {line[0] for line in found if len(line) == 2 and wanted in json.dumps(line)}
            if sum(len(line) == 4 and line[3] in stacks for line in found) > 5:
                return found
    raise AssertionError(found)


def calls(lines: list[Any], wanted: str) -> list[tuple[str, int]]:
    """Function and line of the calls of the stack that names this."""
    (stack,) = (line[1] for line in lines if len(line) == 2 and wanted in json.dumps(line[1]))
    return [(function, line) for _, function, line in stack]


def named(lines: list[Any], wanted: str) -> list[Any]:
    numbers = {line[0] for line in lines if len(line) == 2 and wanted in json.dumps(line[1])}
    return [line for line in lines if len(line) == 4 and line[3] in numbers]


def test_a_busy_process_says_where_it_is_and_that_it_uses_its_cpu(tmp_path: Path) -> None:
    with running(tmp_path, "turn()\n") as process:
        lines = asked(tmp_path, [process.pid], "spin")
    names = {function for line in lines if len(line) == 2 for _, function, _ in line[1]}
    assert {"<module>", "turn", "spin"} <= names
    first, *_, last = named(lines, "spin")
    used = sum(line[2] for line in named(lines, "spin")[1:])
    assert 0 < used <= last[0] - first[0]


def test_a_process_that_waits_uses_none(tmp_path: Path) -> None:
    with running(tmp_path, "import time\ndef doze():\n    time.sleep(600)\ndoze()\n") as process:
        lines = asked(tmp_path, [process.pid], "doze")
    assert calls(lines, "doze") == [("<module>", 10), ("doze", 9)]
    waits = named(lines, "doze")
    assert sum(line[2] for line in waits[1:]) < (waits[-1][0] - waits[0][0]) / 2


def test_threads_are_seen_each_with_its_own_cpu_time(tmp_path: Path) -> None:
    code = "import threading\nthreading.Thread(target=turn, daemon=True).start()\n"
    with running(tmp_path, code + "threading.Event().wait(600)\n") as process:
        lines = asked(tmp_path, [process.pid], "spin")
    busy, idle = named(lines, "spin")[1:], named(lines, "wait")[1:]
    assert {line[1] for line in busy}.isdisjoint(line[1] for line in idle)
    assert sum(line[2] for line in busy) > sum(line[2] for line in idle)


START = "    multiprocessing.get_context({method!r}).Process(target=turn, daemon=True).start()\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_that_it_starts_say_so_as_well(tmp_path: Path, method: str) -> None:
    code = (
        "import multiprocessing, sys, time\n"
        "if __name__ == '__main__':\n"
        f"{START.format(method=method)}"
        "    print(multiprocessing.active_children()[0].pid, flush=True, file=open('pid', 'w'))\n"
        "    time.sleep(600)\n"
    )
    with running(tmp_path, code) as process:
        pid = _read(tmp_path / "pid")
        try:
            # One that has no handler yet, since it only starts, ignores the signal.
            lines = asked(tmp_path, [process.pid, pid], "spin")
        finally:
            os.kill(pid, 9)
    assert not named(lines, "sleep")  # it has a file of its own
    if method == "fork":  # what was under way in its parent is no call of its own
        stacks = [line[1] for line in lines if len(line) == 2]
        assert not [f for stack in stacks for _, f, _ in stack if f.endswith("Process.start")]
    (start,) = (
        (line for line in lines if len(line) == 4 and line[3] == -1) if method == "fork" else ([],)
    )
    assert not start or start[2] == 0


def _read(path: Path) -> int:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if path.exists() and (text := path.read_text().strip()):
            return int(text)
        time.sleep(0.01)
    raise AssertionError(path)


def test_nothing_is_written_down_where_nobody_asks(tmp_path: Path) -> None:
    with running(
        tmp_path, "print('done', file=open('done', 'w'))\n turn()\n".replace("\n turn", "\nturn")
    ):
        end = time.monotonic() + SECONDS
        while not (tmp_path / "done").exists() and time.monotonic() < end:
            time.sleep(0.01)
    assert not list((tmp_path / "stacks").iterdir())


def test_the_processes_of_several_ranks_write_files_of_their_own(tmp_path: Path) -> None:
    code = (
        "import os, sys, loaderperf_stacks as stacks\n"
        "stacks.start(sys.argv[1])\n"
        "own = os.path.join(sys.argv[1], f'{stacks.MAIN}-{os.getpid()}')\n"
        "while not os.path.exists(own):\n"
        "    os.kill(os.getpid(), stacks.ASK)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    environment = {"PYTHONPATH": CHILD}
    for _ in range(2):
        subprocess.run(command, env=environment, check=True, timeout=SECONDS)
    assert len([each for each in tmp_path.iterdir() if each.name.startswith(MAIN)]) == 2
