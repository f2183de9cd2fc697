"""Workers note their CPU time whenever they have made a batch.

So the coordinator can tell what they have made that nobody has taken yet (``measure/in_flight``).
"""

from __future__ import annotations

import os
import struct
import tempfile
import time
from collections.abc import Mapping
from typing import Any

from ..loaders.kinds import Collate
from ..protocol.messages import Mark, Span
from ..system.cpus import cpu_seconds_of

_MARK = struct.Struct("=qd")


class Marking:
    """A ``collate_fn`` that notes the CPU time of its process after every batch.

    The marks of all workers end up in one file: a write of a few bytes to its end is atomic.
    """

    def __init__(self, collate: Collate, path: str) -> None:
        self._collate = collate
        self._path = path
        self._file = -1

    def __call__(self, samples: Any) -> Any:
        """Make a batch of samples."""
        batch = self._collate(samples)
        if self._file < 0:
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        os.write(self._file, _MARK.pack(os.getpid(), time.process_time()))
        return batch

    def __reduce__(self) -> tuple[type[Marking], tuple[Collate, str]]:
        """For workers that are not forked."""
        return Marking, (self._collate, self._path)


class Workers:
    """The workers that make a loader's batches, and what they have noted."""

    def __init__(self) -> None:
        self._file = tempfile.NamedTemporaryFile(prefix="made-")  # noqa: SIM115  (its life)
        self._alive: set[int] = set()
        self._marks: list[Mark] = []

    def marking(self, collate: Collate) -> Collate:
        """Have workers note the batches that they make with a ``collate_fn``."""
        if isinstance(collate, Marking):  # of a loader that has been followed before
            return collate
        return Marking(collate, self._file.name)

    def cpu_seconds(self) -> dict[int, float]:
        """CPU time of every living worker that has made a batch."""
        self._read()
        used = {pid: cpu_seconds_of(pid) for pid in self._alive}
        self._alive = {pid for pid, seconds in used.items() if seconds}
        return {pid: used[pid] for pid in self._alive}

    def new_marks(self) -> list[Mark]:
        """The marks that have come since this was asked last."""
        self._read()
        new, self._marks = self._marks, []
        return new

    def _read(self) -> None:
        data = self._file.read()
        # The loop may use the loader's collate_fn as well.
        new = [(pid, used) for pid, used in _MARK.iter_unpack(data) if pid != os.getpid()]
        self._marks += new
        self._alive |= {pid for pid, _ in new}


def spans(began: Mapping[int, float], ended: Mapping[int, float]) -> list[Span]:
    """The spans of the workers that lived all through a stretch."""
    return [(pid, used, ended[pid]) for pid, used in began.items() if pid in ended]
