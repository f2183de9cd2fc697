"""Does a machine read back what it has just taken away? Then it is short of memory.

A page that is read for the first time is none of that, and neither is a large file that passes
through the cache: what counts is memory that processes had to wait for, and that was theirs before.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"^(\w+) (\d+)$", re.MULTILINE)
# Less than that happens on any machine in the time of a check.
_MAJOR_FAULTS = 100
_PAGES = 256


@dataclass(frozen=True)
class Paging:
    """What a machine has counted since it started: major page faults, pages that came back."""

    major_faults: int = 0
    returned: int = 0

    @classmethod
    def now(cls) -> Paging:
        """The counters as they are; nothing where the system has none (no Linux)."""
        with contextlib.suppress(OSError):
            return cls.parse(Path("/proc/vmstat").read_text())
        return cls()

    @classmethod
    def parse(cls, text: str) -> Paging:
        """What the text of ``/proc/vmstat`` says."""
        count = {name: int(number) for name, number in _LINE.findall(text)}
        # A page that comes back from swap is counted as both, where the kernel knows both.
        swapped = max(count.get("pswpin", 0), count.get("workingset_refault_anon", 0))
        return cls(count.get("pgmajfault", 0), swapped + count.get("workingset_refault_file", 0))


def note(before: Paging, after: Paging) -> str:
    """What to say of the time between two moments; empty if there was memory enough."""
    faults = after.major_faults - before.major_faults
    returned = after.returned - before.returned
    if faults < _MAJOR_FAULTS or returned < _PAGES:
        return ""
    return (
        f"thrashing: the machine was short of memory, and read back {returned:,} pages that it had "
        f"taken away ({faults:,} major page faults)"
    )
