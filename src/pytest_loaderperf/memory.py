"""Peak memory of a process tree: anonymous plus shared memory, every page once.

A page that n processes share counts 1/n in each of them (proportional set size), so the sum over
all that share it counts it once. That holds only if the sum runs over *all* of them: a forked
trial shares pages with the arm it came from, so the arm belongs to the tree. Pages of mapped
library files are left out: they say nothing about a loader.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from .errors import LoaderError
from .process import tree

# SwapPss: a page does not stop being used when it is swapped out.
_COUNTED = re.compile(r"^(?:Pss_Anon|Pss_Shmem|SwapPss):\s+(\d+) kB$", re.MULTILINE)


def parse_rollup(text: str) -> int:
    """Bytes of anonymous and shared memory in the text of a ``smaps_rollup`` file.

    LoaderError where the kernel is too old to tell them apart from mapped files.
    """
    if text and "Pss_Anon" not in text:
        raise LoaderError("peak memory cannot be measured: it needs Linux 5.4 or newer")
    return 1024 * sum(map(int, _COUNTED.findall(text)))


def used_by_tree(pid: int) -> int:
    """Bytes of anonymous and shared memory of a process and its descendants."""
    return sum(map(_used_by, tree(pid)))


class PeakMemory:
    """Follows the memory of a tree; ``peak`` is what it added over the moment of creation."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = used_by_tree(pid)
        self.peak = 0

    def sample(self) -> None:
        """Look once. A look takes milliseconds and slows the tree: never while timing."""
        self.peak = max(self.peak, used_by_tree(self._pid) - self._before)


def _used_by(pid: int) -> int:
    if sys.platform == "linux":
        try:
            return parse_rollup(Path(f"/proc/{pid}/smaps_rollup").read_text())
        except OSError:  # it has ended
            return 0
    import psutil  # noqa: PLC0415

    try:
        return int(psutil.Process(pid).memory_full_info().uss)
    except psutil.Error:
        return 0
