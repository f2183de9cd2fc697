"""Does a machine read back what it has just taken away? Then it is short of memory.

A page that is read for the first time is none of that, and neither is a large file that passes
through the cache: what counts is memory that processes had to wait for, and that was theirs before.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

from .process_tree import stat, tree

_LINE = re.compile(r"^(\w+) (\d+)$", re.MULTILINE)
# Less than that happens on any machine: a library is read anew that nobody has used for hours.
_MAJOR_FAULTS = 1000
_PAGES = 1000


@dataclass(frozen=True, kw_only=True)
class Paging:
    """Major page faults of a tree, and pages that have come back on the whole machine, so far."""

    major_faults: int = 0
    returned: int = 0

    @classmethod
    def of(cls, pid: int) -> Paging:
        """The counters of a process and its descendants; zeros where there are none."""
        with contextlib.suppress(OSError):
            returned = parse_returned(Path("/proc/vmstat").read_text())
            return cls(major_faults=sum(map(_major_faults, tree(pid))), returned=returned)
        return cls()


def parse_returned(text: str) -> int:
    """The pages that have come back, of the text of ``/proc/vmstat``."""
    count = {name: int(number) for name, number in _LINE.findall(text)}
    # A page that comes back from swap is counted as both, where the kernel knows both.
    swapped = max(count.get("pswpin", 0), count.get("workingset_refault_anon", 0))
    return swapped + count.get("workingset_refault_file", 0)


def _major_faults(pid: int) -> int:
    """Of a process, and of the children that it has waited for."""
    with contextlib.suppress(OSError):  # it has ended
        fields = stat(f"/proc/{pid}")
        return int(fields[9]) + int(fields[10])
    return 0


def note(before: Paging, after: Paging) -> str:
    """What to say of the time between two moments; empty if there was memory enough."""
    faults = after.major_faults - before.major_faults
    returned = after.returned - before.returned
    if faults < _MAJOR_FAULTS or returned < _PAGES:
        return ""
    return (
        f"thrashing: the machine was short of memory, and read back {returned:,} pages that it had "
        f"taken away ({faults:,} major page faults of the loader)"
    )
