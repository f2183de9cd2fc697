"""What speaks against a verdict: stalls that pairs are too short for, epochs too long."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_loaderperf.baselines.store import Record, Stored
from pytest_loaderperf.check import doubts
from pytest_loaderperf.check.state import Findings, Known, Pair
from pytest_loaderperf.measure.plan import Lengths, Plan, Whole
from pytest_loaderperf.measure.timed_trial import Timing
from pytest_loaderperf.measure.waits import Waits
from pytest_loaderperf.model.results import Comparison, Verdict
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.protocol.messages import Slice

LENGTHS = Lengths(pair=2.0, most=8.0)


def timing(seconds: float, count: int, lost: float = 0.5) -> Timing:
    """A trial of so many seconds with so many stalls, each of which lost some time."""
    return Timing(
        values={},
        workload=Workload(batch="int", bytes_per_sample=8.0),
        taken=Slice(
            stretches=[(0.0, seconds)], samples=80, batches=10, cpu_seconds=1.0, epoch_batches=None
        ),
        made=10.0,
        waits=Waits(stalls=count, lost=count * lost, squares=count * lost**2, seconds=seconds),
    )


def pairs(seconds: float, *counts: tuple[int, int], lost: float = 0.5) -> list[Pair]:
    """Pairs of which each side has taken so long, with so many stalls of candidate and baseline."""
    return [(timing(seconds, ours, lost), timing(seconds, theirs, lost)) for ours, theirs in counts]


# --- how far apart they are -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "apart"),
    [
        ([(0, 0)], 0.0),
        ([(2, 2)], 1.0),
        ([(2, 1)], 2.0),
        ([(1, 2)], 2.0),
        ([(0, 1)], 2.0),  # as far as the other side tells
        ([(1, 1), (0, 0), (1, 0), (0, 1)], 4.0),
    ],
)
def test_they_are_as_far_apart_as_on_the_side_that_has_fewer(
    counts: list[tuple[int, int]], apart: float
) -> None:
    assert doubts.distance(pairs(2.0, *counts)) == apart


@pytest.mark.parametrize(("lost", "apart"), [(0.03, 0.0), (0.05, 2.0)])
def test_those_that_take_next_to_no_time_do_not_count(lost: float, apart: float) -> None:
    assert doubts.distance(pairs(2.0, (1, 1), lost=lost)) == apart


# --- longer pairs ---------------------------------------------------------------------------------


def test_without_stalls_pairs_are_as_long_as_they_were() -> None:
    assert doubts.longer(pairs(2.0, (0, 0)), LENGTHS) == LENGTHS


@pytest.mark.parametrize(
    ("counts", "pair"),
    [
        ((3, 3), 2.0),
        ((2, 2), 2.0),
        ((1, 2), 6.0),  # every 2 s, on one side: three of them
        ((0, 1), 6.0),
    ],
)
def test_pairs_that_hold_too_few_stalls_get_longer(counts: tuple[int, int], pair: float) -> None:
    assert doubts.longer(pairs(2.0, counts), LENGTHS) == Lengths(pair=pair, most=8.0)


def test_they_get_no_longer_than_a_budget_allows() -> None:
    few = pairs(2.0, (1, 0), (0, 1), (0, 0))
    assert doubts.distance(few) == 6.0
    assert doubts.longer(few, LENGTHS) == Lengths(pair=8.0, most=8.0)


@pytest.mark.parametrize(("seconds", "pair"), [(7.0, 8.0), (7.3, 2.0)])
def test_what_is_nearly_as_long_is_not_measured_anew(seconds: float, pair: float) -> None:
    assert doubts.longer(pairs(seconds, (1, 1)), LENGTHS).pair == pair


def test_pairs_of_the_longest_length_stay() -> None:
    longest = doubts.longer(pairs(2.0, (0, 1), (0, 0)), LENGTHS)
    assert longest.pair == 8.0
    assert doubts.longer(pairs(8.0, (0, 1), (0, 0)), longest) == longest


def test_longer_pairs_are_noted() -> None:
    text = doubts.note(pairs(2.0, (1, 1)), Lengths(pair=6.0, most=8.0))
    assert text == "stalls come about every 2 s: each pair has timed 6 s of both sides"


# --- what they cannot show ------------------------------------------------------------------------


def test_stalls_that_are_little_of_a_wide_tolerance_decide_nothing() -> None:
    few = pairs(2.0, (1, 1), (0, 0), (0, 0))
    share = max(
        sum((each.waits for each in side), Waits()).share for side in zip(*few, strict=True)
    )
    assert doubts.unproven(few, 4.9 * share)
    assert not doubts.unproven(few, 5.1 * share)


@pytest.mark.parametrize("counts", [[(0, 0)], [(1, 1)], [(3, 2), (2, 2)]])
def test_pairs_that_hold_a_stall_each_can_prove_that_nothing_has_changed(
    counts: list[tuple[int, int]],
) -> None:
    assert doubts.unproven(pairs(2.0, *counts)) == ""


def test_pairs_between_which_stalls_lie_prove_nothing() -> None:
    text = doubts.unproven(pairs(2.0, (1, 1), (0, 0), (0, 0)))
    assert text.startswith("stalls come about every 6 s, and a pair times only 2 s of each side")
    assert text.endswith("give this check a larger budget")


@pytest.mark.parametrize(
    ("name", "now", "before", "told"),
    [
        ("stalled", 0.25, 0.015, "stalls took 25 % of the time, and 1.5 % in the baseline"),
        ("stalled", 0.0, 0.1, "stalls took 0 % of the time, and 10 % in the baseline"),
        ("stalled", 0.01, 0.01, ""),
        ("wait_p99", 0.25, 0.1, ""),
    ],
)
def test_stalls_are_told_where_they_take_some_time(
    name: str, now: float, before: float, told: str
) -> None:
    comparison = Comparison(
        metric=name, value=now, judged=False, verdict=Verdict.UNCHANGED, baseline=before
    )
    assert doubts.shown(comparison) == told


# --- epochs that have become too long ------------------------------------------------------------


@pytest.mark.parametrize(
    ("pace", "epoch_batches", "stored", "told"),
    [
        (10.0, 50, None, True),  # five seconds by its start, and yet it does not fit
        (10.0, 100, None, False),  # ten seconds do not fit, as its start tells
        (10.0, 100, 6.0, True),  # it has fitted before
        (10.0, None, None, False),
        (10.0, None, 4.0, True),
    ],
)
def test_an_epoch_that_has_outgrown_the_budget_is_told(
    pace: float, epoch_batches: int | None, stored: float | None, told: bool
) -> None:
    steady = Plan(warmup=2, drain=0, batches=10, slices=4, epoch_batches=epoch_batches)
    calibration: Any = SimpleNamespace(plan=steady, pace=pace, values={"first_batch": 0.1})
    known = Known(calibration=calibration, judged=frozenset(), repaced=steady)
    metrics = {"epoch_time": Stored(value=stored, spread=0.0)} if stored else {}
    bench: Any = SimpleNamespace(
        lengths=Lengths.within(60.0), spec=SimpleNamespace(settings=SimpleNamespace(budget=60.0))
    )
    record = Record(metrics=metrics, versions={})
    assert bool(doubts.outgrown(bench, known, record)) == told
    fits = replace(known, repaced=replace(steady, whole=Whole(epochs=1, slices=1, skip=3)))
    assert not doubts.outgrown(bench, fits, record)


def test_what_has_outgrown_the_budget_is_not_called_unchanged() -> None:
    comparison = Comparison(
        metric="throughput", value=1.0, judged=True, verdict=Verdict.UNCHANGED, baseline=1.0
    )
    found = Findings(comparisons={"throughput": comparison})
    assert doubts.doubted(found, "why").verdict is Verdict.INCONCLUSIVE
    worse = Findings(comparisons={"throughput": replace(comparison, verdict=Verdict.REGRESSED)})
    assert doubts.doubted(worse, "why").verdict is Verdict.REGRESSED
