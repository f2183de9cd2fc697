"""All that is known about single kinds of loader; nothing here imports one.

A kind is found through ``sys.modules``: a loader of a framework can only exist where its test
has imported that framework.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from .errors import LoaderError

__tracebackhide__ = True  # pytest shows a failure from the test on, and in the loader itself

Collate = Callable[[Any], Any]
Wrap = Callable[[Collate], Collate]


@dataclass(frozen=True)
class Loader:
    """A loader with what it tells about itself.

    ``prefetch`` is how many batches each worker (or, without workers, the loader) may have ready
    in advance; ``epoch_batches`` and ``samples_per_epoch`` are None where unknown or endless.
    ``follow`` puts another function in the place of the one with which workers finish a batch.
    """

    kind: str
    start: Callable[[], Iterator[Any]]
    workers: int = 0
    prefetch: int = 0
    epoch_batches: int | None = None
    samples_per_epoch: int | None = None
    follow: Callable[[Wrap], None] = lambda _: None


def describe(loader: Any) -> Loader:
    """Recognise a loader; LoaderError where it cannot be iterated."""
    for module, name, adapter in _KINDS:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(loader, kind):
            return adapter(loader)
    if isinstance(loader, Iterable):
        return Loader("iterable", lambda: iter(loader), epoch_batches=_length(loader))
    if hasattr(type(loader), "__getitem__"):  # it may go on for ever, so heed its length
        length = _length(loader)
        return Loader("sequence", lambda: islice(iter(loader), length), epoch_batches=length)
    if callable(loader):
        return _factory(loader)
    raise LoaderError(
        f"loaderperf() got a {type(loader).__name__}, which cannot be iterated. Pass a loader, "
        "or a callable without arguments that makes one"
    )


def fork_hazard() -> str:
    """Why this process, which has imported its tests, cannot be forked safely; "" if it can.

    A forked process has one thread: locks that others held stay locked for ever.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "CUDA is in use"
    context = sys.modules.get("tensorflow.python.eager.context")
    if context is not None and context.context_safe() is not None and _tf_in_use(context):
        return "TensorFlow has run an operation"
    bridge = sys.modules.get("jax._src.xla_bridge")
    if bridge is not None and getattr(bridge, "_backends", None):
        return "JAX has started a backend"
    return ""


def _torch(loader: Any) -> Loader:
    workers = int(loader.num_workers)
    samples = _length(getattr(loader, "sampler", None)) if loader.batch_size else None
    batches = _length(loader)
    if samples is not None and batches is not None and loader.drop_last:
        samples = batches * loader.batch_size
    prefetch = int(loader.prefetch_factor or 2) if workers else 0

    def follow(wrap: Wrap) -> None:
        if workers:
            loader.collate_fn = wrap(loader.collate_fn)

    return Loader(
        "torch DataLoader", lambda: iter(loader), workers, prefetch, batches, samples, follow
    )


def _tf_data(loader: Any) -> Loader:
    # Negative cardinalities stand for "infinite" and "unknown". How much a pipeline prefetches
    # cannot be asked for; AUTOTUNE settles on a few batches.
    batches = int(loader.cardinality())
    return Loader(
        "tf.data", lambda: iter(loader), prefetch=4, epoch_batches=batches if batches >= 0 else None
    )


_KINDS: tuple[tuple[str, str, Callable[[Any], Loader]], ...] = (
    ("torch.utils.data", "DataLoader", _torch),
    ("tensorflow.python.data.ops.dataset_ops", "DatasetV2", _tf_data),
)


def _factory(make: Callable[[], Any]) -> Loader:
    """What the callable makes, of which each start makes a new one.

    One is made only to look at: how many workers it has must be known before it starts.
    """
    wraps: list[Wrap] = []

    def start() -> Iterator[Any]:
        loader = describe(_made_by(make))
        for wrap in wraps:
            loader.follow(wrap)
        return loader.start()

    made = describe(_made_by(make))
    return replace(made, kind=f"factory of {made.kind}", start=start, follow=wraps.append)


def _length(sized: Any) -> int | None:
    """``len()``, where there is one: iterable datasets have the method but raise.

    A length of 0 is not believed: a loader that is empty shows when it is started.
    """
    try:
        return len(sized) or None
    except (TypeError, NotImplementedError):
        return None


def _made_by(factory: Callable[[], Any]) -> Any:
    made = factory()
    if not isinstance(made, Iterable):
        raise LoaderError(
            f"the callable given to loaderperf() made a {type(made).__name__}, which cannot be "
            "iterated"
        )
    return made


def _tf_in_use(context: Any) -> bool:
    return bool(getattr(context.context_safe(), "_initialized", False))
