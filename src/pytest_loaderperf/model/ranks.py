"""The processes of a distributed training, each of which has a loader of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import SettingsError

_MOST = 1024  # ranks on a machine: more are a slip


@dataclass(frozen=True, kw_only=True)
class World:
    """So many processes in all, of which ``ranks`` are measured: those of the first machine."""

    ranks: int = 1
    size: int = 1
    told: bool = False  # even if it is one process

    @classmethod
    def of(cls, ranks: object, size: object) -> World:
        """The world of a marker's arguments, 0 where one is not given. SettingsError for no world.

        Without a size all ranks are on this machine.
        """
        for name, number in (("ranks", ranks), ("world_size", size)):
            if type(number) is not int or not 0 <= number <= _MOST:
                raise SettingsError(f"{name}={number!r}: give a number of processes, such as 4")
        assert isinstance(ranks, int)
        assert isinstance(size, int)
        ranks = ranks or 1
        size = size or ranks
        if size % ranks:
            raise SettingsError(
                f"a world of {size} processes cannot have {ranks} on each machine: world_size is a "
                "multiple of ranks"
            )
        return cls(ranks=ranks, size=size)

    @property
    def is_alone(self) -> bool:
        """Whether there is one process, which nobody has told of a world."""
        return self.size == 1 and not self.told

    def environment(self, rank: int, port: int) -> dict[str, str]:
        """What ``torchrun`` tells a rank of the first machine, by names of variables."""
        if self.is_alone:
            return {}
        return {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "GROUP_RANK": "0",
            "WORLD_SIZE": str(self.size),
            "LOCAL_WORLD_SIZE": str(self.ranks),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }


ALONE = World()
SINGLE = World(told=True)


@dataclass(frozen=True, kw_only=True)
class Paces:
    """How long each rank needs for a batch (s) in steps that end when all of them have theirs.

    ``baseline`` has those of the baseline, if that was measured beside. ``step`` is how long a step
    takes.
    """

    candidate: tuple[float, ...]
    step: float
    baseline: tuple[float, ...] = ()

    @property
    def slowest(self) -> int:
        """The rank that the others wait for the longest."""
        return max(range(len(self.candidate)), key=self.candidate.__getitem__)

    @property
    def skew(self) -> float:
        """The share of a step in which the others wait for the slowest, on average."""
        others = [s for rank, s in enumerate(self.candidate) if rank != self.slowest]
        waited = self.candidate[self.slowest] - sum(others) / len(others)
        return min(1.0, waited / self.step)

    @property
    def more(self) -> tuple[float, ...]:
        """What each rank needs more than in the baseline (s)."""
        return tuple(a - b for a, b in zip(self.candidate, self.baseline, strict=False))


def mean(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """The mean of each rank, of some rows that have a figure for every rank."""
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))
