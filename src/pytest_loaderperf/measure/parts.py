"""What the parts of pairs say: how far pairs scatter, and whether second epochs differ."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..stats.comparison import scatter, scatter_by_part, scatter_if_alike
from ..stats.sequential import Within
from .timed_trial import RATES, Timing
from .waits import joined

# So far the ratios of both epochs of a pair may lie apart (as logarithms), unless a loss lives in
# one of them alone.
_ALIKE = 0.03


def within(
    name: str, pairs: Sequence[tuple[Timing, Timing]]
) -> tuple[Within | None, Within | None]:
    """What the parts of pairs say of the noise of a metric; and if all of a pair have one ratio.

    A loss may live in one part of an epoch, and then parts that differ in their ratios are no
    noise. But where they do not, far more of them can be compared.
    """
    if name not in (*RATES, "epoch_time"):
        return None, None
    if not pairs[0][0].segments:
        blocks = scatter(
            [
                [(c[name], b[name]) for c, b in zip(candidate.parts, baseline.parts, strict=True)]
                for candidate, baseline in pairs
            ]
        )
        return blocks, None
    if name == "cpu_time":  # which has no parts
        return None, None
    parts = [_as_many(*(_parts(name, side) for side in pair)) for pair in pairs]
    return scatter_by_part(parts), scatter_if_alike(parts)


def _parts(name: str, timing: Timing) -> Sequence[float]:
    return timing.segments if name == "epoch_time" else timing.steady_segments


def _as_many(candidate: Sequence[float], baseline: Sequence[float]) -> list[tuple[float, float]]:
    """The parts of both sides, each beside its counterpart: short epochs may have few of them."""
    parts = min(len(candidate), len(baseline))
    return list(zip(joined(candidate, parts), joined(baseline, parts), strict=True))


def first_epochs(pair: tuple[Timing, Timing], at_least: float) -> tuple[Timing, Timing] | None:
    """The first epochs of a pair of two, where the second ones say the same.

    Then one is enough for each trial of later pairs, if it takes so many seconds: more pairs tell
    more. What has changed in later epochs alone, such as a cache that the first one fills, shows in
    the second ones.
    """
    candidate, baseline = (timing.first_epoch for timing in pair)
    if candidate is None or baseline is None:
        return None
    first = [each.taken.seconds for each in (candidate, baseline)]
    second = [timing.taken.seconds - each for timing, each in zip(pair, first, strict=True)]
    apart = math.log(first[0] / first[1]) - math.log(second[0] / second[1])
    return (candidate, baseline) if min(first) >= at_least and abs(apart) <= _ALIKE else None
