"""Reads what the processes of a trial have written down of where they were.

See ``child/loaderperf_stacks.py`` for the format.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from ..child.loaderperf_stacks import MAIN
from ..measure.waits import Clock
from ..protocol.messages import Stretch

_PACKAGE = f"/{__name__.partition('.')[0]}/"
_DRIVER = f"{_PACKAGE}arm/driver.py"
_STANDARD_LIBRARY = re.compile(r"/python3\.\d+t?/(?!site-packages/|dist-packages/)|^<")
# Modules of the standard library in which a thread waits for other threads or processes of its own.
# Whoever has work for it, or none, is seen where that is done.
_IDLE = re.compile(
    r"/(threading|queue|selectors|multiprocessing/(queues|connection|synchronize|managers|popen_\w+)"
    r"|concurrent/futures/\w+)\.py$"
)
# Those that wait for others with their help: another program, or a network.
_NOT_IDLE = re.compile(r"/(subprocess|socket|ssl|http/client)\.py$")
# But whoever listens has no work: each worker of torch's has a thread that hands over descriptors.
_LISTENER = re.compile(r"/multiprocessing/connection\.py$")


@dataclass(frozen=True, kw_only=True)
class Call:
    """A function that is being run, and the line of it that is."""

    file: str
    function: str
    line: int


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a thread did for some seconds, as far as it was awake and its trial timed.

    Of these it used the CPU for ``cpu_seconds``. ``gone`` is how much of the time was over then
    that its trial timed, from 0 to 1. The outermost call comes first.
    """

    gone: float
    seconds: float
    cpu_seconds: float
    in_worker: bool
    calls: tuple[Call, ...]

    @property
    def idle(self) -> bool:
        """Whether it had nothing to do but wait for other threads or processes of its loader."""
        files = [call.file for call in self.calls]
        if not files or self.cpu_seconds >= self.seconds / 2:
            return False
        if self.calls[-1].function.endswith("accept") and any(map(_LISTENER.search, files[-3:])):
            return True
        inner = [file for file in files[-4:] if _STANDARD_LIBRARY.search(file)]
        return bool(_IDLE.search(files[-1])) and not any(map(_NOT_IDLE.search, inner))


def read(
    folder: Path, stretches: Sequence[Stretch], suspended: Sequence[Stretch] = ()
) -> list[Sample]:
    """The samples of a trial from some stretches of time, by a clock that was ``suspended``."""
    clock, timed = Clock(suspended), _Timed(stretches)
    found: list[Sample] = []
    for path in sorted(folder.iterdir()):
        threads, stacks = _parsed(path)
        is_main = path.name.startswith(MAIN)
        calls = {number: of_loader(stack) for number, stack in stacks.items()}
        elsewhere = {number for number, stack in stacks.items() if _is_elsewhere(stack)}
        for times in threads:
            for (before, *_), (now, used, number) in pairwise(times):
                gone, seconds = timed(clock(now)), clock(now) - clock(before)
                if gone is None or seconds <= 0 or (is_main and number in elsewhere):
                    continue
                found.append(
                    Sample(
                        gone=gone,
                        seconds=seconds,
                        cpu_seconds=min(used, seconds),
                        in_worker=not is_main,
                        calls=calls.get(number, ()),
                    )
                )
    return found


_Times = list[tuple[float, float, int]]  # of one thread: time, CPU time, stack


def _parsed(path: Path) -> tuple[list[_Times], dict[int, tuple[Call, ...]]]:
    """The samples of each thread of a process, and its stacks."""
    threads: dict[int, _Times] = {}
    stacks: dict[int, tuple[Call, ...]] = {}
    for line in parsed(path):
        if len(line) == 2:
            number, calls = line
            stacks[number] = tuple(
                Call(file=file, function=function, line=at) for file, function, at in calls
            )
        else:
            time, thread, used, number = line
            threads.setdefault(thread, []).append((time, used, number))
    return list(threads.values()), stacks


def parsed(path: Path) -> Iterator[list[Any]]:
    """The lines of JSON that a process has written."""
    for line in path.read_text("utf-8", "replace").splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # the process was killed while it wrote
            return


def _is_elsewhere(stack: Sequence[Call]) -> bool:
    """Whether a trial is setting up, or answers."""
    files = [call.file for call in stack]
    return any(_PACKAGE in file for file in files) and not any(f.endswith(_DRIVER) for f in files)


def of_loader(stack: Sequence[Call]) -> tuple[Call, ...]:
    """The calls within a loader: not those of this package, nor what lies around them."""
    driven = [index for index, call in enumerate(stack) if call.file.endswith(_DRIVER)]
    inside = stack[driven[-1] + 1 :] if driven else stack
    return tuple(call for call in inside if _PACKAGE not in call.file)


class _Timed:
    """How much of the time was over at a moment that stretches take together; None between them."""

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self._stretches = stretches
        self._starts = [began for began, _ in stretches]
        self._until = [0.0, *accumulate(ended - began for began, ended in stretches)]

    def __call__(self, at: float) -> float | None:
        index = bisect_right(self._starts, at) - 1
        if index < 0 or at > self._stretches[index][1]:
            return None
        return (self._until[index] + at - self._starts[index]) / self._until[-1]
