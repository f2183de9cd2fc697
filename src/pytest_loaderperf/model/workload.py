"""What a loader delivers, and whether two of them deliver the same."""

from __future__ import annotations

import math
from dataclasses import dataclass

from . import signatures


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What a loader delivers; two versions of a loader are compared only if it is the same.

    ``batch`` is the signature of a batch (``"tuple[float32[*,3,256,256], int64[*]]"``; ``*`` is
    the batch dimension or one that varies), ``samples_per_epoch`` is None where it is unknown.
    """

    batch: str
    bytes_per_sample: float
    samples_per_epoch: int | None = None

    def difference(self, baseline: Workload) -> str:
        """What changed since the baseline, in words; empty if the two are comparable."""
        changes = []
        if changed := signatures.difference(baseline.batch, self.batch):
            changes.append(changed)
        elif signatures.same_size(baseline.batch, self.batch) and not math.isclose(
            self.bytes_per_sample, baseline.bytes_per_sample, rel_tol=0.01
        ):
            before, after = baseline.bytes_per_sample, self.bytes_per_sample
            changes.append(f"bytes per sample: {before:.0f} -> {after:.0f}")
        epochs = baseline.samples_per_epoch, self.samples_per_epoch
        if None not in epochs and epochs[0] != epochs[1]:
            changes.append(f"samples per epoch: {epochs[0]} -> {epochs[1]}")
        return "; ".join(changes)


EPOCHS = 2  # that are read: one alone does not show whether another one has another order


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """What a rank has delivered: a hash of each sample, in order, of each of some epochs.

    ``largest`` is the largest number of samples in a batch. ``drops``: samples that do not fill the
    last batch of a worker are dropped. ``shuffles``: each epoch is to have another order. The last
    epoch is a part of one if it had not ``ended`` in the time that it was given.
    """

    epochs: tuple[tuple[str, ...], ...]
    largest: int
    ended: bool = True
    workers: int = 0
    drops: bool = False
    shuffles: bool = False
