"""Which samples an epoch delivers, however they are batched."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.check.sweep import difference
from pytest_loaderperf.loaders import sample_hashes
from pytest_loaderperf.loaders.adapter import Loader
from pytest_loaderperf.loaders.batches import signature
from pytest_loaderperf.loaders.counting import count_samples
from pytest_loaderperf.loaders.nbytes import size
from pytest_loaderperf.loaders.sample_hashes import deliver
from pytest_loaderperf.model.workload import Delivered
from pytest_loaderperf.stats import delivery


def read(start: Batches, seconds: float = 60) -> Delivered:
    return deliver(Loader(kind="of a test", start=start), count_samples, seconds, alone=False)


def samples_of(delivered: Delivered) -> Counter[str]:
    return delivery.samples([delivered], 0)


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
    one = read(batched(samples, a))
    other = read(batched(samples, b, shuffled=True))
    assert one.ended
    assert other.ended
    assert not delivery.differs([one])
    assert not delivery.differs([other])
    assert difference(samples_of(one), samples_of(other)) == ""


@given(rows, st.integers(2, 9))
@settings(deadline=None)
def test_samples_that_are_dropped_are_counted(samples: list[list[int]], size: int) -> None:
    whole = read(batched(samples, size))
    short = read(batched(samples, size, drop_last=True))
    dropped = len(samples) % size
    said = f"of {len(samples)} samples {dropped} are missing" if dropped else ""
    assert difference(samples_of(whole), samples_of(short)) == said


def test_samples_that_come_twice_or_instead_are_counted() -> None:
    before = samples_of(read(batched([[1], [2], [3]], 2)))
    now = samples_of(read(batched([[1], [1], [1], [3]], 2)))
    assert difference(before, now) == "of 3 samples 1 are missing and 2 come in addition"


def test_random_samples_do_not_repeat() -> None:
    def noisy() -> Iterator[Any]:
        yield np.random.default_rng().standard_normal((4, 3))

    delivered = read(noisy)
    assert delivered.ended
    assert delivery.differs([delivered])


def test_an_epoch_without_end_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = itertools.repeat(np.ones((4, 3)))
    assert not read(lambda: iter(endless), 0.05).ended
    monkeypatch.setattr(sample_hashes, "SAMPLES_AT_MOST", 100)
    delivered = read(lambda: iter(endless), 1e9)
    assert not delivered.ended
    assert [len(epoch) for epoch in delivered.epochs] == [104]  # and no second one was begun


def test_samples_of_ranks_are_those_of_all_of_them() -> None:
    first, second = read(batched([[1], [2]], 2)), read(batched([[3], [2]], 2))
    both = delivery.samples([first, second], 0)
    assert sorted(both.values()) == [1, 1, 2]
    assert not delivery.differs([first, second])


def test_every_part_of_a_sample_counts() -> None:
    def one(**changed: Any) -> list[bytes]:
        batch = {"image": np.arange(6.0).reshape(2, 3), "text": ["a", "b"], **changed}
        return sample_hashes.sample_hashes(batch, 2)

    first, second = one()
    assert one(text=["a", "c"])[0] == first
    assert one(text=["a", "c"])[1] != second
    assert one(image=np.add(np.arange(6.0).reshape(2, 3), [[0], [1]]))[1] != second
    assert one(names=np.array([["x", None], ["y", None]], object))[0] != first


class Tensor:
    """One of torch's: an array of numpy's if nothing is in the way."""

    is_nested = False

    def __init__(self, array: Any, layout: str = "torch.strided", **refused: bool) -> None:
        self.array, self.layout, self.refused = array, layout, refused
        self.shape, self.dtype = array.shape, f"torch.{array.dtype}"

    def is_floating_point(self) -> bool:
        return True

    def element_size(self) -> int:
        return 2 if self.refused.get("small") else 4

    def _with(self, name: str) -> Tensor:
        layout = "torch.strided" if name == "sparse" else self.layout
        return Tensor(self.array, layout, **{**self.refused, name: False})

    def detach(self) -> Tensor:
        return self._with("gradient")

    def to_dense(self) -> Tensor:
        return self._with("sparse")

    def float(self) -> Tensor:
        return self._with("small")

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> Any:
        if any(self.refused.values()):
            raise TypeError(self.refused)
        return self.array

    def values(self) -> Any:
        return self.array

    crow_indices = col_indices = values


class Nested:
    is_nested = True

    def __init__(self, *rows: Any) -> None:
        self.rows = rows

    def detach(self) -> Nested:
        return self

    def unbind(self) -> list[Tensor]:
        return [Tensor(row) for row in self.rows]

    def size(self, _: int) -> int:
        return len(self.rows)

    def dim(self) -> int:
        return 2


@dataclass
class Row:
    image: Any
    label: int


VALUES = np.arange(6.0, dtype="float32").reshape(2, 3) + 1
ONE, OTHER = np.array([1.0, 2, 3], "float32"), np.array([4.0, 5, 6], "float32")


@pytest.mark.parametrize(
    "batch",
    [
        VALUES,
        Tensor(VALUES),
        Tensor(VALUES, gradient=True),
        Tensor(VALUES, small=True),
        Tensor(VALUES, "torch.sparse_csr", sparse=True),
        Nested(ONE, OTHER),
        [Nested(ONE, OTHER), None],
        {"x": Tensor(VALUES)},
    ],
)
def test_tensors_of_all_layouts_have_the_samples_of_an_array(batch: Any) -> None:
    assert sample_hashes.sample_hashes(batch, 2) == sample_hashes.sample_hashes(VALUES, 2)


@pytest.mark.parametrize(
    "row",
    [
        lambda value: (np.full((3, 4), value), value),
        lambda value: np.full((2, 4), value),
        lambda value: {"image": np.full((3, 4), value)},
        lambda value: Row(np.full((3, 4), value), 1),
        lambda value: Row(np.zeros((3, 4)), value),
        lambda value: [value] * 5,
        lambda value: (Tensor(np.full((3, 4), value)), 1),
        lambda value: {"x": [np.full(30_000, value), 0]},
    ],
)
def test_samples_that_are_not_collated_are_told_apart(row: Callable[[int], Any]) -> None:
    one, again, other = sample_hashes.sample_hashes([row(1), row(1), row(2)], 3)
    assert one == again != other


def test_an_item_that_is_one_sample_is_told_apart() -> None:
    one, other = ((np.full((3, 4), value), 0) for value in (1, 2))
    assert sample_hashes.sample_hashes(one, 1) != sample_hashes.sample_hashes(other, 1)


class Column:
    """A column of Arrow's."""

    type = "int64"
    nbytes = 16

    def __init__(self, *values: int) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def to_pylist(self) -> list[int]:
        return list(self.values)


def test_rows_of_tables_are_samples() -> None:
    table = SimpleNamespace(
        num_rows=2,
        shape=(2, 2),
        schema=SimpleNamespace(names=["a", "b"]),
        itercolumns=lambda: iter([Column(1, 1), Column(2, 3)]),
    )
    one, other = sample_hashes.sample_hashes(table, 2)
    assert one != other
    assert signature(table) == "SimpleNamespace[a: int64[*], b: int64[*]]"
    assert count_samples(table) == 2
    assert size(table) == 32
