"""Ray Data: batches that the processes of a cluster make."""

from __future__ import annotations

from typing import Any

from .base import Kind, Loader

NOTE = (
    "Ray's workers are frozen and weighed only where they are processes of this machine that "
    "descend from the test"
)


def batches(iterable: Any) -> Loader:
    """What ``iter_batches`` gives: it can be iterated again and again."""
    return Loader("ray iter_batches", lambda: iter(iterable), prefetch=2, note=NOTE)


def dataset(dataset: Any) -> Loader:
    """A Dataset or a DataIterator by itself: read in batches of Ray's own size."""
    return batches(dataset.iter_batches())


KINDS = (
    Kind("ray.data.iterator", "_IterableFromIterator", batches),
    Kind("ray.data.iterator", "DataIterator", dataset),
    Kind("ray.data.dataset", "Dataset", dataset),
)
