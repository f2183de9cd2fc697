"""Peak memory of a process tree: anonymous plus shared memory, every page once.

All pages are looked at now and then, the kernel's counters of each process at every sample. What
comes and goes between two samples shows in what the kernel itself keeps as the highest: of a
control group, where the tree can have one, and of each process.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from ..model.results import MemorySample
from .cgroups import group_for
from .process_tree import leaders, tree
from .smaps import Counters, Tree, counters_of, reset_highest, torch_files, used_by, used_by_tree

# Looking at every page takes the tree's own time: its memory cannot grow meanwhile.
_REST = 9  # times as long as that


CHILD = "child"  # begins the names of processes that the loader has started


class PeakMemory:
    """Follows the memory of a tree; ``peak`` is what it added over the moment of creation.

    Every process of the tree counts with its own highest use of anonymous memory, as if all that
    live at a time reached it together: that they do so while somebody looks is chance, that they
    can is certain. Shared memory counts as the highest that two samples in a row have seen: two
    batches while one replaces the other are met by chance as well.

    A ``member`` of the tree, and what it starts, gets a control group where that is possible. What
    it was forked from is in the tree as well, so that shared pages count once. Once the member has
    copied such a page, or freed it, only its origin has the old one: that is no use of the loader.
    """

    def __init__(self, pid: int, member: int | None = None) -> None:
        self._pid = pid
        self._member = member
        self._group = None if member is None else group_for(member)
        used = used_by_tree(pid)
        self._origins = () if member is None else {*leaders(pid)} - {*leaders(member)}
        self._left = 0  # to its origins, so far
        self._before = used.anonymous + used.shared
        self._own = self._of_origins()
        self._processes: dict[int, Counters] = {}  # the highest of each counter
        self._anonymous = self._shared = self._last = self._glimpsed = self._charged = 0
        self._rested = 0.0  # when it is time for a full sample again
        self._created = time.monotonic()
        self._children: dict[int, str] = {}
        self.samples: list[MemorySample] = []  # at all pages
        self.start()

    def start(self) -> None:
        """Follow from now on: what was used and freed since the creation does not count."""
        for pid in tree(self._pid):
            reset_highest(pid)
        if self._group:
            self._group.start()

    def close(self) -> None:
        """Remove the control group, once the processes in it have ended."""
        if self._group:
            self._group.close()

    @property
    def source(self) -> str:
        """What the figures come from, for a report."""
        if sys.platform != "linux":
            return "private memory of each process (an approximation)"
        return self._group.source if self._group else "pages of each process"

    @property
    def peak(self) -> int:
        """Bytes; nothing before the first two samples."""
        seen = self._anonymous + self._shared + self._missed - self._before
        return max(0, seen, self._charged)

    def follow(self) -> None:
        """Look at the counters of every process, and now and then at all of its pages."""
        for pid in tree(self._pid):
            self._count(pid, counters_of(pid))
        if self._group:
            self._group.sample()
        started = time.monotonic()
        if started > self._rested:
            self.sample()
            now = time.monotonic()
            self._rested = now + _REST * (now - started)

    @contextlib.contextmanager
    def followed(self, every: float) -> Iterator[None]:
        """Follow meanwhile, in a thread of its own, every few seconds.

        A sample takes tens of milliseconds. While a loader's consumer waited for that, its queue
        would fill up by chance, and pipelines that tune themselves then make it longer.
        """
        ended = threading.Event()

        def sample() -> None:
            while not ended.wait(every):
                self.follow()

        with ThreadPoolExecutor(1, "loaderperf-memory") as thread:
            sampling = thread.submit(sample)
            try:
                yield
            finally:
                ended.set()
            sampling.result()
        self.sample()

    def sample(self) -> None:
        """Take one sample. It takes milliseconds and slows the tree: never while timing."""
        if self._group:
            self._group.sample()
        used = used_by_tree(self._pid, torch_files(self._processes))
        # Last: what is copied meanwhile is rather counted too little, until the next sample.
        self._left = max(0, self._of_origins() - self._own)
        # What a process had at its highest and has not now; of pages that it shares, it counts
        # its part, whatever that is at the moment.
        gone = 0
        for pid, each in used.processes.items():
            self._count(pid, Counters(anonymous=each.whole))
            gone += self._processes[pid].anonymous - each.whole
        self._anonymous = max(self._anonymous, used.anonymous + gone - self._left)
        self._shared = max(self._shared, min(self._last, used.shared))
        self._glimpsed = max(self._glimpsed, used.shared)
        self._last = used.shared
        if self._group:
            self._charged = max(self._charged, self._group.highest - self._left)
        self.samples.append(self._as_sample(used))

    def _as_sample(self, used: Tree) -> MemorySample:
        processes = {}
        names = {} if self._member is None else _named(leaders(self._member))
        for pid, each in used.processes.items():
            if pid in names:
                name = names[pid]
            elif pid in leaders(self._pid):  # what the member was forked from
                continue
            else:
                name = self._children.setdefault(pid, f"{CHILD} {len(self._children) + 1}")
            processes[name] = each.anonymous + each.shared
        added = used.anonymous + used.shared - self._left - self._before
        seconds = time.monotonic() - self._created
        return MemorySample(seconds=seconds, added=added, processes=processes)

    def _of_origins(self) -> int:
        """Bytes that only those have which the member was forked from, each for itself."""
        looks = (used_by(pid) for pid in self._origins)
        return sum(used.own for used in looks if used is not None)

    @property
    def _missed(self) -> int:
        """The largest spike of one process between two samples, of anonymous memory.

        The kernel tells the highest of all that a process had, files and shared memory included:
        only what those cannot explain counts, whenever they were at their own highest.
        """
        missed = [
            each.highest - each.anonymous - each.files - max(each.shared, self._glimpsed)
            for each in self._processes.values()
        ]
        return max(0, *missed)

    def _count(self, pid: int, now: Counters) -> None:
        self._processes[pid] = now.raised_by(self._processes.get(pid, Counters()))


def _named(members: Sequence[int]) -> dict[int, str]:
    """What to call the process that is looked at, or one for each rank."""
    if len(members) == 1:
        return {members[0]: "main"}
    return {pid: f"rank {rank}" for rank, pid in enumerate(members)}
