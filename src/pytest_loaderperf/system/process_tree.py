"""Trees of processes, as the kernel lists them.

They are looked at many times a second, beside what is timed: as plain paths, five times as fast.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence

LINUX = sys.platform == "linux"
_companions: dict[int, tuple[int, ...]] = {}


def alive(pid: int) -> bool:
    """Whether a process exists and has not ended: a zombie is dead."""
    import psutil  # noqa: PLC0415  (here: plain `pytest` does not import it)

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def join(pid: int, others: Sequence[int]) -> None:
    """Take some processes, such as other ranks, for parts of a tree: until it is to ``part``."""
    _companions[pid] = tuple(others)


def part(pid: int) -> None:
    """Take a process for a tree of its own again."""
    _companions.pop(pid, None)


def leaders(pid: int) -> tuple[int, ...]:
    """A process, and those that are taken for parts of its tree."""
    return pid, *_companions.get(pid, ())


def tree(pid: int) -> list[int]:
    """A process and all of its descendants that are alive, with those of its companions."""
    return [each for leader in leaders(pid) for each in own_tree(leader)]


def own_tree(pid: int) -> list[int]:
    """A process and all of its descendants that are alive."""
    if LINUX:
        return [pid, *descendants(pid)]
    import psutil  # noqa: PLC0415

    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.Error:
        return [pid]


def has_one_thread(pid: int) -> bool:
    """Whether a process with all descendants is one thread, and so uses one CPU at a time."""
    if LINUX:
        return [len(tasks(each)) for each in tree(pid)] == [1]
    import psutil  # noqa: PLC0415

    try:
        return len(tree(pid)) == 1 and bool(psutil.Process(pid).num_threads() == 1)
    except psutil.Error:
        return False


def stat(entry: str) -> list[bytes]:
    """What the kernel says of a process or thread: its state, its parent, its group, and so on.

    ``entry`` is its directory in ``/proc``; OSError if it has ended. The fields are those of
    proc(5) from the third one on; bytes, since the name before them may end within a character: the
    kernel cuts it after 15 bytes.
    """
    return _read(f"{entry}/stat").rpartition(b")")[2].split()


def descendants(pid: int) -> Iterator[int]:
    """All that a process has started, and that was started by these (Linux)."""
    for task in tasks(pid):
        with contextlib.suppress(OSError):
            for child in _read(f"{task}/children").split():
                yield int(child)
                yield from descendants(int(child))


def tasks(pid: int) -> list[str]:
    """The directories of a process's threads (Linux); none if it has ended."""
    folder = f"/proc/{pid}/task"
    try:
        return [f"{folder}/{thread}" for thread in os.listdir(folder)]  # noqa: PTH208
    except OSError:
        return []


def open_files(pid: int) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Each descriptor of a process, and what it has open (Linux): a path, or ``socket:[123]``."""
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as descriptors:
        for descriptor in descriptors:
            with contextlib.suppress(OSError):  # closed in the meantime
                yield descriptor, os.readlink(descriptor)  # noqa: PTH115  (at each sample of memory)


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read()
