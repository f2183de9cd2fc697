"""Bytes and signature of batches, with stand-ins for the tensors of a framework."""

from __future__ import annotations

import random
from collections import UserDict
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.errors import LoaderError
from pytest_loaderperf.loaders.batches import look, signature, workload
from pytest_loaderperf.loaders.counting import count_samples
from unit.loaders.stand_ins import Pair, TfTensor, TorchTensor, Triple

no_deadline = settings(deadline=None)


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
    assert look(batch, lambda _: 1).size == size


def test_bytes_per_sample_is_the_mean_over_all_samples() -> None:
    looks = [look(np.zeros(size, "uint8"), lambda batch: len(batch) // 10) for size in (37, 19)]
    assert workload(looks, (), None).bytes_per_sample == (37 + 19) / (3 + 1)


def test_the_length_of_an_epoch_is_passed_on() -> None:
    looks = [look(np.zeros(4))]
    assert workload(looks, (), 2048).samples_per_epoch == 2048
    assert workload(looks, (), None).samples_per_epoch is None


def test_batches_without_a_sample_are_a_loader_error() -> None:
    with pytest.raises(LoaderError, match="sample"):
        workload([look([]), look(np.zeros((0, 3)))], (), None)


def test_samples_are_counted_as_the_test_says() -> None:
    assert look(np.zeros((4, 3)), lambda batch: 2 * len(batch)).samples == 8


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
    return workload([look(batch, lambda _: 2) for batch in batches], (), None).batch


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


@pytest.mark.parametrize(
    ("batch", "samples", "expected"),
    [
        ({"tokens": [[1, 2], [3]]}, 2, "dict[tokens: list[list[int, ...], ...]]"),
        (
            {"x": [[], [1]], "y": np.zeros(2)},
            2,
            "dict[x: list[list[int, ...], ...], y: float64[*]]",
        ),
        ({"x": [None, "a", None]}, 3, "dict[x: list[NoneType|str, ...]]"),
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
    assert signature(batch) == expected
