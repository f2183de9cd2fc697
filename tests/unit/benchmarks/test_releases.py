"""Which verdicts agree with plain loops over two releases."""

from __future__ import annotations

import pytest
from releases import PROJECTS, agrees, allowed


@pytest.mark.parametrize(
    ("ratio", "right"),
    [
        (0.5, {"regressed"}),
        (0.95, {"unchanged", "regressed"}),
        (1.0, {"unchanged"}),
        (1.05, {"unchanged", "improved"}),
        (2.0, {"improved"}),
    ],
)
def test_verdicts_that_a_ratio_allows(ratio: float, right: set[str]) -> None:
    assert allowed(ratio) == right


def test_verdict_agrees_with_the_median_of_plain_loops() -> None:
    line = {"plain": 0.97, "plain_interval": (0.9, 1.01)}
    assert agrees({**line, "throughput": "unchanged"})
    assert agrees({**line, "throughput": "regressed"})
    assert not agrees({**line, "throughput": "improved"})
    assert not agrees({**line, "throughput": None})


def test_checks_have_at_most_ten_lines() -> None:
    lines = [[line for line in each.check.splitlines() if line] for each in PROJECTS]
    assert len(lines) == 5
    assert max(map(len, lines)) <= 10
