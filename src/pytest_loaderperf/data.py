"""Folders of test data that are built once and reused: ``loaderperf_data``."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from .build_digest import digest
from .errors import SettingsError
from .system.files import locked

Build = Callable[[Path], object]
DataFolder = Callable[[str, Build], Path]  # the type of the fixture ``loaderperf_data``


def root(project: Path) -> Path:
    """Where a project's data folders lie."""
    return project / ".loaderperf" / "data"


def folder(root: Path, name: str, build: Build, project: Path | None = None) -> tuple[Path, bool]:
    """The data folder of this name below ``root``, and whether it had to be built now.

    ``build(path)`` fills an empty folder, which stays where it is: what it writes may name it. One
    that has not been filled to its end is built anew. Another text of ``build``, or of what it uses
    of the project, makes another folder. So do other data that it is called with, or that it names:
    tests that need different data never share it. Paths below ``project`` are the same for all
    versions of it.
    """
    if not re.fullmatch(r"[\w.-]+", name) or name.startswith("."):
        raise SettingsError(f"loaderperf_data({name!r}): a name is letters, digits, '_', '-', '.'")
    target = root / f"{name}-{digest(build, project)}"
    return target, fill(target, build)


def fill(target: Path, build: Build) -> bool:
    """Have ``build`` fill a folder, ``name-digest``, unless that has been done; whether it had to.

    Folders of one name are filled one after the other.
    """
    unfinished = target.with_name(f"{target.name}.unfinished")  # from before the folder is there
    if target.is_dir() and not unfinished.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    # As pytest does for its cache: nobody wants generated data in a commit.
    (target.parent / ".gitignore").write_text("*\n")
    with locked(target.with_name(f"{target.name.rpartition('-')[0]}.lock")):
        if target.is_dir() and not unfinished.exists():  # another process has built it meanwhile
            return False
        unfinished.touch()
        shutil.rmtree(target, ignore_errors=True)  # of a build that was killed
        try:
            target.mkdir()
            target.chmod(0o755)  # whatever the umask: others may read it
            build(target)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            if not target.exists():
                unfinished.unlink()
            raise
        unfinished.unlink()
    return True


def forget(place: Path, kept: int) -> None:
    """Remove the folders that were not used for longest, but for so many that are kept."""
    used: list[tuple[float, Path]] = []
    for each in place.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another run has removed it
            if each.is_dir():
                used.append((each.stat().st_mtime, each))
    for _, each in sorted(used)[:-kept]:
        shutil.rmtree(each, ignore_errors=True)
