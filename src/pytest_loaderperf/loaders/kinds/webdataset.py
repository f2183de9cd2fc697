"""webdataset: pipelines over shards, and its loader around torch's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ..adapter import Kind, Loader, Wrap, length
from ..counting import count_item
from .torch import data_loader

# The stages that make batches of samples, and samples of batches.
_BATCHING = {"_batched": True, "_listed": True, "_unbatched": False, "_unlisted": False}


def pipeline(dataset: Any) -> Loader:
    """A WebDataset, or another pipeline."""
    return Loader(
        kind="webdataset pipeline",
        start=lambda: iter(dataset),
        epoch_batches=_epoch(dataset),
        count=_counter(_makes_batches(dataset.pipeline)),
    )


def web_loader(loader: Any) -> Loader:
    """A WebLoader: a DataLoader, and stages that work in this process on what comes of it."""
    inner, *stages = loader.pipeline
    known = data_loader(inner)
    batches = _makes_batches(stages)
    if batches is None:
        source = getattr(inner.dataset, "pipeline", ())
        batches = True if inner.batch_size is not None else _makes_batches(source)
    # Workers make batches of their own if a stage makes others of them.
    follow: Callable[[Wrap], None] = (lambda _: None) if stages else known.follow
    return replace(
        known,
        kind="webdataset WebLoader",
        start=lambda: iter(loader),
        alone=None,
        drops=None,
        epoch_batches=_epoch(loader),
        batch_size=None if stages else known.batch_size,
        follow=follow,
        count=_counter(batches),
    )


def _makes_batches(stages: Sequence[Any]) -> bool | None:
    """Whether samples or batches come of some stages; None where none of them says."""
    names = [getattr(getattr(stage, "f", None), "__name__", "") for stage in stages]
    return next((_BATCHING[name] for name in reversed(names) if name in _BATCHING), None)


def _counter(batches: bool | None) -> Callable[[Any], int] | None:
    return None if batches else partial(count_item, batches=False)


def _epoch(pipeline: Any) -> int | None:
    """What ``with_epoch`` or ``with_length`` has set."""
    return pipeline.nsamples if pipeline.nsamples > 0 else length(pipeline)


KINDS = (
    Kind(module="webdataset.compat", name="WebLoader", adapter=web_loader),
    Kind(module="webdataset.pipeline", name="DataPipeline", adapter=pipeline),
)
