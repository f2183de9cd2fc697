"""What workers have made that nobody has taken yet, which no count of batches taken can see.

A stretch of time begins and ends with batches half made, or made and waiting. Over a few large
batches that scatters a rate far more than the machine does; but what is missing from the count
shows in the CPU time of the workers, as soon as it is known how much of it a batch costs. That is
known exactly between two batches that were awaited from one worker: when such a batch comes, its
worker has just finished it (docs/verdicts.md).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any

from .messages import Slice
from .process import cpu_seconds_of

__tracebackhide__ = True  # pytest shows a failure in the loader itself

_END = object()
_AWAITED = 0.05  # of the mean time between batches
# Below so many busy CPUs workers wait for something else than the loop, such as a disk: what they
# have made does not show in their CPU time.
_BUSY = 0.5
_KNOWN = 4  # batches whose CPU time is known: the mean of fewer is chance


@dataclass(frozen=True)
class Taken:
    """A batch of an epoch: how long it was waited for, and its worker's CPU time by then."""

    position: int  # in its epoch, from 0
    waited: float  # seconds
    cpu_seconds: float


@dataclass(frozen=True)
class Spell:
    """Whole batches that one worker made, and its CPU time for them."""

    batches: int
    seconds: float


class Workers:
    """The workers of one epoch after another, which make its batches in turn."""

    def __init__(self) -> None:
        self._pids: Sequence[int] = ()
        self._taken: list[Taken] = []
        self._known: list[Spell] = []  # in earlier epochs

    def follow(self, epoch: Iterator[Any], pids: Sequence[int]) -> Iterator[Any]:
        """Turn to a new epoch and its workers: pass its batches on, and note how each has come."""
        self._known += spells(self._taken, len(self._pids))
        self._pids, self._taken = pids, []
        return self._passed_on(epoch) if pids else epoch

    def cpu_seconds(self) -> float:
        """CPU time of all workers."""
        return sum(map(cpu_seconds_of, self._pids))

    def cost(self) -> Cost:
        """What a batch costs, as far as it is known exactly."""
        return cost([*self._known, *spells(self._taken, len(self._pids))])

    def _passed_on(self, epoch: Iterator[Any]) -> Iterator[Any]:
        for position in count():
            waiting = time.perf_counter()
            batch = next(epoch, _END)
            if batch is _END:
                return
            waited = time.perf_counter() - waiting
            pid = self._pids[position % len(self._pids)]
            self._taken.append(Taken(position, waited, cpu_seconds_of(pid)))
            yield batch


@dataclass(frozen=True)
class Cost:
    """CPU time of batches; ``variance`` is that of its mean, as a part of the mean's square."""

    batches: int = 0
    seconds: float = 0.0
    variance: float = 0.0


def cost(made: Sequence[Spell]) -> Cost:
    """What batches cost that were made in some spells."""
    batches = sum(each.batches for each in made)
    seconds = sum(each.seconds for each in made)
    if len(made) < 2 or not seconds:
        return Cost()
    squares = sum((each.seconds - each.batches * seconds / batches) ** 2 for each in made)
    return Cost(batches, seconds, squares * len(made) / (len(made) - 1) / seconds**2)


@dataclass(frozen=True)
class Made:
    """How many batches were made; ``variance`` is of its logarithm, as far as it is a guess."""

    batches: float
    variance: float = 0.0


def batches_made(taken: Slice, last: Slice, at_most: int) -> Made:
    """Batches that workers made while a slice was timed: those taken, and what they made ahead.

    ``last`` is the last slice of the trial, which knows most of what a batch costs; no more than
    ``at_most`` batches can be ahead.
    """
    waiting = taken.worker_seconds < _BUSY * taken.seconds
    if waiting or last.known_batches < _KNOWN:
        return Made(taken.batches)
    made = taken.worker_seconds * last.known_batches / last.known_seconds
    made = min(max(made, taken.batches - at_most), taken.batches + at_most)
    return Made(made, last.known_variance)


def spells(taken: Sequence[Taken], workers: int) -> list[Spell]:
    """What each worker made between two batches that were awaited from it, one after the other."""
    if not taken:
        return []
    awaited = _AWAITED * sum(each.waited for each in taken) / len(taken)
    of_worker: dict[int, list[Taken]] = defaultdict(list)
    for each in taken:
        if each.waited > awaited:
            of_worker[each.position % workers].append(each)
    return [
        Spell((last.position - first.position) // workers, last.cpu_seconds - first.cpu_seconds)
        for batches in of_worker.values()
        for first, last in pairwise(batches)
    ]
