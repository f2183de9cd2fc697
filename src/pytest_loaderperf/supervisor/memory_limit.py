"""Ends a trial that takes more memory than it may, before the machine swaps or kills at random."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import Protocol

from ..errors import LoaderError
from ..model.metrics import MemoryLimit
from ..system.cgroups import Memory
from ..system.smaps import used_by_tree

_EVERY = 0.05  # seconds between looks at what the machine has left: two cores fill 0.3 GB
# A look at every page of a tree takes the tree's own time, a second of a large one. So a trial is
# looked at when half of what it had left to its limit has gone since the last time; and no sooner
# than this many times what a look takes.
_GROWN = 0.5
_REST = 2
_FLOOR = 0.1  # of the machine's memory: below that the largest trial ends, whatever its limit


class Watched(Protocol):
    """A trial."""

    pid: int

    def end_for(self, needed: float, limit: float | None) -> None:
        """End at once, having used so many bytes; without a limit, the machine has no more."""


@dataclass(kw_only=True)
class _Seat:
    """What is known of a trial under the ceiling."""

    trial: Watched
    available: float  # bytes, when it was looked at
    before: float  # that it had when it started: what a fresh process has imported
    limit: float
    left: float  # to its limit, when it was looked at
    rested: float = 0.0  # when it is time for a look again


class Ceiling:
    """Watches the trials that run, in a thread of its own.

    What the machine has left is looked at all the time, since that is cheap; a trial only while so
    much has gone that it may have passed its limit.
    """

    def __init__(self, limit: MemoryLimit) -> None:
        self._limit = limit
        self._memory = Memory()
        self._floor = _FLOOR * self._memory.total
        self._seats: dict[int, _Seat] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, trial: Watched) -> None:
        """Watch a trial that has just been started, and has not used anything yet."""
        available = self._memory.available
        with self._lock:
            limit = self._limit.of(available)
            self._seats[trial.pid] = _Seat(
                trial=trial, available=available, before=_used(trial), limit=limit, left=limit
            )
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="loaderperf-ceiling", daemon=True
            )
            self._thread.start()

    def forget(self, trial: Watched) -> None:
        """Watch it no longer: from now on its number may be another process's."""
        with self._lock:
            self._seats.pop(trial.pid, None)

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(_EVERY):
            if self._seats:
                self.look()

    def look(self) -> None:
        """Look once, and end whatever has passed its limit."""
        available = self._memory.available
        scarce = available < self._floor
        with self._lock:
            now = time.monotonic()
            seats = [
                seat
                for seat in self._seats.values()
                if scarce or (now > seat.rested and seat.available - available > _GROWN * seat.left)
            ]
            used = {seat.trial.pid: _grown(seat, available) for seat in seats}
            over = [seat for seat in seats if used[seat.trial.pid] > seat.limit]
            for seat in over:
                self._end(seat, used[seat.trial.pid], seat.limit)
            if scarce and seats and not over:
                largest = max(seats, key=lambda seat: used[seat.trial.pid])
                self._end(largest, used[largest.trial.pid], None)

    def _end(self, seat: _Seat, used: float, limit: float | None) -> None:
        del self._seats[seat.trial.pid]
        seat.trial.end_for(used, limit)


def _grown(seat: _Seat, available: float) -> float:
    """What a trial has taken since it started, in bytes."""
    started = time.monotonic()
    grown = max(0.0, _used(seat.trial) - seat.before)
    now = time.monotonic()
    seat.rested = now + _REST * (now - started)
    seat.available, seat.left = available, max(0.0, seat.limit - grown)
    return grown


def _used(trial: Watched) -> float:
    with contextlib.suppress(LoaderError):  # this kernel does not tell
        tree = used_by_tree(trial.pid)
        return float(tree.anonymous + tree.shared)
    return 0.0
