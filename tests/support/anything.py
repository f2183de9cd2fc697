"""Values of any kind, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from pytest_loaderperf.model.metrics import METRICS
from pytest_loaderperf.model.results import Comparison, Verdict


def comparisons(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[Comparison]:
    """Comparisons of some metric, whatever they say, with these numbers."""
    return st.builds(
        Comparison,
        metric=st.sampled_from(sorted(METRICS)),
        value=numbers,
        judged=st.booleans(),
        verdict=st.sampled_from(Verdict),
        baseline=st.none() | numbers,
        ratio=st.none() | numbers,
        interval=st.none() | st.tuples(numbers, numbers),
        tolerance=st.none() | numbers,
        minimum_detectable=st.none() | numbers,
        pairs=st.integers(0, 24),
        source=st.text(),
    )
