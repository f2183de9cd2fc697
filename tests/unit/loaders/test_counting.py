"""Samples of batches, with stand-ins for the tensors of a framework."""

from __future__ import annotations

import itertools
import sys
from collections import UserDict
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.errors import LoaderError
from pytest_loaderperf.loaders.counting import (
    SampleCounter,
    count_item,
    count_row,
    count_samples,
    counter,
    readings,
    settle,
    settling_counter,
    without,
)
from unit.loaders.stand_ins import Pair, TfTensor, TorchTensor, Triple, UnknownRank

no_deadline = settings(deadline=None)


def fast_counter(batch: object) -> SampleCounter:
    """The counter that a loader has after its first batch."""
    count = settling_counter(None, None)
    count(batch)
    return count


# --- samples ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "samples"),
    [
        (np.zeros((32, 3, 8, 8)), 32),
        (TorchTensor(32, 3), 32),
        (TfTensor(32, None), 32),
        ((np.zeros((5, 2)), np.zeros(5)), 5),
        ([TorchTensor(7, 1), TorchTensor(7)], 7),
        ({"x": np.zeros(4), "y": {"z": TorchTensor(4, 9)}}, 4),
        (UserDict(x=np.zeros(4)), 4),
        (Triple(np.zeros(6), np.zeros((6, 1)), None), 6),
        (Pair(np.zeros((3, 2)), np.zeros(3)), 3),
        ((np.zeros(2), ["a.jpg", "b.jpg"]), 2),
        ((np.zeros(2), None, "train", 0.5), 2),
        (["one", "two", "three"], 3),
        ((1, 2, 3, 4), 4),
        ([b"ab", b"c"], 2),
        ([np.int64(1), np.float32(2), np.float64(3)], 3),
        ([{"x": 1}, {"x": 2}], 2),
        ([["a", "b"], [0, 1]], 2),
        ([], 0),
        (np.zeros((0, 3)), 0),
    ],
)
def test_samples(batch: object, samples: int) -> None:
    assert count_samples(batch) == samples
    assert fast_counter(batch)(batch) == samples


@pytest.mark.parametrize(
    "batch",
    [
        None,
        7,
        "a text",
        {},
        {"name": "train"},
        np.array(7.0),
        object(),
        Pair(None, 1),
        TfTensor(None, 3),
    ],
)
def test_what_cannot_be_counted_says_what_to_do(batch: object) -> None:
    with pytest.raises(LoaderError, match=r"samples=lambda batch"):
        count_samples(batch)


def test_a_tensor_of_unknown_rank_cannot_be_counted() -> None:
    tensor = TfTensor()
    tensor.shape = UnknownRank()  # type: ignore[assignment]
    with pytest.raises(LoaderError, match="TfTensor"):
        count_samples(tensor)


def test_parts_that_disagree_are_named() -> None:
    with pytest.raises(LoaderError, match=r"samples=lambda batch") as caught:
        count_samples({"x": np.zeros((4, 2)), "y": (np.zeros(4), Pair(np.zeros(3), None))})
    assert "batch['x'] has 4" in str(caught.value)
    assert "batch['y'][1].image has 3" in str(caught.value)


Shape = Callable[[int], Any]  # makes a batch of so many samples


def of_dict(parts: Sequence[Shape]) -> Shape:
    return lambda n: {f"key {i}": part(n) for i, part in enumerate(parts)}


def of_tuple(parts: Sequence[Shape]) -> Shape:
    return lambda n: (np.zeros(n), *(part(n) for part in parts))


def of_list(parts: Sequence[Shape]) -> Shape:
    return lambda n: [*(part(n) for part in parts), TorchTensor(n, 2), None]


def of_dataclass(parts: Sequence[Shape]) -> Shape:
    return lambda n: Pair(parts[0](n), parts[-1](n))


leaves: list[Shape] = [
    np.zeros,
    lambda n: np.zeros((n, 3, 1), dtype="uint8"),
    lambda n: TorchTensor(n, 5),
    lambda n: TfTensor(n, None),
    lambda n: ["text"] * n,
    lambda n: tuple(range(n)),
    lambda n: [{"record": i} for i in range(n)],
]
nested = st.recursive(
    st.sampled_from(leaves),
    lambda inner: st.one_of(
        *(st.lists(inner, min_size=1, max_size=3).map(of) for of in (of_dict, of_tuple)),
        *(st.lists(inner, min_size=1, max_size=3).map(of) for of in (of_list, of_dataclass)),
    ),
    max_leaves=8,
)


@given(nested, st.integers(0, 70))
@no_deadline
def test_nesting_does_not_change_the_number_of_samples(make: Shape, samples: int) -> None:
    assert count_samples(make(samples)) == samples


@given(nested, st.integers(1, 70), st.integers(1, 70))
@no_deadline
def test_the_fast_counter_counts_later_batches_as_well(make: Shape, first: int, last: int) -> None:
    assert fast_counter(make(first))(make(last)) == last


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ((np.zeros(4), np.zeros(4)), (np.zeros(3), np.zeros(9))),
        ({"a": {"b": np.zeros(4)}, "c": np.zeros(4)}, {"a": {"b": np.zeros(3)}, "c": np.zeros(9)}),
        ([None, [np.zeros(4)], ["text"] * 4], [None, [np.zeros(3)], ["text"] * 9]),
    ],
)
def test_the_fast_counter_looks_at_one_part_only(first: object, later: object) -> None:
    assert fast_counter(first)(later) == 3


def test_the_fast_counter_refuses_what_cannot_be_counted() -> None:
    with pytest.raises(LoaderError, match=r"disagree: batch.0. has 3, batch.1. has 4"):
        fast_counter((np.zeros(3), np.zeros(4)))


class Graphs:
    """A batch of graphs as PyG's: its length is the number of its fields."""

    def __init__(self, num_graphs: int) -> None:
        self.num_graphs = num_graphs

    def __len__(self) -> int:
        return 5

    def to_dict(self) -> dict[str, object]:
        return {name: np.zeros(9) for name in ("x", "edge_index", "y", "batch", "ptr")}


def test_a_length_that_is_equal_by_chance_counts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("torch_geometric.data.data")
    vars(module)["BaseData"] = Graphs
    monkeypatch.setitem(sys.modules, "torch_geometric.data.data", module)
    assert fast_counter(Graphs(5))(Graphs(3)) == 3


# --- what can be read in several ways -----------------------------------------------------------


def counted(
    batches: Sequence[object], batch_size: int | None = None, epoch: int | None = None
) -> list[int]:
    """What the counter that the first batches settle counts."""
    path = settle([readings(batch) for batch in batches], batch_size, epoch)
    count = counter(path)
    return [count(batch) for batch in batches]


def rows_of(make: Callable[[int], Any], *sizes: int) -> list[list[Any]]:
    """Batches that are not collated."""
    rows = itertools.count()
    return [[make(next(rows)) for _ in range(size)] for size in sizes]


def image(index: int) -> Any:
    return np.full((3, 16, 16), index, "float32")


ROWS: dict[str, Callable[[int], Any]] = {
    "image and label": lambda i: (image(i), i),
    "image": image,
    "height, width, colour": lambda _: np.zeros((16, 12, 3)),
    "vector and label": lambda i: (np.zeros(16), i),
    "tokens of one length": lambda i: [i, i, i],
    "tokens": lambda i: [i] * (i % 3 + 1),
    "pair of numbers": lambda i: (i, i),
    "arrays of tokens": lambda i: np.zeros(i % 3 + 1),
    "images of all sizes": lambda i: np.zeros((3, 16 + i % 3, 16)),
    "record": lambda i: Pair(image(i), i),
    "record of arrays": lambda i: Pair(image(i), np.zeros(3)),
    "dict": lambda i: {"image": image(i)},
}


@pytest.mark.parametrize("name", ROWS)
def test_samples_that_are_not_collated_are_counted_where_the_loader_tells(name: str) -> None:
    batches = rows_of(ROWS[name], 8, 8, 8, 5)
    assert counted(batches, 8) == counted(batches, 8, 29) == [8, 8, 8, 5]
    assert counted(rows_of(ROWS[name], 5), 8, 5) == [5]


@pytest.mark.parametrize("name", ROWS)
def test_samples_that_are_not_collated_are_counted_if_their_number_differs(name: str) -> None:
    assert counted(rows_of(ROWS[name], 8, 6, 7, 5)) == [8, 6, 7, 5]


@pytest.mark.parametrize("name", ["image and label", "vector and label", "record", "tokens"])
def test_rows_with_a_label_and_lists_of_many_lengths_are_samples(name: str) -> None:
    assert counted(rows_of(ROWS[name], 8, 8)) == [8, 8]


def test_what_some_batch_shows_to_be_no_columns_is_none_in_all() -> None:
    batches = [[np.zeros(5)] * 4, [np.zeros(size) for size in (3, 9, 2, 4)]]
    assert counted(batches) == [4, 4]


def columns(*sizes: int) -> list[list[Any]]:
    """Collated batches whose columns are alike: of an autoencoder, or of several crops."""
    return [[np.zeros((size, 3)), np.zeros((size, 3))] for size in sizes]


@pytest.mark.parametrize(
    ("batches", "batch_size", "epoch"),
    [
        (columns(8, 8, 8), None, None),
        (columns(8, 8, 5), None, None),
        (columns(8, 8, 5), 8, 21),
        (columns(2, 2, 1), 2, 5),
        (columns(5), 8, 5),
        (columns(6, 7, 5, 6), 8, 32),  # a collate_fn that leaves out what is broken
        (columns(3, 3, 3), 8, None),  # a stream that ends in each worker
        (columns(32, 32), 1, 100),  # items that are batches already
        ([tuple(batch) for batch in columns(8, 8)], 8, 16),
        ([{"views": batch} for batch in columns(8, 8)], 8, 16),
    ],
)
def test_like_columns_of_a_batch_are_no_samples(
    batches: Sequence[Any], batch_size: int | None, epoch: int | None
) -> None:
    sizes = [len((each["views"] if isinstance(each, dict) else each)[0]) for each in batches]
    assert counted(batches, batch_size, epoch) == sizes


def test_a_list_beside_a_column_is_counted_as_that() -> None:
    batch = {"images": [image(i) for i in range(8)], "labels": np.zeros(8)}
    assert count_samples(batch) == 8
    detection = (tuple(np.zeros((3, 8 + i, 8)) for i in range(4)), ({"boxes": 1},) * 4)
    assert counted([detection]) == [4]


@pytest.mark.parametrize(
    ("batches", "batch_size", "epoch", "told"),
    [
        ([np.zeros((16, 3))], 8, 100, "tells that there are 8.*tell 16"),
        ([np.zeros((3, 8))] * 3, 8, 100, "tells that there are 8.*tell 3"),  # time comes first
        ([[np.zeros((3, 5))] * 6] * 2, 8, 100, "tells that there are 8.*tell 3, 6"),
        ([np.zeros((16, 3))], 8, None, "tells that there are 8.*tell 16"),
        ([(np.zeros(16000), np.zeros(30))] * 3, None, None, "disagree: .*16000, .*30"),
        ([([1, 2], [1])] * 3, None, None, "disagree: .*2, .*1"),
        ([[np.zeros(16000), np.zeros(30)]] * 3, None, None, "disagree: .*16000, .*30"),
    ],
)
def test_what_contradicts_the_loader_or_may_be_a_sample_asks_for_samples(
    batches: Sequence[object], batch_size: int | None, epoch: int | None, told: str
) -> None:
    with pytest.raises(LoaderError, match=rf"{told}.*samples=lambda batch"):
        counted(batches, batch_size, epoch)


def test_a_stream_whose_workers_end_early_is_counted() -> None:
    assert counted([np.zeros((2, 3))] * 4, 8) == [2] * 4


def test_batches_of_two_kinds_in_turns_are_counted() -> None:
    batches = [{"image": np.zeros((4, 2))}, {"tokens": np.zeros((6, 2))}, {"image": np.zeros(5)}]
    assert counted(batches) == [4, 6, 5]


@pytest.mark.parametrize(
    ("item", "samples"),
    [
        ((np.zeros((28, 28)), np.int64(3)), 1),
        ((np.zeros((28, 28)), np.zeros((28, 28)), 3), 1),
        ({"image": np.zeros((28, 28)), "label": np.array(3)}, 1),
        (7, 1),
        (np.zeros((8, 28, 28)), 8),
        ((np.zeros((8, 2)), np.zeros(8)), 8),
    ],
)
def test_a_row_with_a_label_is_one_sample(item: object, samples: int) -> None:
    assert count_row(item) == samples


def test_arrays_beside_a_single_value_may_be_a_batch_where_something_may_have_made_batches() -> (
    None
):
    batch = np.zeros((8, 28, 28)), np.zeros(8), 0.5
    assert (count_row(batch), count_row(batch, batches=True)) == (1, 8)
    assert count_row((np.zeros((28, 28)), 3), batches=True) == 1


# --- a known loss -------------------------------------------------------------------------------


@given(st.floats(0, 0.9), st.lists(st.integers(0, 500), max_size=50))
@no_deadline
def test_a_share_of_all_samples_is_left_out_whatever_the_sizes(
    share: float, sizes: list[int]
) -> None:
    count = without(share, len)
    counted = sum(count(range(size)) for size in sizes)
    assert counted == pytest.approx(sum(sizes) * (1 - share), abs=1.0)


def test_nothing_is_left_out_of_an_ordinary_trial() -> None:
    assert without(0.0, len) is len


# --- items that may be samples or batches -------------------------------------------------------

IMAGE = np.zeros((3, 8, 8))


@pytest.mark.parametrize(
    ("item", "of_rows", "of_batches"),
    [
        (7, 1, 1),
        ("a text", 1, 1),
        (np.float32(7), 1, 1),
        ((IMAGE, 7), 1, None),
        ({"image": IMAGE, "name": "x"}, 1, None),
        (Pair(IMAGE, 1), 1, None),
        (("a text", 7), 1, None),
        (IMAGE, None, 3),
        ((IMAGE, np.zeros(3)), None, 3),
        ({"image": IMAGE, "more": None}, None, 3),
        (["a", "b"], None, 2),
        ({"tokens": [1, 2, 3], "label": 1}, 1, None),
        ({"tokens": [1, 2, 3]}, None, 3),
    ],
)
def test_an_item_is_a_sample_or_a_batch_or_that_is_asked(
    item: object, of_rows: int | None, of_batches: int | None
) -> None:
    for batches, expected in ((False, of_rows), (True, of_batches)):
        if expected is None:
            with pytest.raises(LoaderError, match=r"(?s)may be a sample or a batch.*samples="):
                count_item(item, batches=batches)
        else:
            assert count_item(item, batches=batches) == expected
