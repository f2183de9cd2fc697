"""What workers have made that nobody has taken yet, which no count of batches taken can see.

A stretch of time begins and ends with batches half made, or made and waiting. Over a few large
batches that scatters a rate far more than the machine does. So workers note their CPU time whenever
they have made a batch: where a stretch begins or ends between two such marks of a worker, its CPU
time says how far the batch between them had come (docs/verdicts.md).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from ..protocol.messages import Mark, Slice, Span

# Below so many busy CPUs workers wait for something else than the loop, such as a disk: what they
# have made does not show in their CPU time.
_BUSY = 0.5


def batches_made(taken: Slice, marks: Iterable[Mark], at_most: int) -> float:
    """Batches that workers made while a slice was timed: those taken, and what they made ahead.

    ``marks`` are all those of the trial; no more than ``at_most`` batches can be ahead.
    """
    if taken.worker_seconds < _BUSY * taken.seconds:
        return float(taken.batches)
    made = made_in(taken.spans, marks)
    return min(max(made, taken.batches - at_most), taken.batches + at_most)


def made_in(stretches: Iterable[Span], marks: Iterable[Mark]) -> float:
    """How many batches workers made in some stretches; ``marks`` are all those of the trial."""
    by_worker: dict[int, list[float]] = defaultdict(list)
    for worker, used in marks:
        by_worker[worker].append(used)
    costs = [b - a for used in by_worker.values() for a, b in pairwise(used)]
    cost = sum(costs) / len(costs) if costs else 0.0
    return sum(
        _made_by(ended, by_worker[worker], cost) - _made_by(began, by_worker[worker], cost)
        for worker, began, ended in stretches
    )


def _made_by(used: float, marks: Sequence[float], cost: float) -> float:
    """Batches that a worker had made by some CPU time, from its first mark on.

    Where a neighbouring mark is missing, the batch under way is taken to ``cost`` what all do.
    """
    if not marks:
        return 0.0
    made = bisect_right(marks, used)
    if 0 < made < len(marks):
        cost = marks[made] - marks[made - 1]
    if cost <= 0:
        return made
    began = marks[made - 1] if made else marks[0] - cost
    return made + min(max((used - began) / cost, 0.0), 1.0)
