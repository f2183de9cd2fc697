"""Moves what a process allocates next to other places of its heap.

Where large buffers begin within a page makes a process up to 13 % faster or slower than its twin:
decoding and scaling a photograph took 2.26 to 2.59 ms, as it happened (benchmarks/layout.py). It
is settled by the free blocks that a trial inherits from its arm: all trials of an arm share it, so
that more pairs of the same two arms do not average it out. Throw-away blocks of random sizes,
changed several times in every trial, in its workers too, turn it into noise inside each trial.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import signal
import time
from collections.abc import Callable

# Small blocks move what Python allocates, large ones the buffers of images and batches: how many,
# and the bytes of the smallest and the largest.
_SIZES = ((50, 16, 8 * 2**10), (16, 64 * 2**10, 2**20))

# A shuffle takes 0.12 ms, and moves buffers to places that no cache knows: one every tenth of a
# second slowed photos down by some 2 % in workers, which shuffle while they are timed; one before
# every 60 ms slowed a tokenizer down by 0.6 %. So many seconds lie between two of them.
_SECONDS = 0.2
_WORKER_SECONDS = 0.5


class Heap:
    """The throw-away blocks of this process."""

    def __init__(self) -> None:
        # A generator of its own: the test's random numbers stay as the test has seeded them.
        self._random = random.Random()  # noqa: S311  (no secret)
        self._malloc, self._free = _allocator()
        self._blocks: list[object] = []
        self._shuffled_at = float("-inf")

    def shuffle_when_due(self, seconds: float = _SECONDS) -> None:
        """Shuffle, unless the last time is less than so many seconds ago."""
        if time.monotonic() - self._shuffled_at >= seconds:
            self.shuffle()

    def shuffle(self) -> None:
        """Allocate anew, then let the old blocks go."""
        sizes = [self._random.randint(low, top) for count, low, top in _SIZES for _ in range(count)]
        # A worker may be resumed while it is at this, and do it then as well: no block may be freed
        # twice, or forgotten.
        old, self._blocks = self._blocks, []
        new = [self._malloc(size) for size in sizes]
        self._blocks += new
        for block in old:
            self._free(block)
        self._shuffled_at = time.monotonic()

    def shuffle_workers(self) -> None:
        """Do the same in every process that this one forks, and now and then when it is resumed."""
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._shuffle_worker)

    def _shuffle_worker(self) -> None:
        self._random.seed()  # else all workers would go on with the numbers of their parent
        self.shuffle()
        # SIGCONT comes at the start of every turn. Whoever handles it himself is left alone.
        with contextlib.suppress(ValueError):  # not in the main interpreter
            if signal.getsignal(signal.SIGCONT) == signal.SIG_DFL:
                signal.signal(signal.SIGCONT, self._resumed)
                signal.siginterrupt(signal.SIGCONT, False)  # system calls go on as without it

    def _resumed(self, *_: object) -> None:
        self.shuffle_when_due(_WORKER_SECONDS)


def _allocator() -> tuple[Callable[[int], object], Callable[[object], object]]:
    """The C library's, which gives memory without touching it; else Python's."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # Windows
        library = ctypes.CDLL(None)
        malloc, free = library.malloc, library.free
        malloc.argtypes, malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
        free.argtypes, free.restype = [ctypes.c_void_p], None
        return malloc, free
    return bytearray, lambda _: None
