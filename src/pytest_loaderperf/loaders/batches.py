"""What is kept of the first batches of a loader, and the workload that follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import LoaderError
from ..model.batch_kinds import Node, merge
from ..model.workload import Workload
from . import nbytes
from .counting import Path, Tally, SampleCounter, possible_readings, readings, settle
from .outlines import outline, settled

__tracebackhide__ = True  # pytest shows a failure from the test on, and in the loader itself


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


def settled_path(
    looks: Sequence[Look], batch_size: int | None, samples_per_epoch: int | None
) -> Path:
    """Which part of a batch tells its samples, where nobody else counts them."""
    told = [each.readings for each in looks]
    return settle(told, batch_size, samples_per_epoch) if any(told) else ()


def workload(looks: Sequence[Look], path: Path, samples_per_epoch: int | None) -> Workload:
    """The workload that some batches are examples of."""
    size = sum(each.size for each in looks)
    samples = [each.counted(path) for each in looks]
    if sum(samples) < 1:
        raise LoaderError("the first batches of the loader hold no sample")
    kinds = [settled(each.outline, count) for each, count in zip(looks, samples, strict=True)]
    return Workload(
        batch=str(merge(kinds)),
        bytes_per_sample=round(size / sum(samples), 1),
        samples_per_epoch=samples_per_epoch,
    )


def signature(batch: Any) -> str:
    """Types, nesting and shapes of a batch: ``tuple[float32[*,3,256,256], int64[*]]``."""
    told = possible_readings(batch)
    return str(settled(outline(batch), told[0].count if told else 0))
