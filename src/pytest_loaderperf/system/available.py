"""Memory that this process may still use: what the machine has left, and its control groups."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_GROUPS = Path("/sys/fs/cgroup")
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
        import psutil  # noqa: PLC0415  (here: plain `pytest` does not import it)

        return min([psutil.virtual_memory().total, *(group.limit for group in self._groups)])

    @property
    def available(self) -> float:
        """Bytes that can still be used without swapping."""
        import psutil  # noqa: PLC0415

        found = [psutil.virtual_memory().available]
        for group in self._groups:
            with contextlib.suppress(OSError, ValueError):  # it is gone
                found.append(group.available)
        return max(0, min(found))


def limiting_groups(
    membership: Path = Path("/proc/self/cgroup"), mount: Path = _GROUPS
) -> Iterator[Limit]:
    """The control groups of this process that limit its memory, of either version."""
    with contextlib.suppress(OSError):
        for line in membership.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                names, folder = ("memory.max", "memory.current"), mount
            elif "memory" in controllers.split(","):
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
