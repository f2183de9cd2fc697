"""Which samples an epoch delivers, however they are batched."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.check.sweep import difference
from pytest_loaderperf.loaders import sample_hashes
from pytest_loaderperf.loaders.counting import count_samples
from pytest_loaderperf.loaders.sample_hashes import TwoEpochs, read


def samples_of(delivered: TwoEpochs) -> Counter[str]:
    return Counter(each.hex() for each in delivered.hashes)


Batches = Callable[[], Iterator[Any]]


def batched(
    samples: list[list[int]], size: int, *, shuffled: bool = False, drop_last: bool = False
) -> Batches:
    """A loader of (array padded to the longest of the batch, label, dictionary of texts)."""

    def epoch() -> Iterator[Any]:
        order = random.sample(samples, len(samples)) if shuffled else samples
        for start in range(0, len(order), size):
            part = order[start : start + size]
            if drop_last and len(part) < size:
                return
            width = max(map(len, part))
            rows = np.array([row + [0] * (width - len(row)) for row in part], "int32")
            texts = {"text": [str(row) for row in part]}
            yield rows, np.array([len(row) for row in part]), texts

    return epoch


rows = st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=5), min_size=1, max_size=40)


@given(rows, st.integers(1, 9), st.integers(1, 9))
@settings(deadline=None)
def test_batches_and_order_make_no_difference(samples: list[list[int]], a: int, b: int) -> None:
    one = read(batched(samples, a), count_samples, 60)
    other = read(batched(samples, b, shuffled=True), count_samples, 60)
    assert one.complete
    assert one.repeats
    assert other.repeats
    assert difference(samples_of(one), samples_of(other)) == ""


@given(rows, st.integers(2, 9))
@settings(deadline=None)
def test_samples_that_are_dropped_are_counted(samples: list[list[int]], size: int) -> None:
    whole = read(batched(samples, size), count_samples, 60)
    short = read(batched(samples, size, drop_last=True), count_samples, 60)
    dropped = len(samples) % size
    said = f"of {len(samples)} samples {dropped} are missing" if dropped else ""
    assert difference(samples_of(whole), samples_of(short)) == said


def test_samples_that_come_twice_or_instead_are_counted() -> None:
    before = samples_of(read(batched([[1], [2], [3]], 2), count_samples, 60))
    now = samples_of(read(batched([[1], [1], [1], [3]], 2), count_samples, 60))
    assert difference(before, now) == "of 3 samples 1 are missing and 2 come in addition"


def test_random_samples_do_not_repeat() -> None:
    def noisy() -> Iterator[Any]:
        yield np.random.default_rng().standard_normal((4, 3))

    delivered = read(noisy, count_samples, 60)
    assert delivered.complete
    assert not delivered.repeats


def test_an_epoch_without_end_is_not_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = itertools.repeat(np.ones((4, 3)))
    assert not read(lambda: iter(endless), count_samples, 0.05).complete
    monkeypatch.setattr(sample_hashes, "SAMPLES_AT_MOST", 100)
    assert not read(lambda: iter(endless), count_samples, 1e9).complete


def test_every_part_of_a_sample_counts() -> None:
    def one(**changed: Any) -> list[bytes]:
        batch = {"image": np.arange(6.0).reshape(2, 3), "text": ["a", "b"], **changed}
        return sample_hashes.sample_hashes(batch, 2)

    first, second = one()
    assert one(text=["a", "c"])[0] == first
    assert one(text=["a", "c"])[1] != second
    assert one(image=np.add(np.arange(6.0).reshape(2, 3), [[0], [1]]))[1] != second
    assert one(names=np.array([["x", None], ["y", None]], object))[0] != first
