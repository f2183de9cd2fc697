"""What workers make ahead: a simulated loader of which everything is known, and real processes."""

from __future__ import annotations

import math
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.ahead import Cost, Made, Spell, Taken, Workers, batches_made, cost, spells
from pytest_loaderperf.messages import Slice
from unit.running import python

no_deadline = settings(deadline=None)
PREFETCH = 2


def simulate(
    workers: int, batches: int, costs: list[float], delay: float = 0.0
) -> tuple[list[float], list[Taken], list[list[tuple[float, float]]]]:
    """A loop over a loader whose workers make batches in turn, each with so many under way.

    ``costs`` are the CPU times of batches, ``delay`` what the loop does with one. Returns when
    each batch was taken, what is noted of it, and when each worker was busy.
    """
    free = [0.0] * workers
    ready: list[float] = []
    busy: list[list[tuple[float, float]]] = [[] for _ in range(workers)]
    times: list[float] = []

    def order(position: int, now: float) -> None:
        worker = position % workers
        started = max(free[worker], now)
        free[worker] = started + costs[position]
        busy[worker].append((started, free[worker]))
        ready.append(free[worker])

    for position in range(workers * PREFETCH):
        order(position, 0.0)
    taken, now = [], 0.0
    for position in range(batches):
        arrived = max(ready[position], now)
        used = used_by(busy[position % workers], arrived)
        taken.append(Taken(position, arrived - now, used))
        times.append(arrived)
        order(position + workers * PREFETCH, arrived)
        now = arrived + delay
    return times, taken, busy


def used_by(spans: list[tuple[float, float]], until: float) -> float:
    """CPU time of a worker by then."""
    return sum(max(0.0, min(end, until) - start) for start, end in spans)


def slice_of(
    times: list[float],
    taken: list[Taken],
    busy: list[list[tuple[float, float]]],
    workers: int,
    first: int,
) -> Slice:
    """A slice from one batch on to the last one."""
    start, end = times[first], times[-1]
    used = sum(used_by(spans, end) - used_by(spans, start) for spans in busy)
    known_cost = cost(spells(taken, workers))
    return Slice(
        end - start, 0, len(times) - 1 - first, used, None, used,
        known_cost.batches, known_cost.seconds, known_cost.variance,
    )  # fmt: skip


@no_deadline
@given(st.integers(1, 4), st.integers(8, 30), st.integers(0, 7))
def test_batches_of_one_cost_are_known_exactly(workers: int, batches: int, skew: int) -> None:
    # The first batch of each worker takes longer: from then on they are out of step.
    costs = [1.0 + skew / 8 * i if i < workers else 1.0 for i in range(workers * (batches + 2))]
    times, taken, busy = simulate(workers, workers * batches, costs)
    measured = slice_of(times, taken, busy, workers, 2 * workers)
    made = batches_made(measured, measured, workers * PREFETCH)
    assert made.batches == pytest.approx(measured.worker_seconds)  # a batch costs one second
    assert made.variance == pytest.approx(0.0)


def test_the_rate_of_a_few_batches_scatters_far_less() -> None:
    seed = random.Random(1)

    def costs(count: int) -> list[float]:
        late = [seed.uniform(0, 1) for _ in range(2)]  # workers get out of step as they start
        return [*late, *(seed.lognormvariate(0, 0.03) for _ in range(count))]

    many = simulate(2, 5000, costs(5002))[0]
    truth = len(many) / many[-1]
    plain, accounted, guessed = [], [], []
    for _ in range(300):
        times, taken, busy = simulate(2, 20, costs(30))
        measured = slice_of(times, taken, busy, 2, 4)
        made = batches_made(measured, measured, 4)
        plain.append(math.log(measured.batches / measured.seconds / truth))
        accounted.append(math.log(made.batches / measured.seconds / truth))
        guessed.append(made.variance)
    assert statistics.stdev(plain) > 0.02
    assert statistics.stdev(accounted) < statistics.stdev(plain) / 2
    assert abs(statistics.fmean(accounted)) < 0.01
    spread = math.sqrt(statistics.fmean(guessed))
    assert spread / 1.5 < statistics.stdev(accounted) < spread * 1.5


def test_nothing_is_ahead_of_a_loop_that_is_slower_than_its_workers() -> None:
    times, taken, busy = simulate(2, 20, [1.0] * 30, delay=5.0)
    measured = slice_of(times, taken, busy, 2, 4)
    assert batches_made(measured, measured, 4) == Made(measured.batches)


def test_a_batch_that_was_waiting_says_nothing_of_its_worker() -> None:
    taken = [
        Taken(position, waited, cpu)
        for position, waited, cpu in [
            (0, 1.0, 1.0), (1, 0.0, 9.0), (2, 1.0, 2.0), (3, 0.0, 9.5), (4, 1.0, 4.0),
        ]
    ]  # fmt: skip
    assert spells(taken, 2) == [Spell(1, 1.0), Spell(1, 2.0)]
    assert spells([], 2) == []


def test_the_cost_of_a_batch_and_how_sure_it_is() -> None:
    # Both spells differ by 2/3 s from what their batches cost on average.
    found = cost([Spell(1, 1.0), Spell(2, 4.0)])
    assert (found.batches, found.seconds) == (3, 5.0)
    assert found.variance == pytest.approx(2 * 2 * (2 / 3) ** 2 / 5.0**2)
    assert cost([Spell(5, 1.0)]) == cost([]) == cost([Spell(1, 0.0)] * 2) == Cost()


BUSY = Slice(10.0, 80, 10, 15.0, None, 12.0, 10, 10.0)


@pytest.mark.parametrize(
    ("taken", "last", "expected"),
    [
        (BUSY, BUSY, 12.0),
        (BUSY, Slice(1.0, 8, 1, 1.0, None, 1.0, 10, 40.0), 6.0),  # at least what is taken less 4
        (BUSY, Slice(1.0, 8, 1, 1.0, None, 1.0, 10, 4.0), 14.0),
        (BUSY, Slice(1.0, 8, 1, 1.0, None, 1.0, 3, 3.0), 10),  # too few are known
        (BUSY, Slice(1.0, 8, 1, 1.0, None), 10),  # not followed
        (Slice(10.0, 80, 10, 15.0, None, 4.9), BUSY, 10),  # workers that wait for a disk
    ],
)
def test_batches_made(taken: Slice, last: Slice, expected: float) -> None:
    assert batches_made(taken, last, 4).batches == pytest.approx(expected)


@pytest.mark.skipif(sys.platform != "linux", reason="the clock of another process")
def test_cpu_time_is_that_of_the_worker_whose_turn_it_is() -> None:
    def epoch() -> Iterator[int]:
        for number in range(6):
            time.sleep(0.002)
            yield number

    burn = "import time\nwhile time.process_time() < 0.3: pass"
    with python(burn) as busy, python() as idle:
        workers = Workers()
        assert list(workers.follow(epoch(), [])) == list(range(6))  # nobody to follow
        for _ in range(2):
            assert list(workers.follow(epoch(), [busy, idle])) == list(range(6))
        assert workers.cpu_seconds() >= 0.3
        assert [each.cpu_seconds >= 0.3 for each in workers._taken] == [True, False] * 3
        for _ in range(2):
            workers.follow(epoch(), [os.getpid()])  # what is known of earlier epochs stays
        assert [each.batches for each in workers._known] == [1] * 8
