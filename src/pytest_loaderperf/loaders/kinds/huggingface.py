"""Hugging Face's datasets, iterated as they are: a row at a time."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..adapter import Kind, Loader, settings_of
from ..counting import count_item

# `Dataset.batch()` makes rows of which each is a batch, and leaves no trace of it.
_count = partial(count_item, batches=False)


def dataset(dataset: Any) -> Loader:
    """A Dataset, of which all rows are there."""
    return Loader(
        kind="datasets Dataset",
        start=lambda: iter(dataset),
        epoch_batches=len(dataset) or None,
        samples_per_epoch=len(dataset) or None,
        count=_count,
        settings=settings_of(format=dataset.format["type"] or "python"),
    )


def iterable_dataset(dataset: Any) -> Loader:
    """An IterableDataset, which reads rows as they are asked for."""
    formatting = dataset._formatting
    return Loader(
        kind="datasets IterableDataset",
        start=lambda: iter(dataset),
        count=_count,
        settings=settings_of(format=formatting.format_type if formatting else "python"),
    )


KINDS = (
    Kind(module="datasets.arrow_dataset", name="Dataset", adapter=dataset),
    Kind(module="datasets.iterable_dataset", name="IterableDataset", adapter=iterable_dataset),
)
