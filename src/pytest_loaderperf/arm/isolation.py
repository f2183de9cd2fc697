"""Keeps what makes a process differ from its twin out of what a trial measures.

The allocator is made to give memory back in one way; what is allocated next is moved about; a loop
gets a stack of its own. All three are settled by the layout of a process, for its whole life
(docs/verdicts.md).
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import os
import random
import signal
import time
from collections.abc import Callable

from greenlet import greenlet

# --- memory that is freed

# glibc returns the top of a heap to the system once enough of it is free, and takes it again, page
# by page, with the next batch: unless some small thing happens to lie above it. Photographs in
# batches of 128 cost a worker 190 page faults a sample in one process and 430 in its twin, 25 % of
# its speed, and left the peak of a loader anywhere between 181 and 269 MiB. A trial that measures
# time keeps its memory, one that measures memory gives large blocks back as soon as they are free.

# Parameter number in malloc.h, and the variable that says the same to a process that is started.
_TRIM_THRESHOLD = (-1, "MALLOC_TRIM_THRESHOLD_")
_MMAP_THRESHOLD = (-3, "MALLOC_MMAP_THRESHOLD_")
# The largest values that mallopt(3) takes, an int and half of a 64-bit heap: blocks of more than
# 32 MiB are still mapped and returned one by one, as everywhere.
_KEEP = {_TRIM_THRESHOLD: 2**31 - 1, _MMAP_THRESHOLD: 32 * 2**20}
# The values that glibc begins with. Once they are set, it does not raise them any more whenever a
# larger block is freed.
_RETURN = {_TRIM_THRESHOLD: 128 * 2**10, _MMAP_THRESHOLD: 128 * 2**10}


def settle(*, keep: bool) -> bool:
    """Have this process, and all that it forks or starts, keep the memory that it frees, or not.

    False where that cannot be had: another C library, or the user has set the allocator up.
    """
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS; Windows
        return False
    wanted = _KEEP if keep else _RETURN
    taken = [mallopt(number, value) == 1 for (number, _), value in wanted.items()]
    os.environ.update({name: str(value) for (_, name), value in wanted.items()})
    return all(taken)


# --- where memory lies

# Where large buffers begin within a page makes a process up to 13 % faster or slower than its twin:
# decoding and scaling a photograph took 2.26 to 2.59 ms, as it happened (benchmarks/layout.py). It
# is settled by the free blocks that a trial inherits from its arm, so that more pairs of the same
# two arms do not average it out. Throw-away blocks of random sizes, changed several times in every
# trial, in its workers too, turn it into noise inside each trial.


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


# --- the stack


def call_apart(call: Callable[[], None]) -> None:
    """Call it above no other frame; what it raises passes through.

    Pytest runs a test above some 50 frames, a training script runs its loop above three. TensorFlow
    looks up the line numbers of the 30 innermost whenever it makes a tensor: with pytest's, batches
    of 0.11 ms took 9 % more. And CPython 3.11 and later take frames from chunks of 16 KiB: where
    one happens to be full, a call maps another and its return unmaps it, and a loop took twice its
    time. A greenlet begins with neither. It is the same thread: signals, locks and whatever a
    thread keeps to itself are what they were.
    """
    __tracebackhide__ = True
    apart = greenlet(call)
    apart.gr_context = contextvars.copy_context()
    apart.switch()
