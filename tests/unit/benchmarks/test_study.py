"""The arithmetic of the studies behind docs/evidence.md: bounds, and what peers would say."""

from __future__ import annotations

import math
import random

import detection
import peers
import pytest
import study


@pytest.mark.parametrize(
    ("count", "total", "rate"),
    [
        (0, 300, 1 - 0.05 ** (1 / 300)),  # nothing in 300: the rule of three
        (0, 1, 0.95),
        (1, 100, 0.0466),  # of a table
        (100, 100, 1.0),
    ],
)
def test_a_bound_holds_whatever_is_plausible(count: int, total: int, rate: float) -> None:
    assert study.bound(count, total) == pytest.approx(rate, abs=1e-4)


def test_a_bound_is_what_it_says() -> None:
    """At the bound itself, so few as were counted come up in 5 of 100 studies."""
    rate = study.bound(3, 100)
    few = sum(math.comb(100, k) * rate**k * (1 - rate) ** (100 - k) for k in range(4))
    assert few == pytest.approx(0.05)


def test_others_take_what_they_take_on_average() -> None:
    pairs = [{"candidate": 0.1, "baseline": 0.3}, {"candidate": 0.0, "baseline": 0.0}]
    assert study.others({"noise": pairs}) == pytest.approx(0.1)
    assert study.others({"noise": []}) == 0


def runs(factor: float, noise: float = 0.01) -> tuple[list[float], list[float]]:
    draw = random.Random(0)
    before = [draw.gauss(1.0, noise) for _ in range(12)]
    return before, [factor * draw.gauss(1.0, noise) for _ in range(12)]


def test_peers_see_what_is_large_and_not_what_is_nothing() -> None:
    assert set(peers.called([runs(1.3)]).values()) == {1}
    assert set(peers.called([runs(1.0)]).values()) == {0}
    assert set(peers.called([runs(1.3), runs(1.0), runs(0.7)]).values()) == {1}


def test_a_test_of_means_takes_what_is_sure_for_what_matters() -> None:
    found = peers.called([runs(1.04, noise=0.005)])
    assert found.pop("Welch t, p < 0.001") == 1
    assert set(found.values()) == {0}  # their threshold is 10 %


def test_losses_are_counted_by_loader_and_size() -> None:
    lines = [
        {"condition": condition, "nodeid": "test_numpy.py::test_rows", "verdict": verdict}
        for condition, verdict in [
            ("same", "unchanged"),
            ("loss 10 %", "regressed"),
            ("loss 10 %", "inconclusive"),
            ("loss 5 %, tolerance 5 %", "regressed"),
            ("layout", "unchanged"),
            ("gain 11 %", "improved"),
        ]
    ]
    (found,) = detection.counts(lines).values()
    assert dict(found) == {0.0: [False], 10.0: [True, False]}


def test_a_run_is_compared_with_the_last_of_the_accepted_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fast, slow = runs(1.3)
    times = [
        ("peers, same", 0, slow),
        ("peers, same", 4000, fast),  # more than an hour later: not compared
        ("peers, same", 5000, fast),
        ("peers, loss 10 %", 6000, slow),
        ("peers, loss 10 %", 7000, slow),
    ]
    study.show_peers(
        [
            {"condition": name, "nodeid": "a", "when": when, "times": run}
            for name, when, run in times
        ]
    )
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * len(peers.PEERS)
    for line in lines:
        assert ("0 of 1 (" if "the same again" in line else "2 of 2 (") in line
