"""The C library's allocator, made to give memory back in one way instead of by luck.

glibc returns the top of a heap to the system once enough of it is free, and takes it again, page
by page, with the next batch: unless some small thing happens to lie above it. Which of the two
happens is settled by the layout of a process and stays for its whole life. Photographs in batches
of 128 cost a worker 190 page faults a sample in one process and 430 in its twin, 25 % of its
speed, and left the peak of a loader anywhere between 181 and 269 MiB (docs/verdicts.md). A trial
that measures time keeps its memory, and a trial that measures memory gives large blocks back as
soon as they are free: so that neither happens by luck.
"""

from __future__ import annotations

import ctypes
import os

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
