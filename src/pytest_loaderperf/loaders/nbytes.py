"""Bytes of a batch, of whatever it is made; memory that parts of it share counts once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from . import structure

__tracebackhide__ = True


class Extent(NamedTuple):
    """Where the elements of an array lie, and how many bytes they are."""

    begin: int
    end: int
    size: int


def size(batch: object) -> int:
    """The bytes of a batch."""
    # What was seen is kept: something else could be at its place otherwise.
    parts = list(_parts(batch, {}))
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


def _parts(batch: object, seen: dict[int, object]) -> Iterator[int | Extent]:
    """The bytes of everything in a batch: of arrays with their place, as far as they tell it."""
    if isinstance(batch, str | bytes):
        yield len(batch)
    elif isinstance(batch, int | float | complex):
        yield 8
    elif isinstance(batch, list | tuple):
        for part in batch:
            yield from _parts(part, seen)
    elif id(batch) in seen:  # an array that comes twice is a single one
        return
    elif structure.is_image(batch):
        seen[id(batch)] = batch
        yield structure.pixels(batch)[2]
    elif (named := structure.fields(batch)) is not None:
        for _, part in named:
            yield from _parts(part, seen)
    elif structure.dims_of(batch) is not None:
        seen[id(batch)] = batch
        yield from _array(batch, seen)


def _array(array: Any, seen: dict[int, object]) -> Iterator[int | Extent]:
    # Ragged and sparse arrays are made of dense ones.
    parts = structure.ragged_parts(array) or structure.sparse_parts(array)
    if parts:
        yield from _parts(parts, seen)
        return
    nbytes = _nbytes(array)
    yield _extent(array, nbytes) or nbytes


def _nbytes(array: Any) -> int:
    nbytes = getattr(array, "nbytes", None)
    if nbytes is not None:
        return int(nbytes)
    if hasattr(array, "estimated_size"):  # a column of polars
        return int(array.estimated_size())
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
