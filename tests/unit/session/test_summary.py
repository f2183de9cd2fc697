"""The exit status of a run."""

from __future__ import annotations

import pytest

from pytest_loaderperf.model.results import Verdict
from pytest_loaderperf.session.summary import status_for_bisect


@pytest.mark.parametrize(
    ("status", "verdicts", "expected"),
    [
        (0, ["unchanged", "improved", "identical", "compared"], 0),
        (1, ["compared"], 1),
        (1, ["unchanged", "regressed"], 1),
        (1, ["error", "regressed"], 1),  # whatever the other one may be
        (1, ["unchanged"], 1),  # an assertion of its own fails
        (0, ["unchanged", "inconclusive"], 125),
        (1, ["inconclusive"], 125),  # with --loaderperf-strict
        (1, ["error"], 125),
        (1, ["incomparable"], 125),
        (1, ["no_baseline"], 125),
        (0, ["measured"], 125),
        (2, ["unchanged"], 125),  # another module cannot be imported
        (2, [], 125),
        (3, [], 125),
        (5, [], 125),
    ],
)
def test_git_bisect_is_told_good_bad_or_neither(
    status: int, verdicts: list[str], expected: int
) -> None:
    assert status_for_bisect(status, [Verdict(each) for each in verdicts]) == expected
