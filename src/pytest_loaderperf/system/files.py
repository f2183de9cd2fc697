"""Write a run's results to files; OSError where that cannot be done."""

from __future__ import annotations

from pathlib import Path

# A message may quote what no UTF-8 can hold, such as the name of a file.
_ERRORS = "backslashreplace"


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.tmp")
    unfinished.write_text(text, "utf-8", errors=_ERRORS)
    unfinished.replace(path)


def append(path: Path, text: str) -> None:
    """Add to a file, which others may have written to before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", errors=_ERRORS) as file:
        file.write(text)
