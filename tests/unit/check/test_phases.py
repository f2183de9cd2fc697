"""Where the time of a check goes, by a clock that is given."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import pytest

from pytest_loaderperf.check.phases import Phases


def clock(*steps: float) -> Iterator[float]:
    """What a clock says that goes on by so much each time that it is looked at."""
    return accumulate(steps)


def test_what_is_inside_of_another_phase_counts_there_alone() -> None:
    times = clock(0, 1, 2, 4, 8, 16)
    phases = Phases(lambda: next(times))
    with phases("timing"):  # from 0
        with phases("starting"):  # from 1 to 3
            pass
        with phases("confirming"):  # from 7 to 15
            pass
    assert phases.seconds == {"starting": 2, "confirming": 8, "timing": 31 - 10}


def test_one_that_fails_counts_and_the_same_again_adds_up() -> None:
    times = clock(0, 1, 2, 4)
    phases = Phases(lambda: next(times))
    with pytest.raises(ValueError, match="it"), phases("memory"):
        raise ValueError("it")
    with phases("memory"):
        pass
    assert phases.seconds == {"memory": 1 + 4}
