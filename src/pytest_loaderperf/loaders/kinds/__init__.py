"""All that is known of single kinds of loader; nothing here imports one.

A kind is found through ``sys.modules``: a loader of a framework can only exist where its test has
imported that framework. So a module of this folder is imported only then, too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module

from ..adapter import Collate, Kind, Loader, Wrap

__all__ = ["HOMES", "Collate", "Kind", "Loader", "Wrap", "kinds"]

# The modules of this folder, and the packages whose loaders they know. The first kind that fits is
# taken: whatever is a loader of another kind as well goes before it.
HOMES = {
    "torch": ("torch", "litdata", "streaming", "torchdata"),
    "webdataset": ("webdataset",),
    "tensorflow": ("tensorflow", "keras"),
    "huggingface": ("datasets",),
    "grain": ("grain",),
    "ray": ("ray",),
    "spdl": ("spdl",),
    "dali": ("nvidia",),
}


def kinds() -> Iterator[Kind]:
    """The kinds of the packages that this process has imported, in the order of the table."""
    imported = {name.partition(".")[0] for name in list(sys.modules)}  # threads may import
    for home, packages in HOMES.items():
        if not imported.isdisjoint(packages):
            yield from import_module(f".{home}", __name__).KINDS
