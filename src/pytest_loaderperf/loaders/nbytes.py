"""Bytes of a batch, of whatever it is made; memory that parts of it share counts once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

__tracebackhide__ = True


class Extent(NamedTuple):
    """Where the elements of an array lie, and how many bytes they are."""

    begin: int
    end: int
    size: int


def size(batch: object) -> int:
    """The bytes of a batch."""
    parts = list(_parts(batch, set()))
    plain = sum(part for part in parts if isinstance(part, int))
    return plain + _shared(sorted(part for part in parts if isinstance(part, Extent)))


def _shared(extents: list[Extent]) -> int:
    """The bytes of arrays, of which those that overlap are no larger than what they span.

    The columns of one matrix overlap, and yet they are different bytes.
    """
    total = begin = end = inside = 0
    for extent in extents:
        if extent.begin >= end:
            total += min(inside, end - begin)
            begin, end, inside = extent.begin, extent.end, 0
        end = max(end, extent.end)
        inside += extent.size
    return total + min(inside, end - begin)


def _parts(batch: object, seen: set[int]) -> Iterator[int | Extent]:
    """The bytes of everything in a batch: of arrays with their place, as far as they tell it."""
    if hasattr(batch, "shape"):
        # An array that comes twice, or of which two views come, is a single one.
        if id(batch) not in seen:
            seen.add(id(batch))
            yield from _array(batch, seen)
    elif isinstance(batch, Mapping):
        for part in batch.values():
            yield from _parts(part, seen)
    elif isinstance(batch, list | tuple):
        for part in batch:
            yield from _parts(part, seen)
    elif dataclasses.is_dataclass(batch):
        for each in dataclasses.fields(batch):
            yield from _parts(getattr(batch, each.name), seen)
    elif isinstance(batch, str | bytes):
        yield len(batch)
    elif isinstance(batch, int | float | complex):
        yield 8


def _array(array: Any, seen: set[int]) -> Iterator[int | Extent]:
    # Ragged and sparse tensors of TensorFlow's are made of dense ones; so are those of torch's.
    for names in (("flat_values", "nested_row_splits"), ("values", "indices", "dense_shape")):
        parts = [getattr(array, name, None) for name in names]
        if all(hasattr(part, "shape") or isinstance(part, tuple) for part in parts):
            yield from _parts(tuple(parts), seen)
            return
    nbytes = _nbytes(array)
    yield _extent(array, nbytes) or nbytes


def _nbytes(array: Any) -> int:
    nbytes = getattr(array, "nbytes", None)
    if nbytes is not None:
        return int(nbytes)
    # TensorFlow's tensors have none.
    return math.prod([int(dim or 0) for dim in array.shape], start=getattr(array.dtype, "size", 0))


def _extent(array: Any, nbytes: int) -> Extent | None:
    """Where an array lies, if it is numpy's or torch's."""
    try:
        if hasattr(array, "data_ptr"):
            begin = int(array.data_ptr())
            width = int(array.element_size())
            steps = [int(step) * width for step in array.stride()]
        else:
            begin = int(array.__array_interface__["data"][0])
            width = int(array.itemsize)
            steps = [int(step) for step in array.strides]
    except (AttributeError, TypeError, RuntimeError, NotImplementedError):  # it is of no such kind
        return None
    if not begin or not nbytes:
        return None
    lasts = [(dim - 1) * step for dim, step in zip(array.shape, steps, strict=True)]
    end = begin + sum(last for last in lasts if last > 0) + width
    return Extent(begin + sum(last for last in lasts if last < 0), end, nbytes)
