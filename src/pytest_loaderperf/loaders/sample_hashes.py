"""What an epoch delivers: a hash of each sample, whatever the order and the batches they came in.

Generator batch size is to change how fast samples arrive, and not which.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import LoaderError
from ..model.workload import EPOCHS, Delivered
from . import counting
from .adapter import Loader

_BYTES = 8  # of a hash: among a million samples two are the same once in 40 million times
SAMPLES_AT_MOST = 500_000


@dataclass(frozen=True, kw_only=True)
class TwoEpochs:
    """Hashes of the samples of an epoch, if it is ``complete``; the next one ``repeats`` them."""

    hashes: Sequence[bytes] = ()
    complete: bool = False
    repeats: bool = False


def read(
    start: Callable[[], Iterator[Any]], count: counting.SampleCounter, seconds: float
) -> TwoEpochs:
    """Go through two epochs: a loader whose epochs differ gives random samples, or others anew.

    Each epoch may take so many seconds; one that does not end in them is not complete.
    """
    first = _epoch(start(), count, seconds)
    if first is None:
        return TwoEpochs()
    second = _epoch(start(), count, seconds)
    repeats = second is not None and sorted(first) == sorted(second)
    return TwoEpochs(hashes=first, complete=True, repeats=repeats)


def _epoch(
    iterator: Iterator[Any], count: counting.SampleCounter, seconds: float
) -> list[bytes] | None:
    hashes: list[bytes] = []
    end = time.monotonic() + seconds
    for batch in iterator:
        hashes += sample_hashes(batch, int(count(batch)))
        if time.monotonic() > end or len(hashes) > SAMPLES_AT_MOST:
            return None
    return hashes


def sample_hashes(batch: object, samples: int) -> list[bytes]:
    """A hash of each sample of a batch.

    Zeros at both ends do not count: where samples differ in length they are padded to the longest
    of their batch.
    """
    hashes = [hashlib.blake2b(digest_size=_BYTES) for _ in range(samples)]
    from . import sample_bytes  # noqa: PLC0415  (which needs numpy: not every arm has imported it)

    columns = list(sample_bytes.columns(batch, samples))
    if samples == 1 and not columns:  # it is a sample by itself
        columns = [[sample_bytes.encoded(batch)]]
    for column in columns:
        for each, value in zip(hashes, column, strict=True):
            each.update(value.strip(b"\0") + b";")
    return [each.digest() for each in hashes]


def deliver(
    loader: Loader, samples: counting.SampleCounter | None, seconds: float, *, alone: bool
) -> Delivered:
    """Read some epochs, each of which may take so many seconds; LoaderError if one takes longer.

    ``alone``: by this process, without workers where the loader can do that.
    """
    start = (loader.alone or loader.start) if alone else loader.start
    told = loader.batch_size, loader.samples_per_epoch
    count = samples or loader.count or counting.settling_counter(*told)
    sizes: list[int] = []
    epochs = tuple(_whole(start, count, seconds, sizes) for _ in range(EPOCHS))
    if not sizes:
        raise LoaderError("the loader gave no batch: it is empty")
    return Delivered(
        epochs=epochs,
        largest=max(sizes),
        workers=loader.workers,
        drops=bool(loader.drops),
        shuffles=loader.shuffles,
    )


def _whole(
    start: Callable[[], Iterator[Any]],
    count: counting.SampleCounter,
    seconds: float,
    sizes: list[int],
) -> tuple[str, ...]:
    found: list[str] = []
    end = time.monotonic() + seconds
    for batch in start():
        size = int(count(batch))
        sizes.append(size)
        found += [each.hex() for each in sample_hashes(batch, size)]
        if time.monotonic() > end:
            raise LoaderError(
                f"an epoch has not ended after {len(found):,} samples and {seconds:.0f} s: give "
                "this check a larger budget, or a loader with a part of the data"
            )
        if len(found) > SAMPLES_AT_MOST:
            raise LoaderError(
                f"an epoch has more than {SAMPLES_AT_MOST:,} samples: give this "
                "check a loader with a part of the data"
            )
    return tuple(found)
