"""Processes that have left what started them: daemons, and all in a session of their own.

They belong to no group and no tree that could be ended. But the environment in which a program was
started stays with it, and with all that it forks: there every arm has a mark of its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from collections.abc import Set
from pathlib import Path

from . import signals

VARIABLE = "LOADERPERF_RUN"
_ROUNDS = 100  # of looking for what was started meanwhile


def new_mark() -> str:
    """A mark that nothing else has."""
    return uuid.uuid4().hex


def has_mark(pid: int) -> bool:
    """Whether a process belongs to a run (Linux)."""
    with contextlib.suppress(OSError):
        return f"{VARIABLE}=".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    return False


def marked(mark: str) -> set[int]:
    """The processes that have a mark which begins like this (Linux)."""
    wanted = f"{VARIABLE}={mark}".encode()
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if wanted in (entry / "environ").read_bytes():
                found.add(int(entry.name))
    return found


def end(mark: str, keep: Set[int] = frozenset()) -> None:
    """Kill all processes that have a mark, but for those to keep."""
    for _ in range(_ROUNDS):
        found = marked(mark) - keep - {os.getpid()}
        if not found:
            return
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGSTOP)  # none starts another one while the others end
        signals.end_each(found)
