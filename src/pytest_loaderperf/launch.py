"""What an arm is an arm of: a version of the project, and the configuration of the run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import ArmError
from .imports import moved
from .messages import Collected, Finished, Setup


@dataclass(frozen=True)
class Version:
    """One version of the project: ``root`` is its root folder.

    ``commit`` is empty for the working tree; ``toplevel`` and ``moved_to`` are the checkout and
    the worktree that stands for it, both empty where nothing is moved. ``label`` replaces the
    name; ``in_vain`` is the share of its samples that are made and not counted: a known loss.
    """

    root: Path
    python: str = sys.executable
    commit: str = ""
    toplevel: str = ""
    moved_to: str = ""
    label: str = ""
    in_vain: float = 0.0

    @property
    def name(self) -> str:
        """How the version is called in messages."""
        if self.label:
            return self.label
        return f"commit {self.commit[:12]}" if self.commit else "the working tree"

    def place(self, path: str) -> str:
        """A path of the working tree as this version has it."""
        return moved(path, self.toplevel, self.moved_to) if self.moved_to else path


@dataclass(frozen=True)
class Launch:
    """How the coordinator's own pytest was started: arms are configured alike."""

    root: Path
    invocation_dir: Path
    ini_file: Path | None
    options: Mapping[str, object]
    sys_path: list[str]
    data_root: Path
    scratch: Path  # the folder for temporary files, which the run removes
    fresh: bool | None  # a fresh process for each trial; None: where a fork is not safe
    timeout: float = 300.0  # seconds that one answer may take

    def setup(self, version: Version, module: str, *, fresh: bool) -> Setup:
        """The message that configures the arm of a version for one module."""
        args = [str(version.root / module), "--rootdir", str(version.root)]
        if self.ini_file is not None:
            args += ["-c", version.place(str(self.ini_file))]
        path = {each: version.place(each) for each in self.sys_path}
        another = version.python != sys.executable  # it has its own installed packages
        sources = [place for each, place in path.items() if place != each]
        return Setup(
            args=args,
            options={name: _placed(value, version) for name, value in self.options.items()},
            sys_path=sources if another else list(path.values()),
            keeps_path=another,
            tree=str(version.root),
            data_root=str(self.data_root),
            foreign_root=version.toplevel,
            fresh=fresh,
            in_vain=version.in_vain,
        )


def check_sources(version: Version, seen: Collected | Finished) -> None:
    """Every version must be measured on its own sources, or a comparison means nothing.

    ArmError if what was seen of it names modules from the working tree or an installed copy.
    """
    if seen.foreign:
        raise ArmError(
            f"{version.name} imported {', '.join(seen.foreign[:3])} from the working tree: it "
            "would measure the wrong version. Remove what puts the working tree on its path (an "
            "absolute path in conftest.py, PYTHONPATH or a .pth file)"
        )
    if seen.shadowed:
        raise ArmError(
            f"{', '.join(seen.shadowed)} was imported from an installed copy, not from "
            f"{version.name}: every version would measure that copy. Install the project with "
            "pip install -e ."
        )


def _placed(value: object, version: Version) -> object:
    if isinstance(value, str):
        return version.place(value)
    if isinstance(value, list):
        return [_placed(item, version) for item in value]
    return value
