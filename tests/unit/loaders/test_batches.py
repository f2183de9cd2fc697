"""Samples, bytes and signature of batches, with stand-ins for the tensors of a framework."""

from __future__ import annotations

import operator
import random
from collections import UserDict, namedtuple
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.errors import LoaderError
from pytest_loaderperf.loaders.batches import (
    Example,
    count_item,
    count_samples,
    example,
    fast_counter,
    signature,
    without,
    workload,
)

no_deadline = settings(deadline=None)


class TorchDtype:
    """Has no name; its text is qualified."""

    def __str__(self) -> str:
        return "torch.float32"


class TorchTensor:
    def __init__(self, *shape: int) -> None:
        self.shape = shape
        self.dtype = TorchDtype()
        self.nbytes = 4 * reduce(operator.mul, shape, 1)

    def __len__(self) -> int:
        return self.shape[0]


class TfDtype:
    name = "int32"
    size = 4


class TfTensor:
    """Has no nbytes; a dimension may be None, and the shape may have no length at all."""

    def __init__(self, *shape: int | None) -> None:
        self.shape = shape
        self.dtype = TfDtype()


class UnknownRank:
    def __len__(self) -> int:
        raise ValueError("Cannot take the length of shape with unknown rank.")


@dataclass
class Pair:
    image: object
    label: object


Triple = namedtuple("Triple", "a b c")


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
    with pytest.raises(LoaderError):
        fast_counter((np.zeros(3), np.zeros(4)))


# --- bytes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "size"),
    [
        (np.zeros((4, 3), dtype="float32"), 48),
        (TorchTensor(4, 3), 48),
        (TfTensor(4, 3), 48),
        ((np.zeros(4), TorchTensor(4)), 48),
        ({"x": np.zeros(4), "name": "abcd"}, 36),
        (Pair(np.zeros(4), b"abcd"), 36),
        ([1, 2.0, True], 24),
        ([{"x": np.zeros(4)}, {"x": np.zeros(4)}], 64),
        (None, 0),
    ],
)
def test_bytes(batch: object, size: int) -> None:
    assert example(batch, lambda _: 1).size == size


def test_bytes_per_sample_is_the_mean_over_all_samples() -> None:
    looked_at = [
        Example(signature="int64[*]", size=300, samples=3),
        Example(signature="int64[*]", size=100, samples=1),
        Example(signature="x", size=400, samples=1),
    ]
    assert workload(looked_at, None).bytes_per_sample == 160


def test_the_length_of_an_epoch_is_passed_on() -> None:
    looked_at = [Example(signature="int64[*]", size=8, samples=1)]
    assert workload(looked_at, 2048).samples_per_epoch == 2048
    assert workload(looked_at, None).samples_per_epoch is None


def test_batches_without_a_sample_are_a_loader_error() -> None:
    with pytest.raises(LoaderError, match="sample"):
        workload([example([]), example(np.zeros((0, 3)))], None)


def test_samples_are_counted_as_the_test_says() -> None:
    assert example(np.zeros((4, 3)), lambda batch: 2 * len(batch)).samples == 8


# --- signature ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        (np.zeros((4, 3), dtype="uint8"), "uint8[*,3]"),
        (TorchTensor(4, 3, 8), "float32[*,3,8]"),
        (TfTensor(4, None), "int32[*,*]"),
        ((TorchTensor(4, 3), np.zeros(4)), "tuple[float32[*,3], float64[*]]"),
        ({"x": np.zeros(4), "y": None}, "dict[x: float64[*], y: NoneType]"),
        (UserDict(x=np.zeros(4)), "dict[x: float64[*]]"),
        (Triple(np.zeros(2), 1, "a"), "Triple[float64[*], int, str]"),
        (Pair(np.zeros(2), 1), "Pair[image: float64[*], label: int]"),
        (["a", "b"], "list[str, ...]"),
        ([{"x": 1}], "list[dict[x: int], ...]"),
        ("text", "str"),
    ],
)
def test_signatures(batch: object, expected: str) -> None:
    assert signature(batch) == expected


def test_the_size_of_a_batch_is_not_part_of_its_signature() -> None:
    assert signature(np.zeros((4, 3))) == signature(np.zeros((32, 3)))
    assert signature(["a"] * 4) == signature(["a"] * 32)


def test_the_longest_text_of_a_batch_is_not_part_of_its_signature() -> None:
    assert signature(np.array(["a", "b"])) == signature(np.array(["a", "longer"]))


def merged(batches: Sequence[object]) -> str:
    return workload([example(batch, lambda _: 1) for batch in batches], None).batch


@given(st.lists(st.tuples(*[st.integers(1, 3)] * 3), min_size=1, max_size=4))
@no_deadline
def test_a_dimension_is_shown_unless_it_varies(shapes: list[tuple[int, int, int]]) -> None:
    sizes = [{shape[place] for shape in shapes} for place in range(3)]
    dims = [str(min(seen)) if len(seen) == 1 else "*" for seen in sizes]
    batches = [{"x": (TorchTensor(9, *shape), ["a"] * 9)} for shape in shapes]
    assert merged(batches) == f"dict[x: tuple[float32[*,{','.join(dims)}], list[str, ...]]]"


parts = [
    TorchTensor(2, 3),
    TorchTensor(2, 4),
    TorchTensor(2, 3, 3),
    TfTensor(2, 3),
    np.zeros((2, 3), dtype="uint8"),
    ["a", "b"],
    None,
]


@given(st.lists(st.tuples(st.sampled_from(parts), st.sampled_from(parts)), min_size=1, max_size=3))
@no_deadline
def test_order_and_repetition_of_batches_do_not_show(batches: list[object]) -> None:
    shuffled = random.Random(0).sample(batches, len(batches))
    assert merged(shuffled) == merged([*batches, batches[0]]) == merged(batches)


def test_types_that_differ_are_all_shown() -> None:
    assert merged([TorchTensor(2, 3), np.zeros((2, 3), dtype="uint8")]) == "float32|uint8[*,3]"
    assert merged([(np.zeros(2), None), np.zeros(2)]) == "float64[*] | tuple[float64[*], NoneType]"


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


@pytest.mark.parametrize(
    ("batch", "samples", "expected"),
    [
        ({"tokens": [[1, 2], [3]]}, 2, "dict[tokens: list[list[int, ...], ...]]"),
        ({"x": [[], [1]], "y": np.zeros(2)}, 2, "dict[x: list[list[, ...], ...], y: float64[*]]"),
        ({"x": [None, "a", None]}, 3, "dict[x: list[NoneType, ...]]"),
        ({"x": [[["a"]], [["b"], []]]}, 2, "dict[x: list[list[list[str, ...], ...], ...]]"),
        ({"x": [("a", "b"), ("c", "d")]}, 2, "dict[x: list[tuple[str, ...], tuple[str, ...]]]"),
        ({"x": [("a", "b", "c")]}, 3, "dict[x: list[tuple[str, ...]]]"),
        ({"x": [TorchTensor(4), TorchTensor(4)]}, 4, "dict[x: list[float32[*], float32[*]]]"),
    ],
)
def test_a_list_in_a_dict_has_a_value_for_each_sample(
    batch: object, samples: int, expected: str
) -> None:
    assert count_samples(batch) == samples
    assert fast_counter(batch)(batch) == samples
    assert signature(batch) == expected
