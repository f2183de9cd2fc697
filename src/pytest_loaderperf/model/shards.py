"""Parts of a run that are measured apart, on one machine after the other or on several at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One of ``of`` parts of a run, by its ``number`` from 1 up."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``"2/5"``. SettingsError if it is no shard."""
        number, _, of = text.partition("/")
        if all(each.isascii() and each.isdecimal() and len(each) < 6 for each in (number, of)):
            shard = cls(number=int(number), of=int(of))
            if 1 <= shard.number <= shard.of:
                return shard
        raise SettingsError("give which shard it is, and of how many, such as 2/5")

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True, kw_only=True)
class Share:
    """What a shard was to do of a run, and what came of it.

    ``selection`` are the node ids of all checks of the run, in order, and ``own`` those of the
    shard. Those that ``ended`` have a result, or were skipped. ``settings`` stands for all settings
    that bear upon verdicts, and ``status`` is the exit status of its pytest.
    """

    shard: Shard
    selection: tuple[str, ...]
    own: tuple[str, ...]
    ended: tuple[str, ...]
    settings: str
    status: int
    machine: Mapping[str, str | int]
