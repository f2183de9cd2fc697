"""Which machine measures which shard, and where one is measured again whose machine was lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class Dispatch:
    """Shards by their numbers, and the machines that measure them, by any names.

    A machine measures one shard at a time. One that was lost gets no other.
    """

    def __init__(self, shards: int, machines: Sequence[str], tries: int) -> None:
        self._waiting = deque(range(1, shards + 1))
        self._idle = deque(machines)
        self._at_work: dict[str, int] = {}
        self._left = dict.fromkeys(self._waiting, tries)

    def starts(self) -> list[tuple[int, str]]:
        """Shards that begin now, each with its machine."""
        begun = []
        while self._waiting and self._idle:
            shard, machine = self._waiting.popleft(), self._idle.popleft()
            self._at_work[machine] = shard
            self._left[shard] -= 1
            begun.append((shard, machine))
        return begun

    @property
    def idle(self) -> list[str]:
        """The machines that have nothing to measure."""
        return list(self._idle)

    @property
    def waiting(self) -> list[int]:
        """The shards for which there is no machine."""
        return list(self._waiting)

    def ended(self, machine: str) -> int:
        """A machine is done with its shard, which is returned, and may have another one."""
        self._idle.append(machine)
        return self._at_work.pop(machine)

    def lost(self, machine: str) -> tuple[int, bool]:
        """A machine is gone: its shard, and whether that is to be measured again."""
        shard = self._at_work.pop(machine)
        again = self._left[shard] > 0
        if again:
            self._waiting.append(shard)
        return shard, again

    def joined(self, machine: str) -> None:
        """There is one machine more."""
        self._idle.append(machine)
