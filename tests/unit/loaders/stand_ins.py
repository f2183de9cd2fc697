"""Stand-ins for the tensors of frameworks, and records that hold them."""

from __future__ import annotations

import operator
from collections import namedtuple
from dataclasses import dataclass
from functools import reduce


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
