"""The plan of a trial: long enough slices, whole bursts, whole epochs where they are short."""

import math

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pytest_loaderperf.errors import LoaderError
from pytest_loaderperf.measure.plan import (
    EPOCHS_IN_A_BUDGET,
    LONGEST_EPOCH,
    NOTE_SECONDS,
    PAIR_SECONDS,
    PAIRS_IN_A_BUDGET,
    SETTLING_SECONDS,
    SHORTEST_STRETCH,
    SLICE_SECONDS,
    SLICES_AT_LEAST,
    SLICES_WANTED,
    Lengths,
    Plan,
    Whole,
    is_busy,
    plan,
    together,
    warmup_batches,
)
from pytest_loaderperf.protocol.messages import RunSlice, Slice

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
    made = plan(seconds, workers, prefetch, epoch, short_turns=True)
    assume(not made.epochs)
    assert made.warmup == warmup_batches(workers, prefetch)
    assert made.drain >= workers * prefetch
    if epoch is None:
        assert made.drain == workers * prefetch
    else:
        assert 1 + made.warmup + made.drain + max(workers, 1) <= epoch


def settled(seconds: float, workers: int, prefetch: int, epoch: int | None) -> int:
    """The warm-up of a loader that waits."""
    least = warmup_batches(workers, prefetch)
    settling = math.ceil(SETTLING_SECONDS / seconds)
    return max(least, settling if epoch is None else min(settling, epoch // 10))


@given(batch_seconds, worker_counts, prefetches, st.none() | epoch_lengths)
@no_deadline
def test_a_loader_that_waits_gets_its_requests_under_way_first(
    seconds: float, workers: int, prefetch: int, epoch: int | None
) -> None:
    made = plan(seconds, workers, prefetch, epoch)
    assume(not made.epochs)
    assert made.warmup == settled(seconds, workers, prefetch, epoch)


@pytest.mark.parametrize(("epoch", "warmup"), [(None, 25), (1000, 25), (200, 20), (42, 4), (15, 2)])
def test_to_settle_takes_a_small_part_of_an_epoch(epoch: int | None, warmup: int) -> None:
    assert plan(0.01, 0, 0, epoch).warmup == warmup


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


@given(batch_seconds, worker_counts, prefetches, epoch_lengths, st.booleans())
@example(0.0005, 0, 0, 502, False)  # 0.25 s would leave one batch of it
@no_deadline
def test_an_epoch_without_a_steady_state_is_timed_as_a_whole(
    seconds: float, workers: int, prefetch: int, epoch: int, short_turns: bool
) -> None:
    made = plan(seconds, workers, prefetch, epoch, short_turns=short_turns)
    warmup = warmup_batches(workers, prefetch)
    if not short_turns:
        warmup = settled(seconds, workers, prefetch, epoch)
    room = epoch - 1 - warmup - workers * prefetch
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
    assert plan(0.01, 0, 0, 42, start_seconds=start_seconds, short_turns=True).slices == slices


# --- whole epochs -------------------------------------------------------------------------------

MINUTE = Lengths.within(60.0)  # an epoch of 7.5 s fits


def timed_whole(epoch_seconds: float, lengths: Lengths = MINUTE, batches: int = 1000) -> Plan:
    """The plan for a loader of which an epoch has so many batches, and takes so long."""
    return plan(epoch_seconds / batches, 0, 0, batches, lengths, epoch_seconds=epoch_seconds)


@pytest.mark.parametrize(
    ("epoch_seconds", "epochs", "slices"),
    [
        (0.01, 15, 16),
        (0.11, 2, 10),
        (0.21, 1, 11),
        (1.0, 1, 2),
        (2.0, 1, 2),
        (3.0, 1, 2),  # two of them take longer than a pair does as a rule
        (3.75, 1, 2),
        (3.8, 1, 1),
        (7.5, 1, 1),
    ],
)
def test_epochs_that_fit_are_timed_as_a_whole_two_where_time_allows(
    epoch_seconds: float, epochs: int, slices: int
) -> None:
    made = timed_whole(epoch_seconds)
    assert made.whole is not None
    assert (made.whole.epochs, made.whole.slices) == (epochs, slices)
    assert made.timed_slices == slices


@pytest.mark.parametrize("epoch_seconds", [7.6, 100.0, math.inf])
def test_epochs_that_do_not_fit_are_timed_in_their_steady_state(epoch_seconds: float) -> None:
    made = plan(0.01, 0, 0, None, MINUTE, epoch_seconds=epoch_seconds)
    assert made.whole is None
    assert made.timed_slices == made.slices


@given(batch_seconds, worker_counts, prefetches, epoch_lengths, st.floats(0.5, 3600), st.booleans())
@no_deadline
def test_whole_epochs_take_no_longer_than_a_budget_allows(
    seconds: float,
    workers: int,
    prefetch: int,
    epoch: int,
    budget: float,
    short_turns: bool,
) -> None:
    lengths, epoch_seconds = Lengths.within(budget), epoch * seconds
    made = plan(
        seconds,
        workers,
        prefetch,
        epoch,
        lengths,
        epoch_seconds=epoch_seconds,
        short_turns=short_turns,
    )
    assume(not made.epochs)
    assert (made.whole is not None) == (epoch_seconds <= lengths.epoch)
    if made.whole:
        taken = made.whole.slices * made.whole.epochs * epoch_seconds
        assert taken <= max(lengths.epoch, lengths.pair + SLICE_SECONDS + epoch_seconds)
        assert taken >= min(2 * epoch_seconds, lengths.epoch) / 2
        assert made.whole.epochs * epoch_seconds >= SLICE_SECONDS * 0.999


def test_the_steady_state_of_a_whole_epoch_begins_after_its_warm_up() -> None:
    made = timed_whole(1.0)
    assert made.whole is not None
    assert made.whole.skip == 1 + made.warmup


def test_an_epoch_without_a_steady_state_skips_nothing() -> None:
    made = plan(0.1, 4, 4, 6, MINUTE, epoch_seconds=0.6)
    assert made.whole is not None
    assert (made.whole.skip, made.whole.epochs, made.whole.slices) == (0, 1, 4)
    unread = plan(0.1, 4, 4, 6, MINUTE)
    assert unread.whole == Whole(epochs=unread.epochs, slices=unread.slices, skip=0)


def test_long_epochs_without_a_steady_state_are_few() -> None:
    made = plan(0.5, 4, 2, 12, MINUTE, epoch_seconds=6.0)
    assert made.whole is not None
    assert (made.whole.epochs, made.whole.slices) == (1, 1)


@pytest.mark.parametrize(("first", "second", "whole"), [(2.0, 3.0, True), (2.0, 20.0, False)])
@pytest.mark.parametrize("short_turns", [(True, True), (True, False)])
def test_plans_for_one_pair_go_together(
    first: float, second: float, short_turns: tuple[bool, bool], *, whole: bool
) -> None:
    plans = [
        plan(seconds / 1000, 0, 0, 1000, MINUTE, epoch_seconds=seconds, short_turns=short)
        for seconds, short in zip((first, second), short_turns, strict=True)
    ]
    one, other = together(*plans)
    assert one.short_turns == other.short_turns == all(short_turns)
    assert (one.whole is not None) == (other.whole is not None) == whole
    assert (one.batches, other.batches) == (plans[0].batches, plans[1].batches)


def test_where_one_has_no_steady_state_the_starts_of_both_count() -> None:
    """Else one throughput would hold a start, and the other one none."""
    long = plan(0.01, 4, 2, 100, MINUTE, epoch_seconds=1.3)
    short = plan(0.16, 4, 2, 7, MINUTE, epoch_seconds=1.4)
    assert long.whole is not None
    assert (long.whole.skip > 0, short.epochs > 0) == (True, True)
    for plans in ((long, short), (short, long)):
        assert [each.whole and each.whole.skip for each in together(*plans)] == [0, 0]
    endless = plan(0.01, 4, 2, None, MINUTE)
    with pytest.raises(LoaderError, match="too short for a steady state, and one of the other"):
        together(endless, short)


def test_a_step_of_whole_epochs_says_where_the_steady_state_begins() -> None:
    made = plan(0.0001, 0, 0, 1000, MINUTE, epoch_seconds=0.1)
    assert made.whole is not None
    skip, longest = made.whole.skip, made.whole.longest
    assert made.step() == RunSlice(batches=0, epochs=2, skip=skip, longest=longest, stride=5)
    assert made.step(3).epochs == 6


def test_a_step_of_a_steady_state_says_how_many_batches() -> None:
    made = plan(0.0001, 0, 0)
    assert made.step() == RunSlice(batches=1500, stride=5)
    assert made.step(4).batches == 6000


@given(batch_seconds, worker_counts, prefetches, st.none() | epoch_lengths)
@no_deadline
def test_arrivals_are_noted_as_often_as_that_costs_nothing(
    seconds: float, workers: int, prefetch: int, epoch: int | None
) -> None:
    stride = plan(seconds, workers, prefetch, epoch).stride
    assert stride == 1 or stride * seconds <= NOTE_SECONDS * 1.001
    assert (stride + 1) * seconds >= NOTE_SECONDS * 0.999


# --- lengths ------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [1.0, 10.0, 60.0, 3600.0])
def test_a_budget_holds_pairs_enough(budget: float) -> None:
    lengths = Lengths.within(budget)
    assert lengths.pair <= PAIR_SECONDS
    assert 2 * PAIRS_IN_A_BUDGET * lengths.pair <= budget * 1.001
    assert EPOCHS_IN_A_BUDGET * lengths.most <= budget * 1.001
    assert lengths.epoch == min(lengths.most, LONGEST_EPOCH)
    assert lengths.pair <= lengths.most


@pytest.mark.parametrize(("seconds", "pair"), [(1.0, 2.4), (5.0, 5.0), (100.0, 7.5)])
def test_pairs_get_as_long_as_is_wanted_and_allowed(seconds: float, pair: float) -> None:
    longer = MINUTE.at_least(seconds)
    assert longer.pair == pair
    assert (longer.most, longer.epoch) == (MINUTE.most, MINUTE.epoch)


@pytest.mark.parametrize(
    ("coverage", "epoch_batches", "seconds"),
    [
        (0.0, 1000, 2.4),
        (0.2, 1000, 2.4),
        (0.5, 1000, 5.0),
        (1.0, 1000, 7.5),  # as far as the budget allows
        (0.5, None, 7.5),
        (0.0, None, 2.4),
    ],
)
def test_coverage_makes_pairs_longer(
    coverage: float, epoch_batches: int | None, seconds: float
) -> None:
    made = plan(0.01, 0, 0, epoch_batches, Lengths.within(60.0, coverage))
    assert made.slices * made.batches * 0.01 == pytest.approx(seconds, abs=SLICE_SECONDS)


def test_coverage_asks_for_no_more_than_whole_epochs() -> None:
    made = timed_whole(5.0, Lengths.within(60.0, 1.0))
    assert made.whole is not None
    assert made.whole.slices == 1


# --- what else a plan says ------------------------------------------------------------------------


def test_workers_are_followed_unless_marks_would_cost_them() -> None:
    assert plan(0.2, 2, 2, 100).follow
    assert plan(0.002, 2, 2, 100_000).follow
    assert not plan(0.0002, 2, 2, 100_000).follow
    assert not plan(0.2, 2, 2, 6).follow  # whole epochs begin and end with nothing made ahead
    assert not plan(0.01, 2, 2, 100, MINUTE, epoch_seconds=1.0).follow


@pytest.mark.parametrize(
    ("cpu_seconds", "hands", "cpus", "busy"),
    [
        (1.9, 1, 2, True),  # a loop of one thread; two seconds were taken
        (1.0, 1, 2, False),
        (2.6, 1, 2, True),  # with threads
        (3.9, 2, 2, True),
        (3.9, 2, 8, True),
        (2.0, 2, 8, False),  # its workers wait half of the time
        (3.9, 8, 2, True),  # there are no more CPUs
        (3.9, 8, 8, False),
        (2.0, 2, 1.2, True),  # others take the rest
    ],
)
def test_a_loader_is_busy_if_it_uses_the_cpus_that_it_could_use(
    cpu_seconds: float, hands: int, cpus: float, *, busy: bool
) -> None:
    taken = Slice(
        stretches=[(0.0, 1.0), (3.0, 4.0)],
        samples=80,
        batches=10,
        cpu_seconds=cpu_seconds,
        epoch_batches=None,
    )
    assert is_busy(taken, hands, cpus) is busy


@pytest.mark.parametrize(
    ("in_steady", "hands", "busy"), [(1.9, 1, True), (1.0, 1, False), (3.9, 2, True)]
)
def test_whole_epochs_are_busy_if_their_steady_state_is(
    in_steady: float, hands: int, *, busy: bool
) -> None:
    taken = Slice(
        stretches=[(0.0, 10.0)],  # most of it a start that waits
        samples=80,
        batches=10,
        cpu_seconds=in_steady + 0.1,
        epoch_batches=None,
        steady=[(7.0, 8.0), (9.0, 10.0)],
        steady_samples=40,
        steady_cpu_seconds=in_steady,
    )
    assert is_busy(taken, hands, 2) is busy
