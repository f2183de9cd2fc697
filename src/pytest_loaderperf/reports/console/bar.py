"""A ratio with its interval against the tolerance, as a few characters in a line."""

from __future__ import annotations

import math

from ...model.metrics import METRICS
from ...model.results import Comparison
from .screen import Glyphs

WIDE, NARROW = 17, 9  # columns: the middle and both tolerances have one of their own
_REACH = 2.0  # tolerances from the middle to either end


def legend(columns: int, glyphs: Glyphs) -> str:
    """What to call a column of bars: worse is on the left in all of them."""
    if columns < WIDE:
        return f"{glyphs.left} worse"
    side = (columns - 5) // 2
    return f"{'worse':<{side}}{'1':^5}{'better':>{side}}"


def bar(comparison: Comparison | None, columns: int, glyphs: Glyphs) -> str:
    """A point for the ratio in a line for its interval, between marks at one tolerance.

    In the middle nothing has changed, and worse is on the left, whichever the metric. Empty where
    there is nothing to compare.
    """
    if comparison is None or not comparison.ratio or not comparison.tolerance:
        return ""
    point = _place(comparison, comparison.ratio)
    if math.isnan(point) or not comparison.tolerance < math.inf:
        return ""
    marks = (_column(-1, columns), _column(1, columns))
    cells = [glyphs.mark if each in marks else " " for each in range(columns)]
    for each in _interval(comparison, columns):
        cells[each] = glyphs.cross if each in marks else glyphs.line
    beyond = glyphs.left if point < 0 else glyphs.right
    cells[_column(point, columns)] = beyond if abs(point) > _REACH else glyphs.point
    return "".join(cells)


def _interval(comparison: Comparison, columns: int) -> range:
    """The columns of the interval; none where it is unknown, as after a single pair."""
    ends = sorted(_place(comparison, each) for each in comparison.interval or ())
    if len(ends) < 2 or any(map(math.isnan, ends)) or comparison.interval == (0.0, math.inf):
        return range(0)
    low, high = ends
    return range(_column(low, columns), _column(high, columns) + 1)


def _place(comparison: Comparison, ratio: float) -> float:
    """Where a ratio lies, in tolerances: worse is negative."""
    assert comparison.tolerance
    return -METRICS[comparison.metric].loss(ratio) / comparison.tolerance


def _column(place: float, columns: int) -> int:
    share = (min(max(place, -_REACH), _REACH) + _REACH) / (2 * _REACH)
    return math.floor(share * (columns - 1) + 0.5)
