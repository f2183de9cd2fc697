"""What is kept of the first batches of a loader, and the workload that follows from them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import LoaderError
from ..model.batch_kinds import Node, merge
from ..model.workload import Workload
from . import nbytes
from .adapter import Loader
from .counting import Path, SampleCounter, Tally, possible_readings, readings, settle
from .outlines import outline, settled

__tracebackhide__ = True  # pytest shows a failure from the test on, and in the loader itself

LOOKS = 8  # batches to look at in each trial: where they differ, the workload varies
_EXAMINED = 1000  # batches at most, where what a few show is not enough


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is kept of a batch that was looked at; ``size`` in bytes.

    Where the test or the loader's kind counts its samples, there are no ``readings``.
    """

    outline: Node
    size: int
    samples: int = 0
    readings: Sequence[Tally] = ()

    def counted(self, path: Path) -> int:
        """How many samples it has, read by a path if nobody else counts them."""
        if not self.readings:
            return self.samples
        found = (each.count for each in self.readings if each.path == path)
        return next(found, self.readings[0].count)


def look(batch: Any, count: SampleCounter | None = None, *, first: bool = True) -> Look:
    """Look at a batch; LoaderError where the ``first`` one of a loader cannot be counted."""
    told: Sequence[Tally] = ()
    if count is None:
        told = readings(batch) if first else possible_readings(batch)
    return Look(
        outline=outline(batch),
        size=nbytes.size(batch),
        samples=count(batch) if count else 0,
        readings=told,
    )


def settled_path(looks: Sequence[Look], loader: Loader) -> Path:
    """Which part of a batch tells its samples, where nobody else counts them."""
    told = [each.readings for each in looks]
    return settle(told, loader.batch_size, loader.samples_per_epoch) if any(told) else ()


def workload(looks: Sequence[Look], path: Path, samples_per_epoch: int | None) -> Workload:
    """The workload that some batches are examples of."""
    seen = _Seen(path)
    for each in looks:
        seen.add(each)
    return seen.workload(samples_per_epoch)


def examined(loader: Loader, count: SampleCounter | None, seconds: float) -> Workload:
    """The workload of many batches, of as many epochs as so many seconds hold."""
    end = time.monotonic() + seconds
    epochs = (loader.start() for _ in range(_EXAMINED))
    batches = itertools.islice(itertools.chain.from_iterable(epochs), _EXAMINED)
    looks = [look(next(batches, None), count)]
    looks += [look(each, count, first=False) for each in itertools.islice(batches, LOOKS - 1)]
    seen = _Seen(settled_path(looks, loader))
    for each in looks:
        seen.add(each)
    for batch in batches:
        seen.add(look(batch, count, first=False))
        if time.monotonic() > end:
            break
    return seen.workload(loader.samples_per_epoch)


class _Seen:
    """What batches were like that were looked at; each look itself is not kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kinds: set[Node] = set()
        self._size = self._samples = 0

    def add(self, one: Look) -> None:
        samples = one.counted(self._path)
        self._kinds.add(settled(one.outline, samples))
        self._samples += samples
        self._size += one.size

    def workload(self, samples_per_epoch: int | None) -> Workload:
        if self._samples < 1:
            raise LoaderError("the first batches of the loader hold no sample")
        return Workload(
            batch=str(merge(sorted(self._kinds, key=str))),
            bytes_per_sample=round(self._size / self._samples, 1),
            samples_per_epoch=samples_per_epoch,
        )


def signature(batch: Any) -> str:
    """Types, nesting and shapes of a batch: ``tuple[float32[*,3,256,256], int64[*]]``."""
    told = possible_readings(batch)
    return str(settled(outline(batch), told[0].count if told else 0))
