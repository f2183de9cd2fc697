"""How many batches to warm up, and to time in a slice: pure arithmetic.

The figures come from measurements (docs/verdicts.md): with N workers batches arrive in bursts of
N, so a slice is a multiple of N; a slice well under 100 ms reads too fast, since prefetching goes
on in the millisecond between its end and the suspension.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..protocol.messages import Slice

SLICE_SECONDS = 0.15
# A stretch of steady state costs some 0.3 ms around it (a shuffled heap, two looks at CPU time):
# an epoch whose steady state is no longer than this is timed as a whole.
SHORTEST_STRETCH = 0.001
# Timed seconds of each arm in a pair, for which two trials must be set up and ended. With workers
# a pair may also begin and end with more or fewer batches under way, which counts the less the
# longer it is: photos in batches of 32 through two workers scattered by 8.3 % between 16 pairs of
# 0.8 s, by 1.7 % between 10 pairs of 2.4 s (benchmarks/pairs.py).
PAIR_SECONDS = 2.4
# Up to so many timed batches, workers are followed to see what they make ahead of the loop: a mark
# of a batch costs its worker some 3 us.
FEW_BATCHES = 2000
# A loader that uses less than this share of the CPUs that it could use waits for something else,
# unless the machine gives it no more.
_BUSY = 0.8
# New epochs within a trial may take so much of the time that is timed.
_FOR_STARTS = 0.25
# A small budget holds as many pairs as this: fewer could not decide.
PAIRS_IN_A_BUDGET = 12
# Slices of each arm in a pair. How far its ABBA blocks lie apart foretells the noise of pairs: one
# block says nothing, and three are worth the start of another epoch.
SLICES_AT_LEAST = 4
SLICES_WANTED = 6


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What each trial of a check does.

    ``epochs`` is 0 for a steady state; else an epoch is too short to have one, and so many whole
    epochs, start and end included, make a slice. With ``short_turns`` it may be suspended
    within one.
    """

    warmup: int
    drain: int
    batches: int
    slices: int
    epochs: int = 0
    epoch_batches: int | None = None
    short_turns: bool = False

    @property
    def follow(self) -> bool:
        """Whether so few batches are timed that those which workers make ahead count."""
        return not self.epochs and self.batches * self.slices <= FEW_BATCHES


def warmup_batches(workers: int, prefetch: int) -> int:
    """Batches to discard after the first one, at least two.

    Each worker makes its first one slowly. That a queue may be filling up still does no harm: what
    workers make ahead is told apart, or so little that it does not count. Without workers a queue
    is somebody's whom nobody follows: all that it may hold.
    """
    return max(2, workers or prefetch)


def pair_seconds(budget: float) -> float:
    """How long to time each arm in a pair, so that a budget (seconds) holds pairs enough."""
    return min(PAIR_SECONDS, budget / PAIRS_IN_A_BUDGET / 2)


def is_busy(taken: Slice, workers: int, cpus: float) -> bool:
    """Whether a loader kept the CPUs busy that it could use, and so waited for nothing else.

    Without workers that is one: how many threads it could use cannot be known.
    """
    return taken.cpu_seconds >= _BUSY * taken.seconds * min(max(workers, 1), cpus)


def plan(
    batch_seconds: float,
    workers: int,
    prefetch: int,
    epoch_batches: int | None = None,
    pair_seconds: float = PAIR_SECONDS,
    *,
    start_seconds: float = math.inf,
    short_turns: bool = False,
) -> Plan:
    """Plan the trials of a loader that takes so long for a batch in its steady state.

    ``start_seconds`` is how long it takes until an epoch has its first batch.
    """
    warmup = warmup_batches(workers, prefetch)
    drain = workers * prefetch
    step = max(workers, 1)
    steady = math.inf if epoch_batches is None else epoch_batches - 1 - warmup - drain
    if steady < step or steady * batch_seconds < SHORTEST_STRETCH:
        assert epoch_batches is not None
        epochs = max(1, math.ceil(SLICE_SECONDS / (batch_seconds * epoch_batches)))
        seconds = epochs * epoch_batches * batch_seconds
        return Plan(
            warmup=0,
            drain=0,
            batches=0,
            slices=_slices(seconds, pair_seconds),
            epochs=epochs,
            epoch_batches=epoch_batches,
            short_turns=short_turns,
        )
    batches = step * math.ceil(SLICE_SECONDS / batch_seconds / step)
    slices = _slices(batches * batch_seconds, pair_seconds)
    # Where new epochs start slowly, rather time less than begin one. Where not even one ABBA block
    # fits in, there is no choice.
    fitting = 2 * int(min(steady, 2 * slices * batches) // (2 * batches))
    starts = math.ceil(slices * batches / steady) - 1
    if fitting and starts > 0 and starts * start_seconds > _FOR_STARTS * pair_seconds:
        slices = min(slices, max(fitting, SLICES_WANTED))
    if epoch_batches is not None:
        drain += int(steady % step)  # a part of a burst would be fast or slow, as it happens
    return Plan(
        warmup=warmup,
        drain=drain,
        batches=batches,
        slices=slices,
        epochs=0,
        epoch_batches=epoch_batches,
        short_turns=short_turns,
    )


def _slices(seconds: float, pair_seconds: float) -> int:
    """Slices of each arm in a pair: even, so that every ABBA block is whole."""
    return max(SLICES_AT_LEAST, 2 * round(pair_seconds / seconds / 2))
