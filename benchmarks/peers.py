"""What peers make of the same loaders: pure functions of the times of their rounds.

A run is 12 rounds of a loader in one process, as pytest-benchmark times them. Two runs, one after
the other, are what its ``--benchmark-compare-fail=mean:10%`` compares, and what "12 rounds of A,
then 12 of B, and a Welch t test" compares as well.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from scipy.stats import ttest_ind

Times = Sequence[float]  # seconds of each round

THRESHOLD = 0.1
_SIGNIFICANT = 0.001


def _slower_by(statistic: Callable[[Times], float]) -> Callable[[Times, Times], bool]:
    return lambda before, after: statistic(after) > (1 + THRESHOLD) * statistic(before)


def _welch(before: Times, after: Times) -> bool:
    found = ttest_ind(after, before, equal_var=False, alternative="greater")
    return bool(found.pvalue < _SIGNIFICANT)


# Whether a peer calls the second run a regression.
PEERS: dict[str, Callable[[Times, Times], bool]] = {
    "pytest-benchmark, mean:10%": _slower_by(statistics.fmean),
    "pytest-benchmark, median:10%": _slower_by(statistics.median),
    "pytest-benchmark, min:10%": _slower_by(min),
    "Welch t, p < 0.001": _welch,
}


def called(runs: Sequence[tuple[Times, Times]]) -> dict[str, int]:
    """How many of these pairs of runs each peer calls a regression."""
    return {
        name: sum(rule(before, after) for before, after in runs) for name, rule in PEERS.items()
    }
