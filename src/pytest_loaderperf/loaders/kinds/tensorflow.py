"""tf.data pipelines, and Keras's PyDataset as ``fit`` uses it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import partial
from itertools import accumulate, islice
from typing import Any

from ..adapter import Kind, Loader, PipelineNode, imported, settings_of
from ..counting import count_row


def tf_data(dataset: Any) -> Loader:
    """A tf.data.Dataset, also one that a tf.data service distributes."""
    # Cardinalities of -1 and -2 stand for "infinite" and "unknown". How much a pipeline prefetches
    # shows at its end alone, and AUTOTUNE settles on a few batches.
    batches = int(dataset.cardinality())
    options = dataset.options()
    return Loader(
        kind="tf.data",
        start=lambda: iter(dataset),
        prefetch=4,
        epoch_batches=batches if batches >= 0 else None,
        endless=batches == -1,
        count=_counter(dataset),
        settings=settings_of(
            prefetch=_prefetch(dataset),
            autotune=options.autotune.enabled,
            private_threadpool_size=options.threading.private_threadpool_size,
            deterministic=options.deterministic,
        ),
        nodes=lambda: _nodes(dataset),
    )


def _nodes(dataset: Any) -> list[PipelineNode]:
    """The nodes of a pipeline, as far up as each takes from a single one and keeps its samples.

    Elements that are no batches yet come in windows of as many as a batch has: a step of Python
    would take longer than many a node.
    """
    options = dataset.options()
    chain = [dataset]
    while len(inputs := chain[-1]._inputs()) == 1 and not _changes_samples(chain[-1]):
        chain.append(inputs[0])
    chain = [each for each in reversed(chain) if type(each).__name__ != "_OptionsDataset"]
    samples = list(accumulate(map(_batch_size, chain), operator.mul))
    nodes = []
    for each, held in zip(chain, samples, strict=True):
        function = next(iter(each._functions()), None)
        code = getattr(getattr(function, "_func", None), "__code__", None)
        name = type(each).__name__.strip("_").removesuffix("Dataset")
        window = samples[-1] // held
        whole = each.with_options(options)
        nodes.append(
            PipelineNode(
                name=f"{name}({code.co_name})" if code else name,
                file=code.co_filename if code else "",
                line=code.co_firstlineno if code else 0,
                samples=held * window,
                start=partial(iter, whole.window(window) if window > 1 else whole),
            )
        )
    return nodes


def _batch_size(dataset: Any) -> int:
    return int(getattr(dataset, "_batch_size", 1))


def _changes_samples(dataset: Any) -> bool:
    """Whether as many samples do not come of a node as go into it."""
    name = type(dataset).__name__
    words = ("FlatMap", "Interleave", "GroupBy", "Window", "Unbatch", "Filter", "Repeat", "Rebatch")
    return any(word in name for word in words)


def _counter(dataset: Any) -> Callable[[Any], int] | None:
    """How to count what comes of a pipeline that may not make batches itself."""
    batched = _makes_batches(dataset)
    return None if batched else partial(count_row, batches=batched is None)


def _makes_batches(dataset: Any) -> bool | None:
    """Whether batches come of a pipeline; None where functions or files of the project tell."""
    while dataset is not None:
        name = type(dataset).__name__
        if "Batch" in name:
            return True
        if "Unbatch" in name or name.endswith(("TensorSliceDataset", "RangeDataset")):
            return False
        if any(each in name for each in ("FlatMap", "Interleave", "GroupBy", "Window")):
            return None
        dataset = getattr(dataset, "_input_dataset", None)
    return None


def _prefetch(dataset: Any) -> str | int | None:
    """The size of the queue at the end of a pipeline, if it has one."""
    while type(dataset).__name__ == "_OptionsDataset":
        dataset = dataset._input_dataset
    if type(dataset).__name__ != "_PrefetchDataset":
        return None
    size = int(dataset._buffer_size)
    return "AUTOTUNE" if size < 0 else size


def py_dataset(dataset: Any) -> Loader:
    """A PyDataset with the workers and the queue that ``fit`` gives it.

    Iterating over one by itself would use neither.
    """
    adapter = imported("keras.src.trainers.data_adapters.py_dataset_adapter", "PyDatasetAdapter")(
        dataset
    )  # a single one for all epochs, as in ``fit``
    backend = str(imported("keras.src.backend.config", "backend")())
    workers = int(dataset.workers)
    queued = workers > 1 or (workers > 0 and dataset.use_multiprocessing)
    processes = workers if queued and dataset.use_multiprocessing else 0
    ahead = int(dataset.max_queue_size) if queued else 0

    def epoch() -> Iterator[Any]:
        if adapter._within_epoch:  # the one before was left early
            adapter.on_epoch_end()
        adapter.on_epoch_begin()
        try:
            yield from islice(_batches(adapter, backend), dataset.num_batches)
        finally:
            adapter.on_epoch_end()

    return Loader(
        kind="keras PyDataset",
        start=epoch,
        workers=processes,
        prefetch=-(-ahead // processes) if processes else ahead,
        epoch_batches=dataset.num_batches,
        settings=settings_of(
            workers=workers,
            use_multiprocessing=bool(dataset.use_multiprocessing),
            max_queue_size=int(dataset.max_queue_size),
            backend=backend,
        ),
    )


def _batches(adapter: Any, backend: str) -> Any:
    """What an epoch of ``fit`` iterates over, with this backend."""
    if backend == "tensorflow":
        return adapter.get_tf_dataset()
    if backend == "torch":
        return adapter.get_torch_dataloader()
    return adapter.get_jax_iterator() if backend == "jax" else adapter.get_numpy_iterator()


KINDS = (
    Kind(
        module="keras.src.trainers.data_adapters.py_dataset_adapter",
        name="PyDataset",
        adapter=py_dataset,
    ),
    Kind(module="tensorflow.python.data.ops.dataset_ops", name="DatasetV2", adapter=tf_data),
)
