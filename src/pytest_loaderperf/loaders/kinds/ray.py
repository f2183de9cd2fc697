"""Ray Data: batches that the processes of a cluster make.

Those of a cluster that the test has started descend from it: they are weighed with it, and
suspended, although each leads a group of its own. Nobody can follow those of another cluster.
"""

from __future__ import annotations

from typing import Any

from ..adapter import Kind, Loader, imported

_ELSEWHERE = (
    "the test has not started this Ray cluster: its processes are neither suspended nor weighed, "
    "and may work for others too"
)


def batches(iterable: Any) -> Loader:
    """What ``iter_batches`` gives: it can be iterated again and again."""
    node = imported("ray._private.worker", "_global_node")
    elsewhere = node is not None and not node.is_head()
    return Loader(
        kind="ray iter_batches",
        start=lambda: iter(iterable),
        prefetch=2,
        note=_ELSEWHERE if elsewhere else "",
        scattered=not elsewhere,
    )


def dataset(dataset: Any) -> Loader:
    """A Dataset or a DataIterator by itself: read in batches of Ray's own size."""
    return batches(dataset.iter_batches())


KINDS = (
    Kind(module="ray.data.iterator", name="_IterableFromIterator", adapter=batches),
    Kind(module="ray.data.iterator", name="DataIterator", adapter=dataset),
    Kind(module="ray.data.dataset", name="Dataset", adapter=dataset),
)
