"""What an epoch delivers: a hash of each sample, whatever the order and the batches they came in.

Generator batch size is to change how fast samples arrive, and not which.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..model.workload import EPOCHS, Delivered
from . import counting
from .adapter import Loader

_BYTES = 8  # of a hash: among a million samples two are the same once in 40 million times
SAMPLES_AT_MOST = 500_000


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
    """Read some epochs, each of which may take so many seconds; none after one that takes longer.

    ``alone``: by this process, without workers where the loader can do that.
    """
    start = (loader.alone or loader.start) if alone else loader.start
    told = loader.batch_size, loader.samples_per_epoch
    count = samples or loader.count or counting.settling_counter(*told)
    sizes: list[int] = []
    epochs: list[tuple[str, ...]] = []
    ended = True
    while ended and len(epochs) < EPOCHS:
        samples_of, ended = _epoch(start, count, seconds, sizes)
        epochs.append(samples_of)
    return Delivered(
        epochs=tuple(epochs),
        ended=ended,
        largest=max(sizes, default=0),
        workers=loader.workers,
        drops=bool(loader.drops),
        shuffles=loader.shuffles,
    )


def _epoch(
    start: Callable[[], Iterator[Any]],
    count: counting.SampleCounter,
    seconds: float,
    sizes: list[int],
) -> tuple[tuple[str, ...], bool]:
    """The samples of an epoch, and whether it ended; ``sizes`` gets those of its batches."""
    found: list[str] = []
    end = time.monotonic() + seconds
    for batch in start():
        size = int(count(batch))
        sizes.append(size)
        found += [each.hex() for each in sample_hashes(batch, size)]
        if time.monotonic() > end or len(found) > SAMPLES_AT_MOST:
            return tuple(found), False
    return tuple(found), True
