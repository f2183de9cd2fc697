"""torch's DataLoader and the loaders that are built upon it, and torchdata's nodes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from ..adapter import Kind, Loader, Wrap, imported, length, one_sample, settings_of
from ..counting import count_item, count_row

_MOMENT = 0.02  # seconds; several of them are a turn
_LATE = 2  # times as long takes an attempt that was frozen, nobody knows for which part of it


def data_loader(loader: Any) -> Loader:
    """A DataLoader, or one of its subclasses: torchdata's StatefulDataLoader is one.

    That of accelerate only looks like one, and has the real one inside.
    """
    inner = getattr(loader, "base_dataloader", loader)
    count = int(loader.num_workers)
    threads = count > 0 and _has_threads(loader)
    workers = 0 if threads else count  # threads are none: they are in this process
    ahead = int(loader.prefetch_factor or 2) if count else 0

    def follow(wrap: Wrap) -> None:
        if workers:
            inner.collate_fn = wrap(inner.collate_fn)

    return Loader(
        kind="torch DataLoader",
        batch_size=_batch_size(loader),
        start=lambda: _patient(iter(loader)),
        alone=lambda: iter(_without_workers(inner)),
        drops=_drops(loader),
        shuffles=_shuffles(loader),
        workers=workers,
        prefetch=ahead * count if threads else ahead,
        epoch_batches=length(loader),
        samples_per_epoch=_samples(loader),
        follow=follow,
        count=_counter(loader),
        settings=settings_of(
            batch_size=_batch_size(loader),
            num_workers=count,
            prefetch_factor=loader.prefetch_factor if count else None,
            start_method="thread" if threads else _start_method(loader) if count else None,
            persistent_workers=loader.persistent_workers if count else None,
            pin_memory=loader.pin_memory,
        ),
    )


def _patient(iterator: Any) -> Iterator[Any]:
    """An iterator whose timeout does not run while its trial is frozen.

    It waits in attempts of a moment, of which those do not count that a freeze has made longer.
    """
    wait = getattr(iterator, "_try_get_data", None)
    if wait is None or not getattr(iterator, "_timeout", 0) or isinstance(wait, partial):
        return iterator  # type: ignore[no-any-return]

    iterator._try_get_data = partial(_in_moments, wait)
    return iterator  # type: ignore[no-any-return]


def _in_moments(wait: Callable[[float], tuple[bool, Any]], timeout: float) -> tuple[bool, Any]:
    left = math.ceil(timeout / _MOMENT)
    while True:
        began = time.monotonic()
        found = wait(_MOMENT)
        left -= time.monotonic() - began < _LATE * _MOMENT
        if found[0] or left <= 0:
            return found


def _has_threads(loader: Any) -> bool:
    """Whether the workers of a loader are threads: newer ones can, and MONAI's."""
    process = getattr(loader.multiprocessing_context, "Process", None)
    by_context = isinstance(process, type) and issubclass(process, threading.Thread)
    return by_context or getattr(loader, "worker_method", None) == "thread"


def _batch_size(loader: Any) -> int | None:
    """Samples of a full batch; None where a sampler of the project puts batches together."""
    batch_sampler = imported("torch.utils.data", "BatchSampler")
    sampler = loader.batch_sampler
    size = loader.batch_size
    if not size and type(sampler) is batch_sampler:
        size = sampler.batch_size
    return int(size) if size else None


def _samples(loader: Any) -> int | None:
    """Samples per epoch, where the sampler tells: that of an iterable dataset never ends."""
    batches, batch_size = length(loader), _batch_size(loader)
    told = loader if loader.batch_size else loader.batch_sampler
    samples = length(told.sampler) if batch_size else None
    if batch_size and samples is not None and batches is not None and told.drop_last:
        return batches * batch_size
    return samples


def _without_workers(loader: Any) -> Any:
    """A DataLoader with the same dataset and sampler, in this process alone; it drops nothing."""
    make = imported("torch.utils.data", "DataLoader")
    batches = loader.batch_sampler
    if _is_iterable(loader):
        how: dict[str, Any] = {"batch_size": loader.batch_size}
    elif batches is None:
        how = {"batch_size": None, "sampler": loader.sampler}
    elif type(batches) is imported("torch.utils.data", "BatchSampler"):
        how = {"batch_size": batches.batch_size, "sampler": batches.sampler}
    else:
        how = {"batch_sampler": batches}
    return make(loader.dataset, collate_fn=loader.collate_fn, generator=loader.generator, **how)


def _is_iterable(loader: Any) -> bool:
    return isinstance(loader.dataset, imported("torch.utils.data", "IterableDataset") or ())


def _drops(loader: Any) -> bool:
    """Whether a DataLoader, or the sampler that makes its shares, drops the last samples."""
    sampler = loader.batch_sampler
    return bool(loader.drop_last or getattr(sampler, "drop_last", False))


def _shuffles(loader: Any) -> bool:
    """Whether a sampler deals out shuffled samples, which ``set_epoch`` is to shuffle anew."""
    distributed = imported("torch.utils.data.distributed", "DistributedSampler")
    samplers = [loader.sampler, getattr(loader.batch_sampler, "sampler", None)]
    return distributed is not None and any(
        isinstance(each, distributed) and each.shuffle for each in samplers
    )


def _counter(loader: Any) -> Callable[[Any], int] | None:
    """How to count what comes of a loader that does not make batches itself."""
    if loader.batch_size is not None or loader.batch_sampler is not None:
        return None
    if isinstance(loader.sampler, imported("torch.utils.data", "BatchSampler") or ()):
        return None
    return partial(count_item, batches=_is_iterable(loader))


def _start_method(loader: Any) -> str | None:
    context = loader.multiprocessing_context
    context = context or imported("multiprocessing.context", "_default_context")
    if context is None:
        return None
    # Not to ask for the default, which asking would settle.
    method: str | None = context.get_start_method(allow_none=True)
    return method or str(context.get_all_start_methods()[0])


def streaming_loader(package: str, loader: Any) -> Loader:
    """A StreamingDataLoader: its dataset splits itself among the workers."""
    samples = None if loader.drop_last else length(loader.dataset)
    kind = f"{package} StreamingDataLoader"
    return replace(data_loader(loader), kind=kind, samples_per_epoch=samples)


def streaming_dataset(package: str, dataset: Any) -> Loader:
    """A StreamingDataset without a DataLoader: it gives one sample at a time."""
    samples = length(dataset)
    return Loader(
        kind=f"{package} StreamingDataset",
        start=lambda: iter(dataset),
        epoch_batches=samples,
        samples_per_epoch=samples,
        count=one_sample,
    )


def nodes_loader(loader: Any) -> Loader:
    """A loader of torchdata's nodes: the nodes have the workers, and their queues."""
    nodes = list(_nodes(loader.root))
    mappers = [node for node in nodes if getattr(node, "num_workers", 0)]
    workers = sum(node.num_workers for node in mappers if node.method == "process")
    ahead = sum(getattr(node, "prefetch_factor", None) or 0 for node in nodes)
    ahead += sum(node.max_concurrent or 2 * node.num_workers for node in mappers)
    batch = next((node.batch_size for node in nodes if hasattr(node, "batch_size")), None)
    return Loader(
        kind="torchdata nodes Loader",
        start=lambda: iter(loader),
        workers=workers,
        prefetch=-(-ahead // workers) if workers else ahead,
        count=None if batch else count_row,
        settings=settings_of(
            batch_size=batch,
            num_workers=sum(node.num_workers for node in mappers),
            method=", ".join(sorted({node.method for node in mappers})) or None,
            prefetch_factor=next(
                (n.prefetch_factor for n in nodes if hasattr(n, "prefetch_factor")), None
            ),
        ),
    )


def _nodes(root: Any) -> Iterator[Any]:
    """A node and what it reads from, as far as it reads from a single one."""
    while root is not None:
        yield root
        root = getattr(root, "source", None)


def _of(package: str, describe: Callable[[str, Any], Loader]) -> Callable[[Any], Loader]:
    return partial(describe, package)


# What is built upon a DataLoader goes before it.
KINDS = (
    Kind(
        module="streaming.base.dataloader",
        name="StreamingDataLoader",
        adapter=_of("streaming", streaming_loader),
    ),
    Kind(
        module="streaming.base.dataset",
        name="StreamingDataset",
        adapter=_of("streaming", streaming_dataset),
    ),
    Kind(
        module="litdata.streaming.dataloader",
        name="StreamingDataLoader",
        adapter=_of("litdata", streaming_loader),
    ),
    Kind(
        module="litdata.streaming.dataset",
        name="StreamingDataset",
        adapter=_of("litdata", streaming_dataset),
    ),
    Kind(module="torchdata.nodes.loader", name="Loader", adapter=nodes_loader),
    Kind(module="torch.utils.data", name="DataLoader", adapter=data_loader),
)
