"""The samples of a batch as bytes, whatever it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from . import counting, structure
from .adapter import imported

_FLOAT = 4  # bytes of a float32


def columns(batch: Any, samples: int) -> Iterator[Sequence[bytes]]:
    """Each part of a batch that has a value for every sample, as bytes."""
    if batch is None or isinstance(batch, structure.SCALARS) or structure.is_image(batch):
        return
    if isinstance(batch, list | tuple):
        told = counting.possible_readings(batch)
        if next((not each.path for each in told if each.count == samples), False):
            yield [encoded(each) for each in batch]
        elif not structure.holds_samples(batch):
            for part in batch:
                yield from columns(part, samples)
    elif structure.is_graph(batch):
        yield [encoded(each) for each in batch.to_data_list()]
    elif (named := structure.fields(batch)) is not None:
        for _, part in named:
            if not structure.is_column(batch, part):
                yield from columns(part, samples)
            elif len(part) == samples:
                yield [encoded(each) for each in part]
    elif structure.is_array(batch) and len(rows := _rows(batch)) == samples:
        yield [encoded(each) for each in rows]


def encoded(value: Any) -> bytes:
    """A value as bytes, whatever it is made of."""
    if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        return value.tobytes()
    if structure.is_image(value):
        return f"{value.mode}{value.size}".encode() + bytes(value.tobytes())
    if isinstance(value, list | tuple):
        return _joined(value)
    if (named := structure.fields(value)) is not None:
        return b"{" + b",".join(f"{key}:".encode() + encoded(part) for key, part in named) + b"}"
    if isinstance(value, np.ndarray | np.generic):
        return repr(value.tolist()).encode()
    return _encoded_rows(value) if structure.is_array(value) else _encoded_value(value)


def _joined(values: Iterable[Any]) -> bytes:
    return b"[" + b",".join(map(encoded, values)) + b"]"


def _encoded_rows(array: Any) -> bytes:
    rows = _rows(array)
    return encoded(rows) if isinstance(rows, np.ndarray) else _joined(rows)


def _encoded_value(value: Any) -> bytes:
    if structure.dims_of(value) == () and not isinstance(value, structure.SCALARS):
        return encoded(_dense(value))  # a tensor of a single number
    return repr(value).encode()


def _rows(array: Any) -> Sequence[Any]:
    """The rows of an array: of numpy's, if it can be one."""
    if structure.is_nested(array):
        return [_dense(each) for each in array.detach().unbind()]
    for as_list in ("to_pylist", "to_list"):  # Arrow's, polars', ragged tensors
        if hasattr(array, as_list) and not hasattr(array, "iloc"):
            rows: list[Any] = getattr(array, as_list)()
            return rows
    rows_of: Sequence[Any] = _dense(array)
    return rows_of


def _dense(array: Any) -> Any:
    """An array as one of numpy's, which has no sparse ones, and not all types."""
    if hasattr(array, "detach"):
        array = array.detach()
        array = array.to_dense() if structure.sparse_parts(array) else array
        # Types that numpy lacks hold no more than this one.
        small = array.is_floating_point() and array.element_size() < _FLOAT
        return (array.float() if small else array).cpu().numpy()
    if structure.sparse_parts(array):
        to_dense = getattr(array, "toarray", None)  # scipy's
        return to_dense() if to_dense else imported("tensorflow", "sparse").to_dense(array).numpy()
    return np.asarray(array)
