"""What a kind of loader tells about a loader of its kind."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Collate = Callable[[Any], Any]
Wrap = Callable[[Collate], Collate]
Setting = str | int | bool


@dataclass(frozen=True, kw_only=True)
class PipelineNode:
    """A node of a pipeline that is not written in Python, and what starts the pipeline up to it.

    ``file`` and ``line`` are those of its function, if it has one. Each of its elements holds so
    many ``samples``.
    """

    name: str
    start: Callable[[], Iterator[Any]]
    samples: float
    file: str = ""
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class Loader:
    """A loader with what it tells about itself.

    ``prefetch`` is how many batches each worker (or, without workers, the loader) may have ready
    in advance; ``epoch_batches`` and ``samples_per_epoch`` are None where unknown, or where epochs
    are known to be ``endless``. ``batch_size`` is how many samples a full batch holds, where the
    loader tells.
    ``follow`` puts another function in the place of the one with which workers finish a batch.
    ``count`` counts the samples of a batch where its arrays do not tell, ``settings`` are those
    that explain a changed number, by the names that the loader has for them, and ``note`` is what
    the report has to say of the kind. The processes of a ``scattered`` loader lead groups of their
    own, and so have to be looked for to be suspended. ``nodes`` are those of a pipeline, from its
    source on. ``alone`` starts it without its workers, ``drops`` says whether it drops what is left
    of an epoch, and ``shuffles`` that each epoch is to have an order of its own.
    """

    kind: str
    start: Callable[[], Iterator[Any]]
    workers: int = 0
    prefetch: int = 0
    epoch_batches: int | None = None
    samples_per_epoch: int | None = None
    batch_size: int | None = None
    follow: Callable[[Wrap], None] = lambda _: None
    count: Callable[[Any], int] | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    note: str = ""
    scattered: bool = False
    endless: bool = False
    nodes: Callable[[], Sequence[PipelineNode]] = tuple
    alone: Callable[[], Iterator[Any]] | None = None
    drops: bool | None = None
    shuffles: bool = False


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A class of loaders, found in ``module`` if that is imported, and what tells of one."""

    module: str
    name: str
    adapter: Callable[[Any], Loader]

    def has(self, loader: object) -> bool:
        """Whether a loader is of this kind."""
        found = imported(self.module, self.name)
        return isinstance(found, type) and isinstance(loader, found)


def imported(module: str, name: str) -> Any:
    """What an imported module has by this name; None where it is not imported, or has none."""
    return getattr(sys.modules.get(module), name, None)


def length(sized: Any) -> int | None:
    """``len()``, where there is one: iterable datasets have the method but raise.

    A length of 0 is not believed: a loader that is empty shows when it is started.
    """
    try:
        return len(sized) or None
    except (TypeError, NotImplementedError):
        return None


def settings_of(**settings: object) -> dict[str, Setting]:
    """The settings that a loader tells; one that is None is not told."""
    return {name: value for name, value in settings.items() if isinstance(value, str | int | bool)}


def one_sample(_: Any) -> int:
    """Count an item that is a sample by itself."""
    return 1
