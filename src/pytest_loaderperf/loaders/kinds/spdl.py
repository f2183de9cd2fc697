"""SPDL's loaders, of threads and of processes; a Pipeline can run only once."""

from __future__ import annotations

from typing import Any

from ..adapter import Kind, Loader, length, settings_of
from ..counting import count_row


def data_loader(loader: Any) -> Loader:
    """A DataLoader: a pipeline of threads, built anew for each epoch."""
    return Loader(
        kind="spdl DataLoader",
        start=lambda: iter(loader),
        prefetch=loader._buffer_size + loader._num_threads,
        count=None if loader._batch_size else count_row,
        settings=settings_of(
            batch_size=loader._batch_size,
            num_threads=loader._num_threads,
            buffer_size=loader._buffer_size,
        ),
    )


def pytorch_loader(loader: Any) -> Loader:
    """A PyTorchDataLoader: a torch dataset in worker processes."""
    workers = loader._num_workers
    return Loader(
        kind="spdl PyTorchDataLoader",
        start=lambda: iter(loader),
        workers=workers,
        prefetch=-(-loader._buffer_size // workers) + 1,
        epoch_batches=length(loader),
        settings=settings_of(
            num_workers=workers,
            buffer_size=loader._buffer_size,
            start_method=loader._mp_ctx.get_start_method(),
        ),
    )


def pipeline(pipeline: Any) -> Loader:
    """What a callable has built: a pipeline is started once, and stopped when its epoch ends."""

    def start() -> Any:
        with pipeline.auto_stop():
            yield from pipeline.get_iterator()

    return Loader(kind="spdl Pipeline", start=start, prefetch=4)


KINDS = (
    Kind(module="spdl.dataloader._dataloader", name="DataLoader", adapter=data_loader),
    Kind(
        module="spdl.dataloader._pytorch_dataloader",
        name="PyTorchDataLoader",
        adapter=pytorch_loader,
    ),
    Kind(module="spdl.pipeline._pipeline", name="Pipeline", adapter=pipeline),
)
