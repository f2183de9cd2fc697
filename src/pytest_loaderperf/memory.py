"""Peak memory of a process tree: anonymous plus shared memory, every page once.

A page that n processes share counts 1/n in each of them (proportional set size), so the sum over
all that share it counts it once. That holds only if the sum runs over *all* of them: a forked
trial shares pages with the arm it came from, so the arm belongs to the tree. Pages of mapped
library files are left out: they say nothing about a loader.

A batch on its way from a worker may be resident nowhere: torch passes it as an open file in
``/dev/shm``, of which only the descriptor is left while it waits in the queue, and which its
receiver maps without touching it.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
# A line of the mapping of such a file, and the lines that describe it in ``smaps``.
_MAPPING = re.compile(
    r"^([0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+ +(?:/dev/shm/|/memfd:).*)$\n((?:[A-Z]\w*:.*\n?)*)",
    re.MULTILINE,
)

File = tuple[int, int]  # device and inode


@dataclass(frozen=True)
class Mapped:
    """A file of shared memory as one process has mapped it; sizes in bytes."""

    file: File
    length: int
    resident: int


def parse_mapped(text: str) -> list[Mapped]:
    """The files of shared memory in the text of a ``smaps`` file, or of a ``maps`` file.

    The latter does not tell what is resident: it counts as nothing.
    """
    found = []
    for head, body in _MAPPING.findall(text):
        address, _, _, device, inode, _ = head.split(maxsplit=5)
        start, end = (int(bound, 16) for bound in address.split("-"))
        major, minor = (int(number, 16) for number in device.split(":"))
        resident = re.search(r"^Rss:\s+(\d+) kB$", body, re.MULTILINE)
        size = int(resident[1]) * 1024 if resident else 0
        found.append(Mapped((os.makedev(major, minor), int(inode)), end - start, size))
    return found


def used_by_tree(pid: int) -> int:
    """Bytes of anonymous and shared memory of a process and its descendants."""
    pids = tree(pid)
    return sum(map(_used_by, pids)) + (_unseen(pids) if sys.platform == "linux" else 0)


class PeakMemory:
    """Follows the memory of a tree; ``peak`` is what it added over the moment of creation.

    It is the highest that two looks in a row have seen: what is there for a shorter time, such as
    two batches while one replaces the other, is met by chance.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = used_by_tree(pid)
        self._last = 0
        self.peak = 0

    def sample(self) -> None:
        """Look once. A look takes milliseconds and slows the tree: never while timing."""
        added = used_by_tree(self._pid) - self._before
        self.peak = max(self.peak, min(self._last, added))
        self._last = added


def _unseen(pids: Iterable[int]) -> int:
    """Bytes of shared memory that is resident in none of the processes which hold it.

    They have it open, or have mapped it and not touched it yet: then its length counts.
    """
    sizes = {file: size for pid in pids for file, size in _open_files(pid)}
    seen: dict[File, int] = {}
    for pid in pids:
        for mapped in _mapped(pid):
            sizes.setdefault(mapped.file, mapped.length)
            seen[mapped.file] = max(seen.get(mapped.file, 0), mapped.resident)
    return sum(max(0, size - seen.get(file, 0)) for file, size in sizes.items())


def _mapped(pid: int) -> list[Mapped]:
    """The shared memory that a process has mapped."""
    with contextlib.suppress(OSError):  # it has ended
        # The cheaper look first: most processes have none.
        if parse_mapped(Path(f"/proc/{pid}/maps").read_text()):
            return parse_mapped(Path(f"/proc/{pid}/smaps").read_text())
    return []


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
