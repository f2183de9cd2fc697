"""The search for the first bad commit asks few, and never names one that is not bad."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from pytest_loaderperf.stats.bisection import Between, search

HISTORIES = st.integers(1, 200).flatmap(
    lambda count: st.tuples(
        st.just(count), st.integers(1, count), st.sets(st.integers(1, max(1, count - 1)))
    )
)


@given(HISTORIES)
def test_the_first_bad_one_lies_between_what_is_known(history: tuple[int, int, set[int]]) -> None:
    count, first_bad, broken = history
    broken = broken - {count}  # that the last one is bad is known
    asked: list[int] = []

    def is_bad(commit: int) -> bool | None:
        asked.append(commit)
        return None if commit in broken else commit >= first_bad

    found = search(count, is_bad)
    assert found.good < first_bad <= found.bad
    assert len(asked) == len(set(asked))
    assert not {0, count} & set(asked)
    # Whatever lies between them could not be told.
    assert set(range(found.good + 1, found.bad)) <= broken
    if not broken:
        assert found == Between(good=first_bad - 1, bad=first_bad)
        assert len(asked) <= math.ceil(math.log2(count)) if count > 1 else not asked
