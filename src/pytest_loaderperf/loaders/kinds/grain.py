"""grain: its DataLoader, and its datasets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..adapter import Kind, Loader, length, one_sample, settings_of

# The nodes and operations that make batches have these names, whatever their module.
_BATCHING = ("Batch", "Rebatch", "Pack", "FirstFitPack", "BestFitPack")


def data_loader(loader: Any) -> Loader:
    """A DataLoader: operations on the records that a sampler names, in worker processes."""
    options = loader.multiprocessing_options
    batches = any(type(each).__name__.startswith(_BATCHING) for each in loader._operations)
    return Loader(
        kind="grain DataLoader",
        start=lambda: iter(loader),
        workers=options.num_workers,
        prefetch=options.per_worker_buffer_size if options.num_workers else 0,
        count=None if batches else one_sample,
        settings=settings_of(
            worker_count=options.num_workers,
            worker_buffer_size=options.per_worker_buffer_size if options.num_workers else None,
            start_method="spawn" if options.num_workers else None,
            num_threads=loader._read_options.num_threads,
        ),
    )


def dataset(dataset: Any) -> Loader:
    """A MapDataset or an IterDataset, with what it reads from."""
    nodes = list(_nodes(dataset))
    batches = any(type(node).__name__.startswith(_BATCHING) for node in nodes)
    # `mp_prefetch` gives each worker a node of its own.
    processes = [node for node in nodes if type(node).__name__ == "ProcessPrefetchIterDataset"]
    ahead = processes[0]._buffer_size if processes else 0
    read_options = _first(nodes, "_read_options")
    kind = "MapDataset" if hasattr(type(dataset), "__getitem__") else "IterDataset"
    return Loader(
        kind=f"grain {kind}",
        start=lambda: iter(dataset),
        workers=len(processes),
        prefetch=ahead,
        epoch_batches=length(dataset),
        count=None if batches else one_sample,
        settings=settings_of(
            num_workers=len(processes),
            per_worker_buffer_size=ahead if processes else None,
            start_method="spawn" if processes else None,
            num_threads=read_options.num_threads if read_options else None,
        ),
    )


def _nodes(dataset: Any) -> Iterator[Any]:
    yield dataset
    for parent in (*dataset._parents, *getattr(dataset, "_datasets", ())):
        yield from _nodes(parent)


def _first(nodes: list[Any], name: str) -> Any:
    return next((getattr(node, name) for node in nodes if hasattr(node, name)), None)


KINDS = (
    Kind(module="grain._src.python.data_loader", name="DataLoader", adapter=data_loader),
    Kind(module="grain._src.python.dataset.dataset", name="MapDataset", adapter=dataset),
    Kind(module="grain._src.python.dataset.dataset", name="IterDataset", adapter=dataset),
)
