"""Control groups: one for a trial, whose counters miss no spike, and what limits leave (Linux).

What a process had before it joined stays with the group that it came from, and so does what it
only reads of that: a group counts what its processes add.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from .process_tree import alive, leaders

_MOUNT = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
_PREFIX = "loaderperf-"
_LINE = re.compile(r"^(\w+) (\d+)$", re.MULTILINE)
_number = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a group uses, in bytes.

    ``highest`` is the most that was charged to it at a time, of all kinds; of these ``counted`` is
    anonymous and shared memory, ``others`` are files that it has read, and the kernel's own.
    """

    highest: int
    counted: int
    others: int

    @property
    def highest_counted(self) -> int:
        """The most that counted at a time, if there was then as much of the others as now."""
        return self.highest - self.others


@dataclass(frozen=True, kw_only=True)
class Names:
    """How the two versions of control groups name things.

    Of ``memory.stat`` it is the lines of the whole subtree. Files include shared memory there.
    """

    name: str
    highest: str
    anonymous: str
    shared: str
    files: str
    kernel: str


V1 = Names(
    name="control group v1",
    highest="memory.max_usage_in_bytes",
    anonymous="total_rss",
    shared="total_shmem",
    files="total_cache",
    kernel="memory.kmem.usage_in_bytes",
)
V2 = Names(
    name="control group v2",
    highest="memory.peak",
    anonymous="anon",
    shared="shmem",
    files="file",
    kernel="kernel",
)


class Group:
    """A group that processes join; ``highest`` is the most of their memory since ``start``."""

    def __init__(self, folder: Path, version: Names) -> None:
        self._folder = folder
        self._version = version
        # Version 2 counts anew for whoever has reset this very descriptor.
        self._peak = _opened(folder / version.highest)
        self._seen = 0
        self.highest = 0

    @property
    def source(self) -> str:
        return self._version.name

    def join(self, pid: int) -> None:
        """Take in a process, and with it all that it starts from now on. OSError if it may not."""
        (self._folder / "cgroup.procs").write_text(str(pid))

    def start(self) -> None:
        """Count from now on."""
        with contextlib.suppress(OSError):  # before Linux 6.12: then only a new highest counts
            self._peak.write(b"0")
        now = self._usage()
        self._seen, self.highest = now.highest, now.counted

    def sample(self) -> None:
        """Take in what has been charged since the last sample."""
        now = self._usage()
        self.highest = max(self.highest, now.counted)
        if now.highest > self._seen:
            self._seen = now.highest
            self.highest = max(self.highest, now.highest_counted)

    def close(self) -> None:
        """Remove it, once its processes have ended."""
        self._peak.close()
        for _ in range(100):
            with contextlib.suppress(OSError):
                self._folder.rmdir()
                return
            time.sleep(0.01)

    def _usage(self) -> Usage:
        names = self._version
        self._peak.seek(0)
        highest = int(self._peak.read())
        # What has been charged is not looked at: while much is given back, it lags behind.
        stat = parse_stat((self._folder / "memory.stat").read_text())
        shared = stat.get(names.shared, 0)
        kernel = stat.get(names.kernel, 0)
        with contextlib.suppress(OSError):  # version 1 has a file of its own for that
            kernel = int((self._folder / names.kernel).read_text())
        files = max(0, stat.get(names.files, 0) - shared)
        return Usage(
            highest=highest, counted=stat.get(names.anonymous, 0) + shared, others=files + kernel
        )


def _opened(file: Path) -> FileIO:
    try:
        return file.open("r+b", buffering=0)
    except PermissionError:  # of a kernel that has nothing to reset there
        return file.open("rb", buffering=0)


def parse_stat(text: str) -> Mapping[str, int]:
    """The numbers of a ``memory.stat`` file."""
    return {name: int(number) for name, number in _LINE.findall(text)}


def group_for(pid: int, membership: Path = _MEMBERSHIP, mount: Path = _MOUNT) -> Group | None:
    """A new group that a process and its companions have joined.

    None where this system or its rights give none.
    """
    for parent, version in places(membership, mount):
        remove_abandoned(parent)
        folder = parent / f"{_PREFIX}{os.getpid()}-{next(_number)}"
        with contextlib.suppress(OSError, ValueError):
            folder.mkdir()
            group = None
            try:
                group = Group(folder, version)
                for each in leaders(pid):
                    group.join(each)
                group.start()
            except (OSError, ValueError):
                if group is not None:
                    group.close()
                else:
                    folder.rmdir()
                raise
            return group
    return None


def places(membership: Path = _MEMBERSHIP, mount: Path = _MOUNT) -> Iterator[tuple[Path, Names]]:
    """Groups in which one may be made: that of this process, or of version 2 the one above it.

    There a group that has processes has no others in it.
    """
    with contextlib.suppress(OSError, ValueError):
        for controllers, path in _memberships(membership):
            if "memory" in controllers:
                yield mount / "memory" / path.lstrip("/"), V1
            elif not controllers:
                own = mount / path.lstrip("/")
                for folder in (own, own.parent):
                    with contextlib.suppress(OSError):
                        if "memory" in (folder / "cgroup.subtree_control").read_text().split():
                            yield folder, V2


def _memberships(file: Path) -> Iterator[tuple[list[str], str]]:
    """The groups of a process, one for each hierarchy: its controllers, none of version 2; path."""
    for line in file.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        yield controllers.split(",") if controllers else [], path


def abandoned(parent: Path) -> Iterator[Path]:
    """The groups in a place whose runs have ended, or were killed."""
    for folder in parent.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not alive(int(owner)):
            yield folder


def remove_abandoned(parent: Path) -> None:
    """Remove the groups in a place whose runs have ended."""
    for folder in abandoned(parent):
        with contextlib.suppress(OSError):
            folder.rmdir()


# --- what they leave

# Files that were read once, and that the kernel drops as soon as the memory is needed.
_RECLAIMABLE = re.compile(r"^(?:total_)?inactive_file (\d+)$", re.MULTILINE)


class Limit(NamedTuple):
    """A control group that limits memory."""

    folder: Path
    limit: int  # bytes
    usage_file: str

    @property
    def available(self) -> int:
        """Bytes that processes of the group may still use."""
        usage = int((self.folder / self.usage_file).read_text())
        numbers = _RECLAIMABLE.findall((self.folder / "memory.stat").read_text())
        # In version 1 the figure of the whole subtree comes last.
        reclaimable = int(numbers[-1]) if numbers else 0
        return self.limit - max(0, usage - reclaimable)


class Memory:
    """What there is for this process and its children."""

    def __init__(self) -> None:
        self._groups = list(limiting_groups()) if sys.platform == "linux" else []

    @property
    def total(self) -> float:
        """Bytes of the machine, or of the tightest control group."""
        return min([_of_machine()[0], *(group.limit for group in self._groups)])

    @property
    def available(self) -> float:
        """Bytes that can still be used without swapping."""
        found: list[float] = [_of_machine()[1]]
        for group in self._groups:
            with contextlib.suppress(OSError, ValueError):  # it is gone
                found.append(group.available)
        return max(0, min(found))


def _of_machine() -> tuple[int, int]:
    """Bytes that the machine has in all, and that can still be used."""
    import psutil  # noqa: PLC0415  (here: plain `pytest` does not import it)

    try:
        memory = psutil.virtual_memory()
    except OSError:  # a /proc that shows processes alone: what is free, without what could be
        page = os.sysconf("SC_PAGE_SIZE")
        return os.sysconf("SC_PHYS_PAGES") * page, os.sysconf("SC_AVPHYS_PAGES") * page
    return memory.total, memory.available


def limiting_groups(membership: Path = _MEMBERSHIP, mount: Path = _MOUNT) -> Iterator[Limit]:
    """The control groups of this process that limit its memory, of either version."""
    with contextlib.suppress(OSError, ValueError):
        for controllers, path in _memberships(membership):
            if not controllers:
                names, folder = ("memory.max", "memory.current"), mount
            elif "memory" in controllers:
                names, folder = ("memory.limit_in_bytes", "memory.usage_in_bytes"), mount / "memory"
            else:
                continue
            # In a container the path may be that of the host, of which only the end is there.
            for inner in (*PurePosixPath(path).parents, PurePosixPath(path)):
                group = folder / str(inner).lstrip("/")
                with contextlib.suppress(OSError, ValueError):  # not there, or "max": no limit
                    limit = int((group / names[0]).read_text())
                    if limit < 2**60:  # version 1 writes a huge number for no limit
                        yield Limit(group, limit, names[1])
