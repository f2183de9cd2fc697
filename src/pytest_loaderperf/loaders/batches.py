"""Samples, bytes and signature of any batch, without importing what it is made of.

A leaf is anything with a ``shape``, as numpy arrays, torch and TensorFlow tensors have one; the
leading dimension of a leaf is the batch. Strings and numbers in a list or tuple are samples.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

from ..errors import LoaderError
from ..model import signatures
from ..model.workload import Workload
from . import nbytes

__tracebackhide__ = True  # pytest shows a failure from the test on, and in the loader itself

SampleCounter = Callable[[Any], int]
_SCALARS = (str, bytes, bool, Number)  # numpy registers its scalars as numbers


def count_samples(batch: object) -> int:
    """How many samples a batch holds; LoaderError where its parts disagree or cannot tell."""
    counts = dict(_counts(batch, "batch"))
    if not counts:
        raise LoaderError(
            f"cannot count the samples of a batch of type {_name(batch)}: nothing in it has a "
            "leading dimension. Say how: loaderperf(loader, samples=lambda batch: ...)"
        )
    if len(set(counts.values())) > 1:
        parts = ", ".join(f"{place} has {count}" for place, count in list(counts.items())[:4])
        raise LoaderError(
            f"cannot count the samples of a batch, its parts disagree: {parts}. "
            "Say how: loaderperf(loader, samples=lambda batch: ...)"
        )
    return next(iter(counts.values()))


def count_item(item: object, *, batches: bool) -> int:
    """How many samples an item holds that may be one itself; LoaderError where it is unclear.

    Single values in it, such as a label, make it a sample. Where whoever makes it may have made
    ``batches``, arrays alone are one, and arrays beside single values could be either.
    """
    arrays = any(_counts(item, ""))
    single = _has_single_value(item)
    if single and not (arrays and batches):
        return 1
    if arrays and batches and not single:
        return count_samples(item)
    raise LoaderError(
        f"the loader gives items of type {_name(item)} as they are, and each may be a sample or a "
        "batch of them. Say which: loaderperf(loader, samples=lambda item: 1), or the number of "
        "samples in it"
    )


def fast_counter(batch: object) -> SampleCounter:
    """A counter for batches like this one, quick enough to run inside a timed loop.

    It looks at one leaf only: that all of them agree was checked on this first batch.
    """
    samples = count_samples(batch)
    steps = list(_path_to_leaf(batch))

    def count(batch: Any) -> int:
        for step in steps:
            batch = batch[step]
        return len(batch)

    try:
        return count if count(batch) == samples else count_samples
    except (TypeError, KeyError, IndexError):
        return count_samples


def without(share: float, count: SampleCounter) -> SampleCounter:
    """A counter that leaves out a share of all samples, over batches of whatever size."""
    if not share:
        return count
    left = 0.0

    def some(batch: Any) -> int:
        nonlocal left
        left += int(count(batch)) * (1 - share)
        whole = int(left + 1e-9)
        left -= whole
        return whole

    return some


def _path_to_leaf(batch: Any) -> Iterator[Any]:
    """The keys and indices that lead to the first part that tells a number of samples."""
    while isinstance(batch, Mapping) or (
        isinstance(batch, list | tuple) and not _holds_samples(batch)
    ):
        parts = batch.items() if isinstance(batch, Mapping) else enumerate(batch)
        step, inner = next(
            (key, part) for key, part in parts if is_column(batch, part) or any(_counts(part, ""))
        )
        yield step
        if is_column(batch, inner):
            return
        batch = inner


@dataclass(frozen=True, kw_only=True)
class Example:
    """What is kept of a batch that was looked at; sizes in bytes."""

    signature: str
    size: int
    samples: int


def example(batch: object, count: SampleCounter = count_samples) -> Example:
    """Look at a batch."""
    return Example(signature=signature(batch), size=nbytes.size(batch), samples=count(batch))


def workload(examples: Sequence[Example], samples_per_epoch: int | None) -> Workload:
    """The workload that some batches are examples of."""
    size = sum(each.size for each in examples)
    samples = sum(each.samples for each in examples)
    if samples < 1:
        raise LoaderError("the first batches of the loader hold no sample")
    merged = signatures.merge([each.signature for each in examples])
    return Workload(
        batch=merged, bytes_per_sample=round(size / samples, 1), samples_per_epoch=samples_per_epoch
    )


def signature(batch: object) -> str:
    """Types, nesting and shapes of a batch: ``tuple[float32[*,3,256,256], int64[*]]``."""
    if is_leaf(batch):
        dims = ["*", *(_dim(d) for d in list(batch.shape)[1:])]  # type: ignore[attr-defined]
        return f"{_dtype(batch)}[{','.join(dims)}]"
    if isinstance(batch, Mapping):
        parts = ((key, _column(part) if is_column(batch, part) else signature(part))
                 for key, part in batch.items())  # fmt: skip
        return f"dict[{', '.join(f'{key}: {part}' for key, part in parts)}]"
    if isinstance(batch, list | tuple):
        if _holds_samples(batch):
            return _column(batch)
        return f"{_name(batch)}[{', '.join(signature(part) for part in batch)}]"
    if dataclasses.is_dataclass(batch):
        fields = ((f.name, getattr(batch, f.name)) for f in dataclasses.fields(batch))
        return f"{_name(batch)}[{', '.join(f'{n}: {signature(part)}' for n, part in fields)}]"
    return _name(batch)


def _column(samples: Sequence[object]) -> str:
    """The signature of a list of samples: that of the first one, in which nothing is a batch."""
    first = samples[0] if samples else ""
    inner = _column(first) if isinstance(first, list) else signature(first) if samples else ""
    return f"{_name(samples)}[{inner}, ...]"


def _counts(batch: object, place: str) -> Iterator[tuple[str, int]]:
    """Every part of a batch that tells a number of samples, with its place."""
    for where, part in columns(batch, place):
        samples = part.shape[0] if is_leaf(part) else len(part)
        if samples is not None:
            yield where, int(samples)


def columns(batch: object, place: str = "batch") -> Iterator[tuple[str, Any]]:
    """Every array of a batch and every list of samples in it, with its place."""
    if is_leaf(batch):
        yield place, batch
    elif isinstance(batch, Mapping):
        for key, part in batch.items():
            if is_column(batch, part):
                yield f"{place}[{key!r}]", part
            else:
                yield from columns(part, f"{place}[{key!r}]")
    elif isinstance(batch, list | tuple):
        if _holds_samples(batch):
            yield place, batch
        else:
            for index, part in enumerate(batch):
                yield from columns(part, f"{place}[{index}]")
    elif dataclasses.is_dataclass(batch):
        for each in dataclasses.fields(batch):
            yield from columns(getattr(batch, each.name), f"{place}.{each.name}")


def is_leaf(batch: object) -> bool:
    """Whether this is an array with a leading dimension, of whatever package."""
    shape = getattr(batch, "shape", None)
    try:
        return shape is not None and len(shape) > 0
    except (TypeError, ValueError):  # a TensorFlow shape of unknown rank has no length
        return False


def is_column(batch: object, part: object) -> bool:
    """Whether a part of a batch is a list with a value for each sample, such as one of texts.

    In a dict this is so of lists of lists, too: texts as tokens are of different lengths.
    """
    return isinstance(batch, Mapping) and isinstance(part, list) and all(map(_is_plain, part))


def _is_plain(value: object) -> bool:
    """Whether a value holds no array, and no tuple: torch makes those of the texts of a batch."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return not (is_leaf(value) or isinstance(value, tuple) or dataclasses.is_dataclass(value))


def _holds_samples(batch: list[Any] | tuple[Any, ...]) -> bool:
    """Whether a list is a batch of samples (scalars, records) rather than the parts of one."""
    return not batch or all(isinstance(part, (*_SCALARS, Mapping)) for part in batch)


def _has_single_value(item: object) -> bool:
    """Whether some part of an item is a value by itself, and no array or list."""
    if is_leaf(item) or item is None:
        return False
    if isinstance(item, Mapping):
        return any(map(_has_single_value, item.values()))
    if isinstance(item, list | tuple):
        return (isinstance(item, tuple) or not _holds_samples(item)) and any(
            map(_has_single_value, item)
        )
    if dataclasses.is_dataclass(item):
        fields = dataclasses.fields(item)
        return any(_has_single_value(getattr(item, each.name)) for each in fields)
    return True


def _dim(dim: object) -> str:
    return "*" if dim is None else str(dim)


def _dtype(leaf: Any) -> str:
    dtype = getattr(leaf, "dtype", None)
    name = getattr(dtype, "name", None) or str(dtype)
    # numpy's texts are as wide as the longest one of the batch: str96, bytes24.
    return re.sub(r"^(str|bytes)\d+$", r"\1", name.removeprefix("torch."))


def _name(value: object) -> str:
    return type(value).__name__
