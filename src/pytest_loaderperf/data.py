"""Folders of test data that are built once and reused: ``loaderperf_data``."""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from .errors import SettingsError
from .system.files import locked

Build = Callable[[Path], object]
DataFolder = Callable[[str, Build], Path]  # the type of the fixture ``loaderperf_data``


def root(project: Path) -> Path:
    """Where a project's data folders lie."""
    return project / ".loaderperf" / "data"


def folder(root: Path, name: str, build: Build) -> tuple[Path, bool]:
    """The data folder of this name below ``root``, and whether it had to be built now.

    ``build(path)`` fills an empty folder, which appears under its name only when ``build`` has
    returned. Another text of ``build`` makes another folder, so that two versions of a test that
    need different data never share it.
    """
    if not re.fullmatch(r"[\w.-]+", name) or name.startswith("."):
        raise SettingsError(f"loaderperf_data({name!r}): a name is letters, digits, '_', '-', '.'")
    target = root / f"{name}-{_digest(build)}"
    if target.is_dir():
        return target, False
    root.mkdir(parents=True, exist_ok=True)
    # As pytest does for its cache: nobody wants generated data in a commit.
    (root / ".gitignore").write_text("*\n")
    with locked(root / f"{name}.lock"):
        if target.is_dir():  # another process has built it while this one waited
            return target, False
        unfinished = Path(tempfile.mkdtemp(prefix=f"{name}-", suffix=".tmp", dir=root))
        try:
            build(unfinished)
            unfinished.chmod(0o755)  # mkdtemp makes it private
            unfinished.rename(target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return target, True


def _digest(build: Build) -> str:
    while isinstance(build, functools.partial):
        build = build.func
    try:
        text = inspect.getsource(build)
    except (OSError, TypeError):  # a function without a file: its name must do
        text = getattr(build, "__qualname__", "")
    return hashlib.sha256(text.encode()).hexdigest()[:8]
