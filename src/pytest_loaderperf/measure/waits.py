"""How long each batch was waited for: stalls, and where a stretch of bursts may begin and end."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from ..protocol.messages import Stretch

# A wait of so many typical ones is a stall.
_STALL = 5
# Batches that come in bursts spend most of their time in waits of so many times the mean.
_BURST = 1.5
_IN_BURSTS = 0.5
_BURSTS = 4  # fewer do not show that they are ones
_PERIODS = 2  # of bursts, that may be left out at an end
_SEGMENTS = 16  # of the stretches of a trial, at most


@dataclass(frozen=True, kw_only=True)
class Waits:
    """What the waits of a trial say, all in seconds.

    ``p99`` is the longest but one in a hundred. ``lost`` is what its ``stalls`` took more than
    typical waits, of ``seconds`` in all, and ``squares`` the sum of the squares of that.
    """

    p99: float = 0.0
    stalls: int = 0
    lost: float = 0.0
    squares: float = 0.0
    seconds: float = 0.0

    @classmethod
    def of(cls, waits: Sequence[float]) -> Waits:
        """What some waits say.

        A typical one is the median of time: half of the time is spent in waits that are no longer.
        Where batches come in bursts, most waits are next to nothing, but they take no time.
        """
        ordered = sorted(waits)
        seconds = math.fsum(ordered)
        if not seconds > 0:
            return cls()
        until = list(accumulate(ordered))
        typical = ordered[min(bisect_right(until, seconds / 2), len(ordered) - 1)]
        stalls = [wait - typical for wait in ordered if wait > _STALL * typical]
        return cls(
            p99=ordered[math.ceil(0.99 * len(ordered)) - 1],
            stalls=len(stalls),
            lost=math.fsum(stalls),
            squares=math.fsum(lost**2 for lost in stalls),
            seconds=seconds,
        )

    @property
    def share(self) -> float:
        """The share of time that was lost in stalls."""
        return self.lost / self.seconds if self.seconds else 0.0

    @property
    def apart(self) -> float:
        """How far apart stalls are (s), 0 if there are none.

        Many small ones do not hide a few large ones: those count that lose the most.
        """
        return self.seconds * self.squares / self.lost**2 if self.lost else 0.0

    def __add__(self, other: Waits) -> Waits:
        return Waits(
            p99=max(self.p99, other.p99),
            stalls=self.stalls + other.stalls,
            lost=self.lost + other.lost,
            squares=self.squares + other.squares,
            seconds=self.seconds + other.seconds,
        )


class Clock:
    """The time that a process has seen, since it does not see that for which it is suspended."""

    def __init__(self, suspended: Iterable[Stretch]) -> None:
        ordered = sorted(suspended)
        self._starts = [start for start, _ in ordered]
        self._lost = [0.0, *accumulate(end - start for start, end in ordered)]
        self._ends = [end for _, end in ordered]

    def __call__(self, when: float) -> float:
        """A moment, without all that the process had been suspended for by then."""
        over = bisect_right(self._starts, when)
        if over and when < self._ends[over - 1]:  # in the midst of it
            return self._starts[over - 1] - self._lost[over - 1]
        return when - self._lost[over]


def bursts(arrivals: Sequence[float]) -> tuple[int, int]:
    """The first and the last arrival between which a rate can be told.

    A loader with many requests under way delivers in bursts. A stretch that begins in one and ends
    after another has up to a burst more than was made in its time: so both ends of it are last
    arrivals of bursts. Where bursts do not come from end to end, it is all arrivals.
    """
    first, last = 0, len(arrivals) - 1
    gaps = [after - before for before, after in pairwise(arrivals)]
    if not gaps:
        return first, last
    longest = _BURST * math.fsum(gaps) / len(gaps)
    long = [index for index, gap in enumerate(gaps) if gap > longest]
    in_long = math.fsum(gaps[index] for index in long)
    if len(long) < _BURSTS or in_long < _IN_BURSTS * math.fsum(gaps):
        return first, last
    period = _PERIODS * (arrivals[last] - arrivals[first]) / len(long)
    begins, ends = arrivals[long[0]] - arrivals[first], arrivals[last] - arrivals[long[-1]]
    return (first, last) if max(begins, ends) > period else (long[0], long[-1])


def segments(
    stretches: Sequence[Stretch], arrivals: Sequence[Sequence[float]]
) -> list[tuple[float, int]]:
    """How long each part of some stretches took (s), and how many arrivals it has.

    Parts go by the position of their batches. Those of two trials can be compared, whatever their
    speed, if their stretches have as many batches.
    """
    each = max(1, _SEGMENTS // len(stretches)) if stretches else 1
    found = []
    for (began, ended), came in zip(stretches, arrivals, strict=True):
        parts = max(1, min(each, len(came)))
        until = [part * len(came) // parts for part in range(parts + 1)]
        times = [began, *(came[index - 1] for index in until[1:-1]), ended]
        for (before, after), (first, last) in zip(pairwise(times), pairwise(until), strict=True):
            found.append((after - before, last - first))
    return found


def joined(seconds: Sequence[float], parts: int) -> list[float]:
    """Neighbouring segments as one, so that there are no more than so many parts."""
    parts = min(parts, len(seconds))
    until = [part * len(seconds) // parts for part in range(parts + 1)] if parts else []
    return [math.fsum(seconds[first:last]) for first, last in pairwise(until)]
