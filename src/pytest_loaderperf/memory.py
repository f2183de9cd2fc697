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
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import LoaderError
from .process import tree


@dataclass(frozen=True)
class Used:
    """What a process uses, in bytes; ``whole`` counts a page in full that others share."""

    anonymous: int = 0
    shared: int = 0
    whole: int = 0  # of anonymous memory


# Of ``smaps_rollup``. SwapPss: a page does not stop being used when it is swapped out.
_COUNTED = {
    "anonymous": re.compile(r"^(?:Pss_Anon|SwapPss):\s+(\d+) kB$", re.MULTILINE),
    "shared": re.compile(r"^Pss_Shmem:\s+(\d+) kB$", re.MULTILINE),
    "whole": re.compile(r"^(?:Anonymous|Swap):\s+(\d+) kB$", re.MULTILINE),
}


def parse_rollup(text: str) -> Used:
    """What the text of a ``smaps_rollup`` file says.

    LoaderError where the kernel is too old to tell it apart from mapped files.
    """
    if text and "Pss_Anon" not in text:
        raise LoaderError("peak memory cannot be measured: it needs Linux 5.4 or newer")
    return Used(**{n: 1024 * sum(map(int, p.findall(text))) for n, p in _COUNTED.items()})


# Of ``status``: what ``whole`` is, from counters instead of from every page.
_COUNTERS = re.compile(r"^(?:RssAnon|VmSwap):\s+(\d+) kB$", re.MULTILINE)
# Looking at every page takes the tree's own time: its memory cannot grow meanwhile.
_REST = 9  # times as long as that

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


@dataclass(frozen=True)
class Tree:
    """What the living processes of a tree use, in bytes; ``unseen`` is resident in none of them."""

    processes: dict[int, Used]
    unseen: int

    @property
    def anonymous(self) -> int:
        """Anonymous memory, every page once."""
        return sum(used.anonymous for used in self.processes.values())

    @property
    def shared(self) -> int:
        """Shared memory, every page once."""
        return self.unseen + sum(used.shared for used in self.processes.values())


def used_by_tree(pid: int) -> Tree:
    """What a process and its descendants use."""
    looks = {each: _used_by(each) for each in tree(pid)}
    processes = {each: used for each, used in looks.items() if used is not None}
    return Tree(processes, _unseen(processes) if sys.platform == "linux" else 0)


class PeakMemory:
    """Follows the memory of a tree; ``peak`` is what it added over the moment of creation.

    Every process of the tree counts with its own highest use of anonymous memory, as if all that
    live at a time reached it together: that they do so while somebody looks is chance, that they
    can is certain. Shared memory counts as the highest that two looks in a row have seen: two
    batches while one replaces the other are met by chance as well.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        used = used_by_tree(pid)
        self._before = used.anonymous + used.shared
        self._highest: dict[int, int] = {}
        self._anonymous = self._shared = self._last = 0
        self._rested = 0.0  # when it is time for a full look again

    @property
    def peak(self) -> int:
        """Bytes; nothing before the first two looks."""
        return max(0, self._anonymous + self._shared - self._before)

    def follow(self) -> None:
        """Look at the counters of every process, and now and then at all of its pages."""
        for pid in tree(self._pid):
            self._highest[pid] = max(_counted(pid), self._highest.get(pid, 0))
        started = time.monotonic()
        if started > self._rested:
            self.sample()
            now = time.monotonic()
            self._rested = now + _REST * (now - started)

    def sample(self) -> None:
        """Look once. A look takes milliseconds and slows the tree: never while timing."""
        used = used_by_tree(self._pid)
        self._highest = {
            pid: max(each.whole, self._highest.get(pid, 0)) for pid, each in used.processes.items()
        }
        # What a process had at its highest and has not now; of pages that it shares, it counts
        # its part, whatever that is at the moment.
        gone = sum(self._highest[pid] - each.whole for pid, each in used.processes.items())
        self._anonymous = max(self._anonymous, used.anonymous + gone)
        self._shared = max(self._shared, min(self._last, used.shared))
        self._last = used.shared


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


def _counted(pid: int) -> int:
    """Bytes of anonymous memory that a process has, shared or not, by the kernel's counters."""
    with contextlib.suppress(OSError):  # it has ended, or this is no Linux
        status = Path(f"/proc/{pid}/status").read_text()
        return 1024 * sum(map(int, _COUNTERS.findall(status)))
    return 0


def _used_by(pid: int) -> Used | None:
    """What a process uses; None if it has ended, also while nobody has waited for it."""
    if sys.platform == "linux":
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            return None
        return parse_rollup(text) if text else None
    import psutil  # noqa: PLC0415

    try:
        private = int(psutil.Process(pid).memory_full_info().uss)
    except psutil.Error:
        return None
    return Used(anonymous=private, whole=private)
