"""The plan of a trial: long enough slices, whole bursts, whole epochs where they are short."""

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_loaderperf.measure.plan import (
    PAIR_SECONDS,
    SHORTEST_STRETCH,
    SLICE_SECONDS,
    SLICES_AT_LEAST,
    SLICES_WANTED,
    is_busy,
    plan,
    warmup_batches,
)
from pytest_loaderperf.protocol.messages import Slice

no_deadline = settings(deadline=None)
batch_seconds = st.floats(-6, 2).map(lambda exponent: 10.0**exponent)
worker_counts = st.integers(0, 64)
prefetches = st.integers(0, 16)
epoch_lengths = st.integers(1, 10_000)


@pytest.mark.parametrize(
    ("workers", "prefetch", "expected"),
    [(0, 0, 2), (0, 8, 8), (1, 1, 2), (2, 2, 2), (8, 4, 8)],
)
def test_the_warmup_takes_one_batch_of_each_worker_or_all_that_a_queue_may_hold(
    workers: int, prefetch: int, expected: int
) -> None:
    assert warmup_batches(workers, prefetch) == expected


@given(batch_seconds, worker_counts, prefetches, st.none() | epoch_lengths)
@no_deadline
def test_slices_come_in_whole_abba_blocks(
    seconds: float, workers: int, prefetch: int, epoch: int | None
) -> None:
    made = plan(seconds, workers, prefetch, epoch)
    assert made.slices in range(SLICES_AT_LEAST, 18, 2)


@given(batch_seconds, worker_counts, prefetches, st.none() | epoch_lengths)
@no_deadline
def test_a_steady_slice_is_the_shortest_one_of_whole_bursts(
    seconds: float, workers: int, prefetch: int, epoch: int | None
) -> None:
    made = plan(seconds, workers, prefetch, epoch)
    assume(not made.epochs)
    burst = max(workers, 1)
    assert made.batches % burst == 0
    assert made.batches * seconds >= SLICE_SECONDS * 0.999
    assert made.batches == burst or (made.batches - burst) * seconds < SLICE_SECONDS


@given(batch_seconds, worker_counts, prefetches, st.none() | epoch_lengths)
@no_deadline
def test_the_warmup_and_the_draining_queue_are_left_out(
    seconds: float, workers: int, prefetch: int, epoch: int | None
) -> None:
    made = plan(seconds, workers, prefetch, epoch)
    assume(not made.epochs)
    assert made.warmup == warmup_batches(workers, prefetch)
    assert made.drain >= workers * prefetch
    if epoch is None:
        assert made.drain == workers * prefetch
    else:
        assert 1 + made.warmup + made.drain + max(workers, 1) <= epoch


@given(batch_seconds, worker_counts, prefetches, epoch_lengths)
@no_deadline
def test_what_an_epoch_leaves_of_a_burst_is_not_timed(
    seconds: float, workers: int, prefetch: int, epoch: int
) -> None:
    made = plan(seconds, workers, prefetch, epoch)
    assume(not made.epochs)
    burst = max(workers, 1)
    assert (epoch - 1 - made.warmup - made.drain) % burst == 0
    assert made.drain - workers * prefetch < burst


@given(batch_seconds, worker_counts, prefetches, epoch_lengths)
@no_deadline
def test_an_epoch_without_a_steady_state_is_timed_as_a_whole(
    seconds: float, workers: int, prefetch: int, epoch: int
) -> None:
    made = plan(seconds, workers, prefetch, epoch)
    room = epoch - 1 - warmup_batches(workers, prefetch) - workers * prefetch
    too_short = room < max(workers, 1) or room * seconds < SHORTEST_STRETCH
    assert (made.epochs > 0) == too_short
    if made.epochs:
        assert made.batches == made.warmup == made.drain == 0
        assert made.epochs * epoch * seconds >= SLICE_SECONDS * 0.999
        assert made.epochs == 1 or (made.epochs - 1) * epoch * seconds < SLICE_SECONDS


@given(batch_seconds, worker_counts, prefetches)
@no_deadline
def test_an_epoch_of_unknown_length_has_a_steady_state(
    seconds: float, workers: int, prefetch: int
) -> None:
    made = plan(seconds, workers, prefetch, None)
    assert made.epochs == 0
    assert made.batches > 0


@given(batch_seconds, worker_counts, prefetches, st.none() | epoch_lengths)
@no_deadline
def test_the_length_of_an_epoch_is_passed_on(
    seconds: float, workers: int, prefetch: int, epoch: int | None
) -> None:
    assert plan(seconds, workers, prefetch, epoch).epoch_batches == epoch


@given(st.floats(1e-4, 0.2))
@no_deadline
def test_a_pair_takes_about_as_long_as_planned_where_a_batch_is_short(seconds: float) -> None:
    made = plan(seconds, 0, 0)
    assert made.slices * made.batches * seconds == pytest.approx(PAIR_SECONDS, rel=0.6)


@given(st.floats(SLICE_SECONDS, 100))
@no_deadline
def test_a_slow_loader_is_timed_batch_by_batch(seconds: float) -> None:
    made = plan(seconds, 0, 0)
    assert made.batches == 1
    assert made.slices <= max(SLICES_AT_LEAST, math.ceil(PAIR_SECONDS / seconds) + 1)


@given(batch_seconds, worker_counts, prefetches, epoch_lengths)
@no_deadline
def test_a_pair_fits_into_one_epoch_if_the_wanted_slices_do(
    seconds: float, workers: int, prefetch: int, epoch: int
) -> None:
    made = plan(seconds, workers, prefetch, epoch)
    steady = epoch - 1 - made.warmup - made.drain
    if not made.epochs and SLICES_WANTED * made.batches <= steady:
        assert made.slices * made.batches <= steady


@given(batch_seconds, worker_counts, prefetches, epoch_lengths)
@no_deadline
def test_epochs_that_start_at_once_cost_no_slices(
    seconds: float, workers: int, prefetch: int, epoch: int
) -> None:
    made = plan(seconds, workers, prefetch, epoch, start_seconds=0.0)
    length = made.batches * seconds if made.batches else made.epochs * epoch * seconds
    assert made.slices == max(SLICES_AT_LEAST, 2 * round(PAIR_SECONDS / length / 2))


@pytest.mark.parametrize(("start_seconds", "slices"), [(0.01, 16), (0.09, 16), (0.11, 6), (1.0, 6)])
def test_epochs_that_start_slowly_are_few(start_seconds: float, slices: int) -> None:
    # A slice takes 15 of 39 steady batches: 16 of them take seven epochs.
    assert plan(0.01, 0, 0, 42, start_seconds=start_seconds).slices == slices


def test_workers_are_followed_unless_marks_would_cost_them() -> None:
    assert plan(0.2, 2, 2, 100).follow
    assert plan(0.002, 2, 2, 100_000).follow
    assert not plan(0.0002, 2, 2, 100_000).follow
    assert not plan(0.2, 2, 2, 6).follow  # whole epochs begin and end with nothing made ahead


@pytest.mark.parametrize(
    ("cpu_seconds", "workers", "cpus", "busy"),
    [
        (1.9, 0, 2, True),  # a loop of one thread; two seconds were taken
        (1.0, 0, 2, False),
        (2.6, 0, 2, True),  # with threads
        (3.9, 2, 2, True),
        (3.9, 2, 8, True),
        (2.0, 2, 8, False),  # its workers wait half of the time
        (3.9, 8, 2, True),  # there are no more CPUs
        (3.9, 8, 8, False),
        (2.0, 2, 1.2, True),  # others take the rest
    ],
)
def test_a_loader_is_busy_if_it_uses_the_cpus_that_it_could_use(
    cpu_seconds: float, workers: int, cpus: float, *, busy: bool
) -> None:
    taken = Slice(
        stretches=[(0.0, 1.0), (3.0, 4.0)],
        samples=80,
        batches=10,
        cpu_seconds=cpu_seconds,
        epoch_batches=None,
    )
    assert is_busy(taken, workers, cpus) is busy
