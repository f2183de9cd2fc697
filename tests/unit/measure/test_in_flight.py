"""What workers make ahead: a simulated loader of which everything is known, and real processes."""

from __future__ import annotations

import math
import multiprocessing
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.arm.batch_marks import Workers, spans
from pytest_loaderperf.loaders.kinds import Collate
from pytest_loaderperf.measure.in_flight import batches_made, made_in
from pytest_loaderperf.protocol.messages import Mark, Slice, Span

no_deadline = settings(deadline=None)
PREFETCH = 2


def simulate(
    workers: int, batches: int, costs: Sequence[float]
) -> tuple[list[float], list[Mark], list[list[tuple[float, float]]]]:
    """A loop over a loader whose workers make batches in turn, each with so many under way.

    ``costs`` are the CPU times of batches. Returns when each batch was taken, what workers noted,
    and when each worker was busy.
    """
    busy: list[list[tuple[float, float]]] = [[] for _ in range(workers)]
    marks: list[Mark] = []
    ready: list[float] = []
    times: list[float] = []

    def order(position: int, now: float) -> None:
        worker = position % workers
        started = max(busy[worker][-1][1] if busy[worker] else 0.0, now)
        busy[worker].append((started, started + costs[position]))
        ready.append(started + costs[position])
        marks.append((worker, used_by(busy[worker], math.inf)))

    for position in range(workers * PREFETCH):
        order(position, 0.0)
    now = 0.0
    for position in range(batches):
        now = max(ready[position], now)
        times.append(now)
        order(position + workers * PREFETCH, now)
    return times, marks, busy


def used_by(busy: Sequence[tuple[float, float]], until: float) -> float:
    """CPU time of a worker by then."""
    return sum(max(0.0, min(end, until) - start) for start, end in busy)


def stretch(busy: Sequence[Sequence[tuple[float, float]]], start: float, end: float) -> list[Span]:
    """The spans of all workers in a stretch of time."""
    return [(worker, used_by(of, start), used_by(of, end)) for worker, of in enumerate(busy)]


def test_the_rate_of_a_few_batches_scatters_far_less() -> None:
    seed = random.Random(1)

    def costs(count: int) -> list[float]:
        late = [seed.uniform(0, 1) for _ in range(2)]  # workers get out of step as they start
        return [*late, *(seed.lognormvariate(0, 0.03) for _ in range(count))]

    many = simulate(2, 5000, costs(5002))[0]
    truth = len(many) / many[-1]
    taken, made = [], []
    for _ in range(300):
        times, marks, busy = simulate(2, 20, costs(30))
        start, end = times[4], times[-1]
        known = [(worker, used) for worker, used in marks if used <= used_by(busy[worker], end)]
        batches = made_in(stretch(busy, start, end), known)
        taken.append(math.log((len(times) - 5) / (end - start) / truth))
        made.append(math.log(batches / (end - start) / truth))
    assert statistics.stdev(taken) > 0.02
    assert statistics.stdev(made) < statistics.stdev(taken) / 3
    assert abs(statistics.fmean(made)) < 0.005


costs_of_batches = st.lists(st.floats(0.01, 100), min_size=2, max_size=20)


@no_deadline
@given(costs_of_batches, st.data())
def test_batches_between_two_marks_are_counted(costs: list[float], data: st.DataObject) -> None:
    marks = [(7, sum(costs[: index + 1])) for index in range(len(costs))]
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(costs) - 1)] * 2)))
    assert made_in([(7, marks[first][1], marks[last][1])], marks) == last - first
    middle = data.draw(st.floats(marks[0][1], marks[-1][1]))
    parts = [(7, marks[0][1], middle), (7, middle, marks[-1][1])]
    assert made_in(parts, marks) == pytest.approx(len(costs) - 1)
    assert 0 <= made_in(parts[:1], marks) <= len(costs) - 1


MARKS = [(1, 10.0), (2, 5.0), (1, 12.0), (2, 9.0), (1, 16.0)]  # batches cost 10 / 3 on average


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((1, 10.0, 11.0), 1 / 2),  # a half of one that cost 2
        ((1, 11.0, 13.0), 1 / 2 + 1 / 4),
        ((1, 16.0, 17.0), 1 / (10 / 3)),  # the last one is under way: it costs what all do
        ((1, 16.0, 99.0), 1.0),  # and does not become two
        ((1, 9.0, 10.0), 1 / (10 / 3)),  # nor is it known when the first one began
        ((1, 0.0, 10.0), 1.0),
        ((2, 5.0, 9.0), 1.0),
        ((3, 0.0, 99.0), 0.0),  # never made one
    ],
)
def test_a_batch_under_way_is_known_by_its_marks(span: Span, expected: float) -> None:
    assert made_in([span], MARKS) == pytest.approx(expected)


@pytest.mark.parametrize("marks", [[], [(1, 1.0)], [(1, 1.0), (1, 1.0)]])
def test_marks_that_tell_no_cost(marks: list[Mark]) -> None:
    assert made_in([(1, 2.0, 3.0)], marks) == 0.0


BUSY = [(1, 10.0, 17.0), (2, 5.0, 5.0)]  # 2.3 batches


@pytest.mark.parametrize(
    ("seconds", "batches", "expected"),
    [
        (7.0, 2, 2.3),
        (7.0, 1, 2.0),  # no more than one can be ahead
        (7.0, 9, 8.0),
        (14.1, 9, 9.0),  # workers that wait for something else
    ],
)
def test_batches_made_are_those_taken_and_those_ahead(
    seconds: float, batches: int, expected: float
) -> None:
    taken = Slice(
        stretches=[(0.0, seconds)],
        samples=8 * batches,
        batches=batches,
        cpu_seconds=1.0,
        epoch_batches=None,
        spans=BUSY,
    )
    assert batches_made(taken, MARKS, at_most=1) == pytest.approx(expected)


def test_where_nobody_was_followed_the_batches_taken_count() -> None:
    assert (
        batches_made(
            Slice(
                stretches=[(0.0, 1.0)], samples=80, batches=10, cpu_seconds=1.0, epoch_batches=None
            ),
            [],
            at_most=4,
        )
        == 10
    )


def test_only_workers_that_live_through_a_stretch_have_a_span() -> None:
    assert spans({1: 1.0, 2: 5.0}, {2: 6.0, 3: 1.0}) == [(2, 5.0, 6.0)]


def work(collate: Collate, batches: int, then: float) -> None:
    for index in range(batches):
        until = time.process_time() + 0.02
        while time.process_time() < until:
            pass
        assert collate([index]) == [index]
    time.sleep(then)


@pytest.mark.skipif(sys.platform != "linux", reason="the clock of another process")
def test_workers_note_what_they_have_made() -> None:
    context = multiprocessing.get_context("fork")
    workers = Workers()
    collate = workers.marking(list)
    assert workers.marking(collate) is collate
    collate(())  # the loop itself is no worker
    lasting = context.Process(target=work, args=(collate, 5, 600))
    ending = context.Process(target=work, args=(collate, 3, 0))
    try:
        for process in (lasting, ending):
            process.start()
        ending.join()
        marks = workers.new_marks()
        while len(marks) < 5 + 3 and lasting.is_alive():
            time.sleep(0.01)
            marks += workers.new_marks()
        assert Counter(pid for pid, _ in marks) == {lasting.pid: 5, ending.pid: 3}
        ((alive, used),) = workers.cpu_seconds().items()
        assert alive == lasting.pid
        of_lasting = [seconds for pid, seconds in marks if pid == lasting.pid]
        assert all(later - earlier >= 0.02 for earlier, later in pairwise(of_lasting))
        assert used >= of_lasting[-1]  # one clock, here and there
        assert workers.new_marks() == []
    finally:
        for process in (lasting, ending):
            process.kill()
            process.join()
