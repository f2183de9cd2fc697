"""How many pairs are asked where they are, in which order, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pytest_loaderperf.measure.plan import Plan, Whole
from pytest_loaderperf.measure.turns import Side
from pytest_loaderperf.why import sampling
from pytest_loaderperf.why.calls import PARTS, Files

STEADY = Plan(warmup=2, drain=0, batches=10, slices=8, short_turns=True)
WAITING = Plan(warmup=2, drain=0, batches=10, slices=8)
EPOCHS = Plan(
    warmup=2,
    drain=0,
    batches=10,
    slices=8,
    short_turns=True,
    whole=Whole(epochs=1, slices=2, skip=0),
)
BOTH = Files(top="/project"), Files(top="/project")


@pytest.mark.parametrize(
    ("paces", "orders", "slices"),
    [
        ((STEADY, STEADY), [True], [16]),  # 2.5 s are doubled
        ((WAITING, WAITING), [True, False], [8, 8]),
        ((STEADY, WAITING), [True, False], [8, 8]),
        ((EPOCHS, EPOCHS), [True], [1]),
    ],
)
def test_sides_that_do_not_take_turns_are_measured_twice_in_either_order(
    monkeypatch: pytest.MonkeyPatch,
    paces: tuple[Plan, Plan],
    orders: list[bool],
    slices: list[int],
) -> None:
    ran: list[tuple[bool, int]] = []
    covered: list[int] = []

    def add(
        sides: Sequence[Side], files: Any, roots: Any, parts: range, *, candidate_first: bool
    ) -> None:
        ran.append((candidate_first, sides[0].pace.timed_slices))
        covered.extend(parts)

    monkeypatch.setattr(sampling, "_add_pair", add)
    arm: Any = None
    sides = [Side(arm=arm, nodeid="test", pace=pace) for pace in paces]
    sampling.why_slower(sides[0], sides[1], BOTH, 2.5)
    assert ran == list(zip(orders, slices, strict=True))
    assert covered == list(range(PARTS))
