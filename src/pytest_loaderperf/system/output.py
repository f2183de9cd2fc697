"""Files that take what a process prints, and the last part of one, for messages."""

from __future__ import annotations

import tempfile
from pathlib import Path

_SHOWN_BYTES = 16_384


def new_file(prefix: str, folder: Path | None = None) -> tuple[int, str]:
    """A temporary file: its descriptor and its path; the caller removes it."""
    return tempfile.mkstemp(prefix=f"{prefix}-", suffix=".log", dir=folder)


def tail(path: str | Path) -> str:
    """The last of what a file holds; empty if there is no such file."""
    try:
        with Path(path).open("rb") as file:
            file.seek(max(0, Path(path).stat().st_size - _SHOWN_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
