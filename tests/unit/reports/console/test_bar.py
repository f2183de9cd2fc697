"""Bars: where the point, its interval and the tolerance lie."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.model.metrics import METRICS
from pytest_loaderperf.model.results import Comparison, Verdict
from pytest_loaderperf.reports.console.bar import NARROW, WIDE, bar, legend
from pytest_loaderperf.reports.console.screen import ASCII, UNICODE, Glyphs, width


def compared(
    ratio: float | None,
    interval: tuple[float, float] | None = None,
    metric: str = "throughput",
    tolerance: float | None = 0.1,
) -> Comparison:
    return Comparison(
        metric=metric,
        value=1.0,
        judged=True,
        verdict=Verdict.UNCHANGED,
        ratio=ratio,
        interval=interval,
        tolerance=tolerance,
    )


@pytest.mark.parametrize(
    ("comparison", "drawn"),
    [
        (compared(1.0, (0.98, 1.02)), "    ┊  ─●─  ┊    "),
        (compared(1.0, (0.9, 1.1)), "    ┼───●───┼    "),
        (compared(0.9, (0.88, 0.92)), "   ─●─      ┊    "),
        (compared(0.85, (0.8, 0.9)), "──●─┼       ┊    "),
        (compared(0.5, (0.48, 0.52)), "◀   ┊       ┊    "),
        (compared(0.75, (0.5, 1.0)), "◀───┼────   ┊    "),
        (compared(1.5, (1.4, 1.6)), "    ┊       ┊   ▶"),
        # More memory, or more time, is worse: on the left as well.
        (compared(1.1, (1.09, 1.11), "peak_memory"), "    ●       ┊    "),
        (compared(0.8, None, "epoch_time"), "    ┊       ┊   ●"),
        # Without an interval, as after a single pair, there is a point alone.
        (compared(1.0), "    ┊   ●   ┊    "),
        (compared(1.0, (0.0, math.inf)), "    ┊   ●   ┊    "),
        (compared(1.0, (0.95, math.inf)), "    ┊ ──●───┼────"),
    ],
)
def test_a_point_in_its_interval_between_the_tolerances(comparison: Comparison, drawn: str) -> None:
    assert bar(comparison, WIDE, UNICODE) == drawn


def test_a_narrow_bar_says_the_same() -> None:
    assert bar(compared(0.9, (0.88, 0.96)), NARROW, UNICODE) == "  ●─  ┊  "
    assert bar(compared(0.5), NARROW, UNICODE) == "◀ ┊   ┊  "


def test_a_bar_of_ascii() -> None:
    assert bar(compared(0.95, (0.9, 1.0)), WIDE, ASCII) == "    +-o--   |    "
    assert bar(compared(0.5), WIDE, ASCII) == "<   |       |    "
    assert bar(compared(2.0), WIDE, ASCII) == "    |       |   >"


@pytest.mark.parametrize(
    "comparison",
    [
        None,
        compared(None),
        compared(1.0, tolerance=None),
        compared(1.0, tolerance=0.0),
        compared(1.0, tolerance=math.inf),
        compared(math.nan),
    ],
)
def test_where_nothing_is_compared_nothing_is_drawn(comparison: Comparison | None) -> None:
    assert bar(comparison, WIDE, UNICODE) == ""


numbers = st.floats()


@given(
    st.builds(
        compared,
        st.none() | numbers,
        st.none() | st.tuples(numbers, numbers),
        st.sampled_from(sorted(METRICS)),
        st.none() | numbers,
    ),
    st.sampled_from([WIDE, NARROW]),
    st.sampled_from([UNICODE, ASCII]),
)
@settings(deadline=None)
def test_any_bar_has_its_width_and_one_point(
    comparison: Comparison, columns: int, glyphs: Glyphs
) -> None:
    drawn = bar(comparison, columns, glyphs)
    assert width(drawn) in (0, columns)
    points = sum(drawn.count(each) for each in (glyphs.point, glyphs.left, glyphs.right))
    assert points == bool(drawn)
    assert set(drawn) <= {*"".join(vars(glyphs).values()), " "}


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("columns", [WIDE, NARROW])
def test_the_title_says_where_worse_is(columns: int, glyphs: Glyphs) -> None:
    title = legend(columns, glyphs)
    assert width(title) <= columns
    assert "worse" in title
