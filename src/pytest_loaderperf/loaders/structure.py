"""What the parts of a batch are, whatever package they are from; none is imported for it.

Something is recognised by what it has, or by a class of a package that is imported already. An
array has dimensions; a record has parts by name, as a mapping, a table or a dataclass has; a list
has elements. Everything else is a single value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from numbers import Number
from typing import Any

from ..model.batch_kinds import SPARSE
from .adapter import imported

SCALARS = (str, bytes, bool, Number)  # numpy registers its scalars as numbers
Fields = list[tuple[str, Any]]


# --- records ------------------------------------------------------------------------------------


def fields(value: object) -> Fields | None:
    """The parts of a record by name, each name once; None where it is no record."""
    found = _fields(value)
    if found is None:
        return None
    named: dict[str, Any] = {}
    for key, part in found:
        name, again = str(key), 2
        while name in named:
            name, again = f"{key} ({again})", again + 1
        named[name] = part
    return list(named.items())


def _fields(value: Any) -> list[tuple[Any, Any]] | None:
    kind = type(value)
    if isinstance(value, Mapping):
        return list(value.items())
    if dataclasses.is_dataclass(value):
        return [(each.name, getattr(value, each.name)) for each in dataclasses.fields(value)]
    if hasattr(kind, "__attrs_attrs__"):
        return [(each.name, getattr(value, each.name)) for each in kind.__attrs_attrs__]
    if _is(value, "pydantic", "BaseModel") or _is(value, "pydantic.v1", "BaseModel"):
        return list(vars(value).items())
    if is_graph(value):
        return list(value.to_dict().items())
    return _columns(value)


def _columns(value: Any) -> list[tuple[Any, Any]] | None:
    """The columns of a table: of pandas, polars or Arrow."""
    if hasattr(value, "get_columns") and hasattr(value, "estimated_size"):  # polars
        return [(each.name, each) for each in value.get_columns()]
    if hasattr(value, "num_rows") and hasattr(value, "schema") and hasattr(value, "itercolumns"):
        return list(zip(value.schema.names, value.itercolumns(), strict=True))
    if hasattr(value, "iloc") and hasattr(value, "columns"):  # pandas, and what is made like it
        return [(name, value.iloc[:, place]) for place, name in enumerate(value.columns)]
    return None


def name_of(value: object) -> str:
    """What a signature calls a record: any mapping of no shape is a ``dict``."""
    plain = isinstance(value, Mapping) and not hasattr(value, "shape")
    return "dict" if plain else type(value).__name__


def told_rows(value: Any) -> int | None:
    """The samples of a record that tells them by itself: a table, tensors by name, graphs."""
    if is_graph(value):
        # Of what a neighbour loader gives, the seeds are the samples.
        for name in ("num_graphs", "batch_size"):
            if isinstance(rows := getattr(value, name, None), int):
                return rows
        return None
    dims = dims_of(value)
    return dims[0] if dims else None


def is_graph(value: object) -> bool:
    """Whether this is a graph of PyG's, or a batch of them."""
    return _is(value, "torch_geometric.data.data", "BaseData")


# --- arrays -------------------------------------------------------------------------------------


def is_array(value: object) -> bool:
    """Whether this is an array with a leading dimension, of whatever package."""
    return bool(dims_of(value))


def dims_of(value: Any) -> tuple[int | None, ...] | None:
    """The dimensions of an array, None for those that vary; None where it is none."""
    if is_nested(value):
        return _nested_dims(value)
    if is_arrow(value):
        return (len(value),)
    try:
        return tuple(_number(dim) for dim in value.shape)
    except (AttributeError, TypeError, ValueError, RuntimeError):
        return None  # a TensorFlow shape of unknown rank has no length


def _number(dim: Any) -> int | None:
    """A dimension; None where it is unknown, or no number, as that of a ragged tensor."""
    return int(dim) if str(dim).isdigit() else None


def is_arrow(value: object) -> bool:
    """Whether this is a column of Arrow's, which has no shape."""
    return all(hasattr(value, name) for name in ("to_pylist", "type", "nbytes", "__len__"))


def is_nested(value: object) -> bool:
    """Whether this is a nested tensor of torch's; the one with strides refuses to tell a shape."""
    return getattr(value, "is_nested", False) is True


def _nested_dims(value: Any) -> tuple[int | None, ...]:
    """The dimensions in which the tensors agree that it holds."""
    shapes = [tuple(each.shape) for each in value.unbind()]
    inner = [set(sizes) for sizes in zip(*shapes, strict=True)] or [{None}] * (value.dim() - 1)
    return (int(value.size(0)), *(sizes.pop() if len(sizes) == 1 else None for sizes in inner))


def dtype_of(array: Any) -> str:
    """The type of an array's elements, as a word of a signature."""
    dtype = getattr(array, "type" if is_arrow(array) else "dtype", None)
    name = getattr(dtype, "name", None)
    name = name if isinstance(name, str) else str(dtype)
    name = name.removeprefix("torch.")
    for sign, plain in {"[": "(", "]": ")", ",": ";", "|": "/", " ": "", ":": "="}.items():
        name = name.replace(sign, plain)
    # numpy's texts are as wide as the longest one of the batch: str96, bytes24.
    for text in ("str", "bytes"):
        if name.removeprefix(text).isdigit():
            name = text
    return f"{SPARSE}{name}" if sparse_parts(array) else name


# What the arrays are called of which a sparse or a ragged one is made.
_SPARSE = (
    ("values", "indices", "dense_shape"),  # TensorFlow's
    ("_values", "_indices"),  # torch's, and those with a compressed dimension
    ("values", "crow_indices", "col_indices"),
    ("values", "ccol_indices", "row_indices"),
    ("data", "indices", "indptr"),  # scipy's
    ("data", "row", "col"),
)
_LAYOUTS = {
    "torch.sparse_coo": _SPARSE[1],
    "torch.sparse_csr": _SPARSE[2],
    "torch.sparse_bsr": _SPARSE[2],
    "torch.sparse_csc": _SPARSE[3],
    "torch.sparse_bsc": _SPARSE[3],
}


def sparse_parts(array: Any) -> tuple[Any, ...]:
    """The arrays of which a sparse one is made; none where it is dense."""
    if hasattr(array, "layout"):
        names = _LAYOUTS.get(str(array.layout), ())
        return tuple(getattr(array, name)() for name in names)
    for names in (_SPARSE[0], *_SPARSE[4:]):
        parts = tuple(getattr(array, name, None) for name in names)
        if all(hasattr(part, "shape") for part in parts):
            return parts
    return ()


def ragged_parts(array: Any) -> tuple[Any, ...]:
    """The arrays of which a ragged tensor of TensorFlow's is made; none where it is another."""
    splits = getattr(array, "nested_row_splits", None)
    return (array.flat_values, *splits) if isinstance(splits, tuple) else ()


# --- images -------------------------------------------------------------------------------------


def is_image(value: object) -> bool:
    """Whether this is an image of PIL's."""
    return _is(value, "PIL.Image", "Image")


def pixels(image: Any) -> tuple[str, tuple[int, ...], int]:
    """The type and the dimensions of an image's pixels, and their bytes.

    They may be in a file still, and are not decoded for this.
    """
    width, height = image.size
    bands = len(image.getbands())
    type_text: str = imported("PIL.ImageMode", "getmode")(image.mode).typestr
    kind, size = type_text[1], int(type_text[2:])
    name = {"b": "bool", "u": "uint", "i": "int", "f": "float"}[kind]
    dtype = name if kind == "b" else f"{name}{8 * size}"
    dims = (height, width, bands) if bands > 1 else (height, width)
    return dtype, dims, height * width * bands * size


# --- lists --------------------------------------------------------------------------------------


def is_named_tuple(value: object) -> bool:
    """Whether the parts of a tuple have names, and so are no samples."""
    return isinstance(value, tuple) and hasattr(type(value), "_fields")


def holds_samples(batch: list[Any] | tuple[Any, ...]) -> bool:
    """Whether a list is a batch of samples (scalars, records) rather than the parts of one."""
    return not batch or all(isinstance(part, (*SCALARS, Mapping)) for part in batch)


def is_column(batch: object, part: object) -> bool:
    """Whether a part of a batch is a list with a value for each sample, such as one of texts.

    In a dict this is so of lists of lists, too: texts as tokens are of different lengths.
    """
    return isinstance(batch, Mapping) and isinstance(part, list) and all(map(_is_plain, part))


def _is_plain(value: object) -> bool:
    """Whether a value holds no array, and no tuple: torch makes those of the texts of a batch."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, (*SCALARS, Mapping)) or value is None:
        return True
    return not (isinstance(value, tuple) or is_array(value) or fields(value) is not None)


def _is(value: object, module: str, name: str) -> bool:
    found = imported(module, name)
    return isinstance(found, type) and isinstance(value, found)
