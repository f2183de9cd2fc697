"""Memory that the processes of a tree use: anonymous plus shared, every page once.

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
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ..errors import LoaderError
from .process_tree import open_files, tree


@dataclass(frozen=True, kw_only=True)
class Used:
    """What a process uses, in bytes; ``whole`` counts a page in full that others share.

    ``own`` is what it has written to and no other process has.
    """

    anonymous: int = 0
    shared: int = 0
    whole: int = 0  # of anonymous memory
    own: int = 0


# Of ``smaps_rollup``. SwapPss: a page does not stop being used when it is swapped out.
_COUNTED = {
    "anonymous": re.compile(r"^(?:Pss_Anon|SwapPss):\s+(\d+) kB$", re.MULTILINE),
    "shared": re.compile(r"^Pss_Shmem:\s+(\d+) kB$", re.MULTILINE),
    "whole": re.compile(r"^(?:Anonymous|Swap):\s+(\d+) kB$", re.MULTILINE),
    "own": re.compile(r"^Private_Dirty:\s+(\d+) kB$", re.MULTILINE),
}


def parse_rollup(text: str) -> Used:
    """What the text of a ``smaps_rollup`` file says.

    LoaderError where the kernel is too old to tell it apart from mapped files.
    """
    if text and "Pss_Anon" not in text:
        raise LoaderError("peak memory cannot be measured: it needs Linux 5.4 or newer")
    return Used(**{n: 1024 * sum(map(int, p.findall(text))) for n, p in _COUNTED.items()})


# Of ``status``.
_COUNTERS = re.compile(r"^(RssAnon|RssFile|RssShmem|VmSwap|VmHWM):\s+(\d+) kB$", re.MULTILINE)
_RESET_HIGHEST = "5"  # written to ``clear_refs``


@dataclass(frozen=True, kw_only=True)
class Counters:
    """What the kernel has counted of a process, in bytes, every page in full.

    ``highest`` is the most that was resident at a time, of all kinds together.
    """

    anonymous: int = 0
    files: int = 0
    shared: int = 0
    highest: int = 0

    def raised_by(self, other: Counters) -> Counters:
        """Of each counter the larger one."""
        return Counters(**{name: max(mine, vars(other)[name]) for name, mine in vars(self).items()})


def parse_status(text: str) -> Counters:
    """What the text of a ``status`` file says."""
    found = {name: 1024 * int(size) for name, size in _COUNTERS.findall(text)}
    anonymous = found.get("RssAnon", 0) + found.get("VmSwap", 0)
    return Counters(
        anonymous=anonymous,
        files=found.get("RssFile", 0),
        shared=found.get("RssShmem", 0),
        highest=found.get("VmHWM", 0),
    )


def counters_of(pid: int) -> Counters:
    """What the kernel has counted; nothing of a process that has ended, or on other systems."""
    with contextlib.suppress(OSError):
        return parse_status(Path(f"/proc/{pid}/status").read_text())
    return Counters()


def reset_highest(pid: int) -> None:
    """Have the kernel count the highest use of a process from now on."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text(_RESET_HIGHEST)


# Where the kernel shows shared memory as files.
_SHARED = ("/dev/shm/", "/memfd:")  # noqa: S108  (looked for, never made)
_TORCH = re.compile(r"torch_(\d+)_")
_BLOCK = 512  # bytes, whatever the file system says (stat(2))
# A line of the mapping of such a file, and the lines that describe it in ``smaps``.
_MAPPING = re.compile(
    r"^([0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+ +(?:/dev/shm/|/memfd:).*)$\n((?:[A-Z]\w*:.*\n?)*)",
    re.MULTILINE,
)

File = tuple[int, int]  # device and inode


@dataclass(frozen=True, kw_only=True)
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
        found.append(
            Mapped(file=(os.makedev(major, minor), int(inode)), length=end - start, resident=size)
        )
    return found


@dataclass(frozen=True, kw_only=True)
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


def used_by_tree(pid: int, files: Mapping[File, int] = MappingProxyType({})) -> Tree:
    """What a process and its descendants use, these files of shared memory included."""
    looks = {each: used_by(each) for each in tree(pid)}
    processes = {each: used for each, used in looks.items() if used is not None}
    return Tree(
        processes=processes, unseen=_unseen(processes, files) if sys.platform == "linux" else 0
    )


def torch_files(pids: Container[int]) -> dict[File, int]:
    """Sizes in bytes of the files in which torch shares memory, of these processes, open or not.

    Their names tell who has made them. Whose another file is that nobody has open, nothing tells.
    """
    found = {}
    with contextlib.suppress(OSError), os.scandir("/dev/shm") as entries:  # noqa: S108
        for entry in entries:
            maker = _TORCH.match(entry.name)
            if maker and int(maker[1]) in pids:
                with contextlib.suppress(OSError):  # removed in the meantime
                    status = entry.stat(follow_symlinks=False)
                    found[status.st_dev, status.st_ino] = status.st_blocks * _BLOCK
    return found


def _unseen(pids: Iterable[int], files: Mapping[File, int]) -> int:
    """Bytes of shared memory that is resident in none of the processes which hold it.

    They have it open, or have mapped it and not touched it yet: then its length counts. Of these
    files it is known that they are there.
    """
    sizes = {**files, **{file: size for pid in pids for file, size in _open_files(pid)}}
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
    for descriptor, name in open_files(pid):
        if name.startswith(_SHARED):
            with contextlib.suppress(OSError):  # closed in the meantime
                status = descriptor.stat()
                yield (status.st_dev, status.st_ino), status.st_blocks * _BLOCK


def used_by(pid: int) -> Used | None:
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
