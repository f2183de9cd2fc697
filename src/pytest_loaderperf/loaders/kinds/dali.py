"""NVIDIA DALI's iterators: a batch is a list with a dict of tensors for each pipeline."""

from __future__ import annotations

from typing import Any

from ..adapter import Kind, Loader, length, settings_of
from ..counting import count_samples


def iterator(loader: Any) -> Loader:
    """An iterator over pipelines, each of which is one GPU's or the CPU's."""
    return Loader(
        kind="DALI iterator",
        start=lambda: iter(loader),
        prefetch=2,
        epoch_batches=length(loader) if loader.size > 0 else None,
        count=count,
        settings=settings_of(
            batch_size=loader.batch_size,
            pipelines=len(loader._pipes),
            num_threads=loader._pipes[0].num_threads,
            last_batch_policy=loader._last_batch_policy.name,
        ),
    )


def count(batch: Any) -> int:
    """Count the samples of all pipelines; a list of records would have one for each dict."""
    if isinstance(batch, list):
        return sum(count_samples(each) for each in batch)
    return count_samples(batch)


KINDS = (
    Kind(module="nvidia.dali.plugin.base_iterator", name="_DaliBaseIterator", adapter=iterator),
)
