"""What else a machine does while trials run: other processes, steal, pressure, pauses.

A pair is spoiled where that hit one side alone. The rule looks at what others did and never at
what the pair says, so that to repeat such a pair cannot favour an outcome.
"""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

from ..model.results import Noise
from ..system import cpus

# Others may take so much more of the CPUs from one side of a pair than from the other one.
_UNFAIR = 0.1
# Whoever looks at a trial at least every half second, and comes so much too late (seconds), was
# stopped: with the trial, as when a machine is suspended, or without it.
_LATE = 1.0
_PRESSURES = ("cpu", "memory", "io")
_PRESSURE = re.compile(r"^some .*\btotal=(\d+)", re.MULTILINE)


class Watch:
    """Follows what others take of the CPUs while one trial runs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._cpus = cpus.usable_cpus()
        self._seconds = self._taken_by_others = 0.0
        self._running = False
        self._started = self._seen = self._before = 0.0
        self.paused = False

    def start(self) -> None:
        """The trial runs from now on."""
        self._before = self._now()
        self._running = True
        self._started = self._seen = time.perf_counter()

    def tick(self) -> None:
        """Whoever waits for the trial is awake, as every half second."""
        now = time.perf_counter()
        self.paused |= self._running and now - self._seen > _LATE
        self._seen = now

    def stop(self) -> None:
        """The trial does not run any more; what it did before the first start is left out."""
        self.tick()
        if self._running:
            self._seconds += self._seen - self._started
            self._taken_by_others += self._now() - self._before
        self._running = False

    @property
    def external_load(self) -> float:
        """The share of the CPUs that others took, steal included."""
        given = self._seconds * len(self._cpus)
        return max(0.0, self._taken_by_others / given) if given else 0.0

    def _now(self) -> float:
        own = cpus.cpu_seconds(self._pid) + time.process_time()
        return cpus.machine_seconds(self._cpus).taken - own


def unfair(candidate: float, baseline: float) -> bool:
    """Whether others took clearly more from one side of a pair than from the other one."""
    return abs(candidate - baseline) > _UNFAIR


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What a machine has counted so far, in seconds; a pressure is None where it is not counted."""

    clock: float
    steal: float
    pressure: dict[str, float | None]

    @classmethod
    def now(cls) -> Moment:
        """The counters as they are."""
        steal = cpus.machine_seconds(cpus.usable_cpus()).steal
        return cls(
            clock=time.perf_counter(),
            steal=steal,
            pressure={name: _pressure(name) for name in _PRESSURES},
        )


def between(before: Moment, after: Moment, others: tuple[float, float], *, spoiled: bool) -> Noise:
    """The noise of a pair that was measured between two moments.

    ``others`` is what others took of the CPUs while the candidate ran, and the baseline.
    """
    seconds = after.clock - before.clock
    pressure: dict[str, float | None] = {}
    for name, first in before.pressure.items():
        last = after.pressure[name]
        pressure[name] = None if first is None or last is None else (last - first) / seconds
    steal = (after.steal - before.steal) / (seconds * len(cpus.usable_cpus()))
    return Noise(
        seconds=seconds,
        candidate=others[0],
        baseline=others[1],
        steal=steal,
        pressure=pressure,
        spoiled=spoiled,
    )


def parse_pressure(text: str) -> float | None:
    """The seconds in which some task had to wait, of a file in ``/proc/pressure``."""
    found = _PRESSURE.search(text)
    return int(found[1]) / 1e6 if found else None


def _pressure(name: str) -> float | None:
    with contextlib.suppress(OSError):  # no Linux, or one that does not count it
        return parse_pressure(Path(f"/proc/pressure/{name}").read_text())
    return None
