"""Peak memory of a process tree: anonymous plus shared memory, every page once.

A page that n processes share counts 1/n in each of them (proportional set size), so the sum over
all that share it counts it once. That holds only if the sum runs over *all* of them: a forked
trial shares pages with the arm it came from, so the arm belongs to the tree. Pages of mapped
library files are left out: they say nothing about a loader.

A batch on its way from a worker may be mapped by nobody: torch passes it as an open file in
``/dev/shm``, of which only the descriptor is left while it waits in the queue.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
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


# Where the kernel shows shared memory as files.
_SHARED = ("/dev/shm/", "/memfd:")  # noqa: S108  (looked for, never made)
_BLOCK = 512  # bytes, whatever the file system says (stat(2))

File = tuple[int, int]  # device and inode


def parse_mapped(text: str) -> set[File]:
    """The files of shared memory in the text of a ``maps`` file."""
    found = set()
    for line in text.splitlines():
        # Address, permissions, offset, device, inode, path.
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5].startswith(_SHARED):
            major, _, minor = fields[3].partition(":")
            found.add((os.makedev(int(major, 16), int(minor, 16)), int(fields[4])))
    return found


def used_by_tree(pid: int) -> int:
    """Bytes of anonymous and shared memory of a process and its descendants."""
    pids = tree(pid)
    return sum(map(_used_by, pids)) + (_unmapped(pids) if sys.platform == "linux" else 0)


class PeakMemory:
    """Follows the memory of a tree; ``peak`` is what it added over the moment of creation."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = used_by_tree(pid)
        self.peak = 0

    def sample(self) -> None:
        """Look once. A look takes milliseconds and slows the tree: never while timing."""
        self.peak = max(self.peak, used_by_tree(self._pid) - self._before)


def _unmapped(pids: Iterable[int]) -> int:
    """Bytes of shared memory that some processes hold open, and none of them has mapped."""
    sizes = {file: size for pid in pids for file, size in _open_files(pid)}
    if not sizes:
        return 0
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended
            for file in parse_mapped(Path(f"/proc/{pid}/maps").read_text()):
                sizes.pop(file, None)
    return sum(sizes.values())


def _open_files(pid: int) -> Iterator[tuple[File, int]]:
    """The shared memory that a process holds open, with its size in bytes."""
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as descriptors:
        for descriptor in descriptors:
            with contextlib.suppress(OSError):  # closed in the meantime
                if str(Path(descriptor).readlink()).startswith(_SHARED):
                    status = descriptor.stat()
                    yield (status.st_dev, status.st_ino), status.st_blocks * _BLOCK


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
