"""Moves what a process allocates next to other places of its heap.

Where buffers lie, in a cache line and to one another, makes one process some per cent faster than
its twin. It is settled by the free blocks that a trial inherits from its arm, and so all trials of
an arm share that luck: photographs through two workers differed by 1 to 6 % between arms of
identical code, always in the same direction between the same two (docs/verdicts.md). Throw-away
blocks of random sizes turn that bias into noise of single trials, which averages out.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
from collections.abc import Callable

# Small blocks move what Python allocates, large ones the buffers of images and batches.
_SIZES = ((50, 8 * 2**10), (50, 256 * 2**10))  # how many, up to how many bytes


class Heap:
    """The throw-away blocks of this process."""

    def __init__(self) -> None:
        # Random by itself: the test's random numbers stay as the test has seeded them, and a
        # worker does not repeat the numbers of the process that it was forked from.
        self._random = random.SystemRandom()
        self._malloc, self._free = _allocator()
        self._blocks: list[object] = []

    def shuffle(self) -> None:
        """Allocate anew, then let the old blocks go."""
        sizes = [self._random.randint(16, top) for count, top in _SIZES for _ in range(count)]
        old, self._blocks = self._blocks, [self._malloc(size) for size in sizes]
        for block in old:
            self._free(block)

    def shuffle_workers(self) -> None:
        """Do the same in every process that this one forks."""
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.shuffle)


def _allocator() -> tuple[Callable[[int], object], Callable[[object], object]]:
    """The C library's, which gives memory without touching it; else Python's."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # Windows
        library = ctypes.CDLL(None)
        malloc, free = library.malloc, library.free
        malloc.argtypes, malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
        free.argtypes, free.restype = [ctypes.c_void_p], None
        return malloc, free
    return bytearray, lambda _: None
