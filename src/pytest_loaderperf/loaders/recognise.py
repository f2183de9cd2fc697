"""Which kind of loader it is: the first adapter that fits, else what can be iterated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from ..errors import LoaderError
from .adapter import imported, length
from .kinds import Loader, Wrap, kinds

__tracebackhide__ = True  # pytest shows a failure from the test on, and in the loader itself

# What Lightning calls the stage in which it asks for a loader.
_STAGES = {"train": "fit", "val": "validate", "test": "test", "predict": "predict"}


def describe(loader: Any) -> Loader:
    """Recognise a loader; LoaderError where it cannot be iterated."""
    if (known := _of_a_kind(loader)) is not None:
        return known
    module, name = _data_module(loader)
    if module is not None:
        return _of_data_module(module, name)
    if isinstance(loader, Iterable) and (inner := _inner(loader)) is not None:
        return _of_wrapper(loader, inner)
    if isinstance(loader, Iterable):
        return Loader(kind="iterable", start=lambda: iter(loader), epoch_batches=length(loader))
    if hasattr(type(loader), "__getitem__"):  # it may go on for ever, so heed its length
        size = length(loader)
        return Loader(kind="sequence", start=lambda: islice(iter(loader), size), epoch_batches=size)
    if callable(loader):
        return _factory(loader)
    raise LoaderError(
        f"loaderperf() got a {type(loader).__name__}, which cannot be iterated. Pass a loader, "
        "or a callable without arguments that makes one"
    )


def _of_a_kind(loader: Any) -> Loader | None:
    kind = next((kind for kind in kinds() if kind.has(loader)), None)
    return kind.adapter(loader) if kind else None


def _inner(loader: Any) -> Loader | None:
    """The only DataLoader that an object holds, as a prefetcher does."""
    data_loader = imported("torch.utils.data", "DataLoader")
    if not isinstance(data_loader, type):
        return None
    held = {id(each): each for each in getattr(loader, "__dict__", {}).values()}
    inner = [each for each in held.values() if isinstance(each, data_loader)]
    return _of_a_kind(inner[0]) if len(inner) == 1 else None


def _of_wrapper(loader: Any, inner: Loader) -> Loader:
    """An object around a DataLoader, whose workers and settings are what it has.

    It may make other batches of those, or fewer. That it does not shows in its length.
    """
    batches = length(loader)
    known = replace(
        inner,
        kind=f"{type(loader).__name__} of {inner.kind}",
        start=lambda: iter(loader),
        alone=None,
        epoch_batches=batches,
    )
    if batches is not None and batches == inner.epoch_batches:
        return known
    return replace(
        known, samples_per_epoch=None, batch_size=None, count=None, follow=lambda _: None
    )


def _data_module(loader: Any) -> tuple[Any, str]:
    """A LightningDataModule, and which of its loaders is meant; None if it is something else.

    ``loaderperf(module.val_dataloader)`` means that one, ``loaderperf(module)`` the first.
    """
    for package in ("lightning.pytorch", "pytorch_lightning"):
        kind = imported(f"{package}.core.datamodule", "LightningDataModule")
        if not isinstance(kind, type):
            continue
        if isinstance(loader, kind):
            return loader, "train_dataloader"
        name = getattr(loader, "__name__", "")
        if isinstance(getattr(loader, "__self__", None), kind) and name.endswith("_dataloader"):
            return loader.__self__, name
    return None, ""


def _of_data_module(module: Any, name: str) -> Loader:
    """A loader of a data module, which is set up as a Trainer does, and asked for it once."""
    module.setup(_STAGES[name.removesuffix("_dataloader")])
    made = getattr(module, name)()
    if isinstance(made, dict | list | tuple):
        raise LoaderError(
            f"{name}() gave {len(made)} loaders in a {type(made).__name__}: give each one a test "
            "of its own, or give a CombinedLoader"
        )
    known = _described(made, f"{name}()")
    return replace(known, kind=f"Lightning {name} of {known.kind}")


def _factory(make: Callable[[], Any]) -> Loader:
    """What the callable makes, of which each start makes a new one.

    One is made only to look at: how many workers it has must be known before it starts.
    """
    wraps: list[Wrap] = []
    origin = "the callable given to loaderperf()"

    def start() -> Iterator[Any]:
        loader = _described(make(), origin)
        for wrap in wraps:
            loader.follow(wrap)
        return loader.start()

    def alone() -> Iterator[Any]:
        loader = _described(make(), origin)
        return (loader.alone or loader.start)()

    made = _described(make(), origin)
    kind = f"factory of {made.kind}"
    return replace(made, kind=kind, start=start, alone=alone, follow=wraps.append)


def _described(made: Any, origin: str) -> Loader:
    """What a callable has made."""
    known = isinstance(made, Iterable) or any(kind.has(made) for kind in kinds())
    if not known and _data_module(made)[0] is None:
        raise LoaderError(f"{origin} made a {type(made).__name__}, which cannot be iterated")
    return describe(made)
