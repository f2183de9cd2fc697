"""The kind of a batch: types, nesting and shapes of what it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..model.batch_kinds import VARIES, Alike, Array, Named, Node, Parts, Plain, are_alike, merge
from . import structure

_LISTS = ("list", "tuple")  # others, such as named tuples, have parts that are no samples


def outline(batch: Any) -> Node:
    """What a single batch is made of, with its own number of samples still in it."""
    if batch is None or isinstance(batch, structure.SCALARS):
        return _plain(batch)
    if structure.is_image(batch):
        dtype, size, _ = structure.pixels(batch)
        return Named(name="Image", fields=((batch.mode, _array(dtype, size)),))
    named = structure.fields(batch)
    if named is not None:
        parts = ((name, _field(batch, part)) for name, part in named)
        return Named(name=structure.name_of(batch), fields=tuple(parts))
    if isinstance(batch, list | tuple):
        return _list(batch)
    dims = structure.dims_of(batch)
    return _array(structure.dtype_of(batch), dims) if dims else _plain(batch)


def _list(batch: list[Any] | tuple[Any, ...]) -> Node:
    if structure.holds_samples(batch):
        return _column(batch)
    return Parts(name=type(batch).__name__, parts=tuple(map(outline, batch)))


def _plain(value: object) -> Plain:
    return Plain(names=frozenset({type(value).__name__}))


def _array(dtype: str, dims: Sequence[int | None]) -> Array:
    texts = (VARIES if dim is None else str(dim) for dim in dims)
    return Array(dtypes=frozenset({dtype}), dims=tuple(texts))


def _field(record: object, part: Any) -> Node:
    return _column(part) if structure.is_column(record, part) else outline(part)


def _column(samples: Sequence[Any]) -> Alike:
    """A list with a value for each sample: in lists of lists, a list."""
    kinds = {type(each): _plain(each) for each in samples}
    if all(issubclass(kind, structure.SCALARS) for kind in kinds):
        elements: list[Node] = list(kinds.values())
    else:
        elements = [_column(each) if isinstance(each, list) else outline(each) for each in samples]
    return Alike(
        name=type(samples).__name__,
        element=merge(elements) if elements else None,
        count=len(samples),
    )


def settled(kind: Node, samples: int, *, element: bool = False) -> Node:
    """The kind of a batch, given how many samples one had; ``element``: it is of one of them.

    Lists of like parts are columns of the batch if each of them has so many samples, else they are
    of elements. The leading dimension of an array is that of the batch if no sample holds it.
    """
    if isinstance(kind, Array):
        return kind if element else replace(kind, dims=(VARIES, *kind.dims[1:]))
    if isinstance(kind, Named):
        pixels = kind.name == "Image"  # which have no dimension for the batch
        parts = ((n, settled(each, samples, element=element or pixels)) for n, each in kind.fields)
        return replace(kind, fields=tuple(parts))
    if isinstance(kind, Alike):
        inside = element or kind.count == samples
        inner = settled(kind.element, samples, element=inside) if kind.element else None
        return replace(kind, element=inner)
    if isinstance(kind, Parts):
        elements = kind.name in _LISTS and are_alike(kind.parts)
        if elements and (element or rows(kind) != {str(samples)}):
            inside = element or len(kind.parts) == samples
            inner = merge(settled(each, samples, element=inside) for each in kind.parts)
            return Alike(name=kind.name, element=inner, count=len(kind.parts))
        return replace(
            kind, parts=tuple(settled(each, samples, element=element) for each in kind.parts)
        )
    return kind


def rows(kind: Node) -> set[str]:
    """How many samples the arrays and lists in a batch have, each by itself."""
    if isinstance(kind, Array):
        return {kind.dims[0]}
    if isinstance(kind, Alike):
        return {str(kind.count)}
    parts = kind.parts if isinstance(kind, Parts) else ()
    if isinstance(kind, Named) and kind.name != "Image":
        parts = tuple(part for _, part in kind.fields)
    return {each for part in parts for each in rows(part)}
