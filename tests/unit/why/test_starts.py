"""How often both sides are started to learn why a first batch comes later, and what is told."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_loaderperf.errors import ArmError
from pytest_loaderperf.measure.turns import Side
from pytest_loaderperf.why import starts
from pytest_loaderperf.why.calls import Files
from pytest_loaderperf.why.stacks import Call, Sample

FILES = Files(top="/now"), Files(top="/before")


@pytest.mark.parametrize(
    ("first_batch", "pairs"), [(0.01, 8), (0.45, 8), (0.7, 6), (1.2, 4), (1.3, 0), (60.0, 0)]
)
def test_a_look_ends_in_time_or_is_none(first_batch: float, pairs: int) -> None:
    assert starts.pairs_in_time(first_batch) == pairs


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which sides were started; the candidate takes 300 ms in a line, the baseline 100 in it."""
    order: list[str] = []

    def opened(side: Side) -> Sequence[tuple[float, float]]:
        order.append(side.nodeid)
        return [(0.0, 1.0)]

    def said(_: Side, stretches: Sequence[tuple[float, float]]) -> list[Sample]:
        assert stretches == [(0.0, 1.0)]
        top, seconds = ("/now", 0.3) if order[-1] == "candidate" else ("/before", 0.1)
        more = seconds * (1 + len(order) / 1000)  # no two are the same
        call = Call(file=f"{top}/index.py", function="build", line=7)
        common = {"gone": 0.5, "cpu_seconds": 0.0, "in_worker": False, "calls": (call,)}
        return [Sample(seconds=more, **common)]  # type: ignore[arg-type]

    monkeypatch.setattr(starts, "_opened", opened)
    monkeypatch.setattr(starts, "said", said)
    return order


def look(first_batch: float, *, always: bool = False) -> Any:
    nothing: Any = SimpleNamespace(pid=2**22 + 1)
    sides = [Side(arm=nothing, nodeid=name, pace=nothing) for name in ("candidate", "baseline")]
    return starts.why_later(sides[0], sides[1], FILES, first_batch, always=always)


def test_the_line_that_takes_longer_is_told_in_milliseconds_of_a_start(ran: list[str]) -> None:
    why = look(0.7)
    assert why.clear
    assert why.lost == pytest.approx(200, rel=0.02)
    assert why.took == pytest.approx(300, rel=0.02)
    (culprit,) = why.culprits
    assert (culprit.function, culprit.file, culprit.line) == ("build", "index.py", 7)
    assert culprit.more == pytest.approx(200, rel=0.02)
    assert culprit.waits
    assert len(ran) == 12  # six pairs, in either order
    assert ran[:4] == ["baseline", "candidate", "candidate", "baseline"]


def test_what_takes_too_long_is_looked_at_only_where_that_is_asked_for(ran: list[str]) -> None:
    with pytest.raises(ArmError, match=r"it takes 9\.0 s, and a look 8 of these"):
        look(9.0)
    assert not ran
    assert look(9.0, always=True).clear
    assert len(ran) == 8
