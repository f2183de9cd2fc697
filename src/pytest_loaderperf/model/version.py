"""A version of the project: what an arm is an arm of."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ..child.loaderperf_exchange import Exchange


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of the project: ``root`` is its root folder.

    ``commit`` is empty for the working tree; ``toplevel`` and ``moved_to`` are the checkout and
    the worktree that stands for it, both empty where nothing is moved. ``ini_file`` is the
    configuration of pytest where it is not the working tree's. Where it is ``overlaid``, the tests
    of the working tree lie over those of the commit. ``label`` replaces the name;
    ``injected_loss`` is the share of its samples that are made and not counted: a known loss.
    ``variant`` is the loader that it builds of those that a test compares, by default the first.
    """

    root: Path
    python: str = sys.executable
    commit: str = ""
    toplevel: str = ""
    moved_to: str = ""
    ini_file: str = ""
    overlaid: bool = False
    label: str = ""
    injected_loss: float = 0.0
    variant: str = ""

    @property
    def name(self) -> str:
        """How the version is called in messages."""
        if self.label:
            return self.label
        return f"commit {self.commit[:12]}" if self.commit else "the working tree"

    @property
    def is_of_this_python(self) -> bool:
        """Whether it is measured with the interpreter, and so the packages, of this process."""
        return self.python == sys.executable

    def place(self, path: str) -> str:
        """A path of the working tree as this version has it; others stay as they are.

        Installed packages stay too, although a virtual environment may lie inside the tree.
        """
        if not self.moved_to or not path.startswith(os.sep):
            return path
        exchange = Exchange(self.toplevel, self.moved_to, {})
        real = exchange.real(path)
        if real == self.toplevel or exchange.in_working_tree(real):
            return self.moved_to + real[len(self.toplevel) :]
        return path

    def programs(self, path: str) -> str:
        """A ``PATH`` as this version has it: its programs come before those of this Python."""
        here, there = (str(Path(each).parent) for each in (sys.executable, self.python))
        entries = path.split(os.pathsep)
        own = [there] if there != here else []
        return os.pathsep.join(
            each for entry in entries for each in (*(own if entry == here else []), entry)
        )

    def place_all(self, value: str) -> str:
        """A value of the environment as this version has it: a path, or several.

        A path stays where this version has nothing in its place.
        """
        places = [self.place(path) for path in value.split(os.pathsep)]
        found = [
            place if os.path.lexists(place) else path
            for place, path in zip(places, value.split(os.pathsep), strict=True)
        ]
        return os.pathsep.join(found)
