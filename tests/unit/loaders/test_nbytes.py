"""Bytes of batches: what arrays share counts once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_loaderperf.loaders.nbytes import size

MATRIX = np.zeros((10, 4))  # 320 bytes
OTHER = np.zeros((10, 4))


class Tensor:
    """An array that does not tell where it lies."""

    def __init__(self) -> None:
        self.shape = (4, 3)
        self.dtype = SimpleNamespace(size=4)


TENSOR = Tensor()


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ((MATRIX, OTHER), 640),
        ((MATRIX, MATRIX), 320),
        ({"a": MATRIX, "b": MATRIX[:5]}, 320),
        ([MATRIX[:6], MATRIX[4:]], 320),
        ([MATRIX[:5], MATRIX[5:]], 320),
        ((MATRIX[:, 0], MATRIX[:, 1]), 160),
        ((MATRIX[:, :3], MATRIX[:, 1:]), 320),
        ((MATRIX, MATRIX[::-1]), 320),
        ((MATRIX, MATRIX.T), 320),
        (np.broadcast_to(np.zeros(4), (10, 4)), 32),
        (MATRIX[:0], 0),
        ((TENSOR, TENSOR), 48),
        ((TENSOR, Tensor()), 96),
        (np.float32(1), 4),
    ],
)
def test_bytes(batch: Any, expected: int) -> None:
    assert size(batch) == expected


def test_a_ragged_tensor_has_the_bytes_of_its_values_and_splits() -> None:
    ragged = SimpleNamespace(
        shape=(3, None), flat_values=np.zeros(7), nested_row_splits=(np.zeros(4, "int64"),)
    )
    assert size(ragged) == 7 * 8 + 4 * 8


def test_a_sparse_tensor_has_the_bytes_of_its_values_and_places() -> None:
    sparse = SimpleNamespace(
        shape=(3, 9), values=np.zeros(5), indices=np.zeros((5, 2), "int64"),
        dense_shape=np.zeros(2, "int64"),
    )  # fmt: skip
    assert size([sparse]) == 5 * 8 + 10 * 8 + 2 * 8
