"""What the table holds of each kind of loader: how to make some, and what must be found of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kinds.harness import Guarded


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a loader of 105 rows delivers and tells; what is left out here is not looked at."""

    epoch: tuple[object, object] = (105, 11)  # samples and batches
    kind: str = ""  # what reports call it
    tells: Mapping[str, object] = field(default_factory=dict)  # workers, prefetch, epoch_batches...
    settings: Mapping[str, object] | None = None  # all of them
    among_settings: Mapping[str, object] = field(default_factory=dict)  # some of them
    batch: str = ""  # the signature of its batches
    bytes_per_sample: object = None  # a number, or an approximate one
    error: tuple[str, ...] = ()  # parts of the message, where it cannot be counted


@dataclass(frozen=True, kw_only=True)
class Slowed:
    """A run of the guard in which a loader gets slower."""

    rows: int
    budget: int = 20  # seconds
    also: Callable[[Guarded], None] = lambda _: None  # what else must hold


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A module of loaders as text: ``def plain(folder, rows, seconds)`` makes one.

    It has so many rows, which take so many seconds each. ``write(folder, rows)``, if there is one,
    writes the data that it reads.
    """

    needs: tuple[str, ...]  # packages
    source: str
    loaders: Mapping[str, Expected]
    slowed: Mapping[str, Slowed]
