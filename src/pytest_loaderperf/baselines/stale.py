"""Entries of the store whose tests no longer exist."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import StoreError
from . import store


@dataclass(frozen=True, kw_only=True)
class Stale:
    """The entries of one file that have no test any more."""

    path: Path
    keys: tuple[str, ...]

    def describe(self, root: Path) -> str:
        """The file, and what is stale in it."""
        return f"{self.path.relative_to(root)}: no test any more: {', '.join(self.keys)}"


def find(root: Path, collected: Mapping[str, Collection[str]], *, whole: bool) -> list[Stale]:
    """The stale entries, given the checks that were collected of each module.

    Of a module of which none were collected it is only known that it has none if the collection
    was ``whole``, or if it does not exist. A damaged file is left to whoever needs it.
    """
    folder = root / store.FOLDER
    found = []
    for path in sorted(folder.rglob("*.json")):
        module = path.relative_to(folder).with_suffix(".py").as_posix()
        if module not in collected and not whole and (root / module).exists():
            continue
        with contextlib.suppress(StoreError):
            known = collected.get(module, ())
            keys = tuple(key for key in store.load(path) if key not in known)
            found += [Stale(path=path, keys=keys)] * bool(keys)
    return found


def prune(stale: Stale) -> None:
    """Remove the entries; StoreError where the file cannot be written."""
    entries = store.load(stale.path)
    kept = {key: entry for key, entry in entries.items() if key not in stale.keys}
    store.save(stale.path, kept)
