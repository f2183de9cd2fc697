"""What waits say: stalls, a clock that stands still, whole bursts, and the parts of a stretch."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.measure.waits import Clock, Waits, bursts, joined, segments

no_deadline = settings(deadline=None)
some_waits = st.lists(st.floats(0, 1e3), max_size=50)


# --- stalls -------------------------------------------------------------------------------------


def test_a_wait_of_many_typical_ones_is_a_stall() -> None:
    steady, stalled = [0.01] * 997, [0.2] * 3
    waits = Waits.of([*steady[:500], *stalled, *steady[500:]])
    assert waits.stalls == 3
    assert waits.lost == pytest.approx(3 * (0.2 - 0.01))
    assert waits.seconds == pytest.approx(997 * 0.01 + 3 * 0.2)
    assert waits.share == pytest.approx(0.57 / 10.57)


@pytest.mark.parametrize(("longer", "stalls"), [(4.9, 0), (5.1, 1)])
def test_a_wait_of_a_few_typical_ones_is_none(longer: float, stalls: int) -> None:
    assert Waits.of([*[0.01] * 100, longer * 0.01]).stalls == stalls


@pytest.mark.parametrize("burst", [2, 8, 500])
def test_the_waits_for_regular_bursts_are_no_stalls(burst: int) -> None:
    between_bursts, within = 0.5, 0.0005
    waits = Waits.of([between_bursts, *[within] * (burst - 1)] * 10)
    assert (waits.stalls, waits.lost, waits.share) == (0, 0, 0)


def test_one_burst_that_comes_late_is_a_stall() -> None:
    bursts = [0.5, *[0.0001] * 31] * 20
    waits = Waits.of([*bursts, 4.5, *bursts])
    assert waits.stalls == 1
    assert waits.lost == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("count", "p99"), [(1, 1.0), (50, 50.0), (100, 99.0), (101, 100.0), (1000, 990.0)]
)
def test_one_wait_in_a_hundred_is_longer_than_the_p99(count: int, p99: float) -> None:
    waits = [float(n) for n in range(1, count + 1)]
    random.Random(1).shuffle(waits)
    assert Waits.of(waits).p99 == p99


@pytest.mark.parametrize("waits", [[], [0.0], [0.0, 0.0]])
def test_no_wait_at_all_says_nothing(waits: list[float]) -> None:
    assert Waits.of(waits) == Waits()
    assert Waits.of(waits).share == 0


@given(some_waits)
@no_deadline
def test_stalls_take_a_part_of_the_time(waits: list[float]) -> None:
    found = Waits.of(waits)
    assert found.seconds == pytest.approx(math.fsum(waits))
    assert 0 <= found.share < 1
    assert 0 <= found.stalls <= len(waits) / 2
    assert (found.lost > 0) == (found.stalls > 0)


@given(some_waits, st.randoms(use_true_random=False))
@no_deadline
def test_when_a_wait_was_does_not_matter(waits: list[float], generator: random.Random) -> None:
    shuffled = generator.sample(waits, len(waits))
    assert Waits.of(shuffled) == Waits.of(waits)


def test_the_sum_of_waits_has_all_their_time_and_the_worst_p99() -> None:
    one = Waits(p99=0.1, stalls=2, lost=0.5, seconds=4.0)
    other = Waits(p99=0.3, stalls=1, lost=0.25, seconds=2.0)
    both = one + other
    assert both == Waits(p99=0.3, stalls=3, lost=0.75, seconds=6.0)
    assert both.share == 0.125
    assert one + Waits() == one


# --- the clock of a process that is suspended -----------------------------------------------------


@st.composite
def suspensions(draw: st.DrawFn) -> list[tuple[float, float]]:
    """Periods in which a process was suspended, some of them one right after the other."""
    ends = list(accumulate(draw(st.lists(st.floats(0, 50), max_size=20))))
    return list(zip(ends[::2], ends[1::2], strict=False))


moments = st.floats(-10, 1000)


@given(suspensions(), moments, moments, st.randoms(use_true_random=False))
@no_deadline
def test_a_clock_shows_the_time_less_that_of_suspensions(
    suspended: list[tuple[float, float]], one: float, other: float, generator: random.Random
) -> None:
    began, ended = min(one, other), max(one, other)
    clock = Clock(generator.sample(suspended, len(suspended)))
    lost = sum(max(0.0, min(ended, end) - max(began, start)) for start, end in suspended)
    assert clock(ended) - clock(began) == pytest.approx(ended - began - lost, abs=1e-6)


@given(suspensions(), st.lists(moments, min_size=2).map(sorted))
@no_deadline
def test_a_clock_never_goes_back(suspended: list[tuple[float, float]], times: list[float]) -> None:
    seen = [*map(Clock(suspended), times)]
    assert all(after >= before - 1e-9 for before, after in pairwise(seen))


@pytest.mark.parametrize(
    ("when", "shown"),
    [(1.0, 1.0), (2.0, 2.0), (3.0, 2.0), (5.0, 2.0), (6.0, 3.0), (7.5, 4.0), (9.0, 5.0)],
)
def test_a_clock_stands_still_while_its_process_is_suspended(when: float, shown: float) -> None:
    assert Clock([(7.0, 8.0), (2.0, 5.0)])(when) == shown


def test_a_process_that_was_never_suspended_sees_all_time() -> None:
    assert Clock([])(123.0) == 123.0


# --- bursts -------------------------------------------------------------------------------------


@given(
    burst=st.integers(12, 200),
    period=st.floats(0.05, 2.0),
    spread=st.floats(0, 0.3),
    periods=st.floats(5.5, 20.0),
    phase=st.floats(0, 1),
    seed=st.integers(0, 100),
)
@no_deadline
def test_the_rate_of_bursts_does_not_depend_on_where_a_stretch_begins_and_ends(
    burst: int,
    period: float,
    spread: float,
    periods: float,
    phase: float,
    seed: int,
) -> None:
    generator = random.Random(seed)
    arrivals = sorted(
        period * (number + spread * batch / burst + 0.002 * generator.random())
        for number in range(30)
        for batch in range(burst)
    )
    began = period * (1 + phase)
    seen = arrivals[bisect_left(arrivals, began) : bisect_right(arrivals, began + period * periods)]
    first, last = bursts(seen)
    assert (last - first) % burst == 0
    assert (last - first) / (seen[last] - seen[first]) == pytest.approx(burst / period, rel=0.01)


def test_both_ends_are_the_last_arrivals_of_bursts() -> None:
    gaps = [0.01] * 3 + [1.0, *[0.01] * 20] * 5 + [1.0, 0.01, 0.01]
    arrivals = list(accumulate(gaps, initial=0.0))
    assert bursts(arrivals) == (3, 3 + 21 * 5)


@pytest.mark.parametrize(
    "gaps",
    [
        [],
        [1.0],
        [0.1] * 100,
        [0.1, 0.2, 0.3] * 30,
        [*[0.01] * 50, 1.0, *[0.01] * 50],  # a stall, or two bursts: who knows
        [*[0.01] * 200, 0.2] * 10,  # stalls, in which little time is spent
        [0.5, 0.5, 0.5, 1.0],
    ],
)
def test_where_there_are_no_bursts_every_arrival_counts(gaps: list[float]) -> None:
    arrivals = list(accumulate(gaps, initial=5.0))
    assert bursts(arrivals) == (0, len(gaps))


def test_a_stretch_that_slows_down_has_no_bursts() -> None:
    arrivals = list(accumulate([*[0.002] * 120, *[0.012] * 30], initial=0.0))
    assert bursts(arrivals) == (0, 150)


def test_small_stalls_do_not_hide_a_large_one() -> None:
    large = Waits.of([*[0.01] * 900, 1.0])
    many = Waits.of([*[0.01] * 900, *[0.06] * 20, 1.0])
    assert large.apart == pytest.approx(large.seconds)
    assert many.apart > many.seconds / 5
    assert Waits.of([0.01] * 100).apart == 0


# --- the parts of stretches ---------------------------------------------------------------------

batches = st.lists(st.lists(st.floats(0.001, 10), max_size=60), max_size=24)


def stretches(waits: Sequence[Sequence[float]]) -> list[tuple[list[float], float, float]]:
    """For each stretch the arrivals after these waits, and when it began and ended."""
    made, now = [], 1.0
    for each in waits:
        came = list(accumulate(each, initial=now))
        made.append((came[1:], now, came[-1] + 0.5))
        now = came[-1] + 10.0
    return made


def parts(waits: Sequence[Sequence[float]]) -> list[float]:
    return [seconds for seconds, _ in counted(waits)]


def counted(waits: Sequence[Sequence[float]]) -> list[tuple[float, int]]:
    made = stretches(waits)
    return segments([(began, ended) for _, began, ended in made], [came for came, _, _ in made])


@given(batches)
@no_deadline
def test_the_parts_of_stretches_add_up_to_them(waits: list[list[float]]) -> None:
    everything = sum(ended - began for _, began, ended in stretches(waits))
    found = parts(waits)
    assert sum(found) == pytest.approx(everything)
    assert all(part > 0 for part in found)
    assert sum(arrivals for _, arrivals in counted(waits)) == sum(map(len, waits))


@given(batches, st.floats(0.1, 10))
@no_deadline
def test_stretches_of_as_many_batches_have_as_many_parts(
    waits: list[list[float]], slower: float
) -> None:
    other = [[slower * wait for wait in each] for each in waits]
    assert len(parts(waits)) == len(parts(other))


def test_a_part_has_the_same_batches_whatever_they_take() -> None:
    steady = [1.0] * 40
    late = [*steady[:21], 9.0, *steady[22:]]  # its 22nd batch
    changed = [
        number
        for number, (before, after) in enumerate(zip(parts([steady]), parts([late]), strict=True))
        if before != pytest.approx(after)
    ]
    assert len(changed) == 1


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([100], 16), ([100, 100], 16), ([100] * 5, 15), ([100] * 20, 20), ([3], 3), ([0], 1), ([], 0)],
)
def test_stretches_have_few_parts(counts: list[int], expected: int) -> None:
    assert len(parts([[1.0] * count for count in counts])) == expected


@given(st.lists(st.floats(0, 1e3), max_size=50), st.integers(1, 8))
@no_deadline
def test_joined_segments_take_as_long_in_fewer_parts(seconds: list[float], parts: int) -> None:
    found = joined(seconds, parts)
    assert len(found) == min(parts, len(seconds))
    assert sum(found) == pytest.approx(sum(seconds))
