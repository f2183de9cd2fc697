"""Whether ranks and workers deliver each sample once: known overlaps and gaps, and none."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_loaderperf.model.workload import Delivered
from pytest_loaderperf.stats.delivery import differs, problems

SAMPLES = 120


def delivered(first: Sequence[int], second: Sequence[int] | None = None, **told: Any) -> Delivered:
    epochs = tuple(tuple(map(str, each)) for each in (first, first if second is None else second))
    return Delivered(**{"epochs": epochs, "largest": 8, **told})


def dealt(ranks: int, seed: int = 0, samples: int = SAMPLES, **told: Any) -> list[Delivered]:
    """Samples as DistributedSampler deals them out: padded, and shuffled anew in each epoch."""
    shares: list[list[list[int]]] = []
    for epoch in range(2):
        order = list(range(samples))
        random.Random(seed + epoch).shuffle(order)
        order += order[: -samples % ranks]
        shares.append([order[rank::ranks] for rank in range(ranks)])
    return [delivered(first, second, **told) for first, second in zip(*shares, strict=True)]


ALONE = delivered(range(SAMPLES))


@given(st.integers(1, 9), st.integers(0, 99), st.booleans())
def test_what_a_distributed_sampler_deals_out_is_complete(
    ranks: int, seed: int, shuffles: bool
) -> None:
    assert problems(dealt(ranks, seed, shuffles=shuffles), ALONE, whole=True) == []


@given(st.integers(2, 5), st.integers(1, 4), st.integers(2, 8))
def test_what_is_dropped_at_the_end_is_no_gap(ranks: int, workers: int, batch: int) -> None:
    """Each worker drops what does not fill its last batch."""
    shares = []
    for rank in range(ranks):
        kept: list[int] = []
        for worker in range(workers):
            own = list(range(rank * workers + worker, SAMPLES, ranks * workers))
            kept += own[: len(own) - len(own) % batch]
        shares.append(kept)
    told: dict[str, Any] = {"workers": workers, "largest": batch, "drops": True}
    assert problems([delivered(each, **told) for each in shares], ALONE, whole=True) == []
    missing = SAMPLES - sum(map(len, shares))
    told["drops"] = False
    found = problems([delivered(each, **told) for each in shares], ALONE, whole=True)
    assert bool(found) == (missing > ranks - 1)
    assert all(each.endswith("check_samples(loader, drops_last=True)") for each in found)


def test_a_dataset_that_does_not_split_is_repeated_by_every_rank() -> None:
    every = [delivered(range(SAMPLES)) for _ in range(3)]
    first, second = problems(every, ALONE, whole=True)
    assert first == (
        "epoch 1: 240 of 120 samples come once more than they should (rank 1 120, rank 2 120)"
    )
    assert second.startswith("epoch 2: 240")


def test_workers_that_read_the_same_are_found_in_one_rank() -> None:
    twice = [each for each in range(SAMPLES) for _ in range(2)]
    found = problems([delivered(twice, workers=2)], ALONE, whole=True)
    assert found[0] == "epoch 1: 120 of 120 samples come once more than they should"


_GAP = "epoch 1: 10 of 120 samples are missing"


def test_a_gap_is_found_where_nobody_drops_anything() -> None:
    halves = [delivered(range(60)), delivered(range(70, SAMPLES))]
    assert [each[: len(_GAP)] for each in problems(halves, ALONE, whole=True)] == [
        _GAP,
        _GAP.replace("1", "2", 1),
    ]
    assert problems(halves, ALONE, whole=False) == []  # other ranks may have them


def test_samples_that_one_process_does_not_deliver_are_strange() -> None:
    found = problems([delivered(range(SAMPLES + 5))], ALONE, whole=True)
    assert found[0].startswith("epoch 1: 5 samples are none of those that one process alone")


def test_one_order_in_both_epochs_is_a_forgotten_set_epoch_if_loaders_shuffle() -> None:
    same = [delivered(range(rank, SAMPLES, 2), shuffles=True) for rank in range(2)]
    (found,) = problems(same, ALONE, whole=True)
    assert "set_epoch" in found
    in_order = [delivered(range(rank, SAMPLES, 2), shuffles=False) for rank in range(2)]
    assert problems(in_order, ALONE, whole=True) == []
    assert problems([delivered(range(SAMPLES), shuffles=True)], ALONE, whole=True) == []


def test_equal_samples_of_a_dataset_are_no_repeats() -> None:
    labels = [each % 4 for each in range(SAMPLES)]
    halves = [delivered(labels[::2]), delivered(labels[1::2])]
    assert problems(halves, delivered(labels), whole=True) == []


@pytest.mark.parametrize(("second", "told"), [(range(SAMPLES), False), (range(1, 121), True)])
def test_epochs_with_other_samples_tell_nothing(second: Sequence[int], *, told: bool) -> None:
    assert differs([delivered(range(SAMPLES), second)]) is told
    assert not differs([delivered(range(SAMPLES), range(SAMPLES)[::-1])])
