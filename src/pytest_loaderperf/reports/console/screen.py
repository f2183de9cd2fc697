"""What a terminal can show: its width, its characters, and texts that fit."""

from __future__ import annotations

import io
import sys
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...model.results import Verdict

_LEAST = 100  # columns at least, where nobody reads on a terminal


@dataclass(frozen=True, kw_only=True)
class Glyphs:
    """The characters that a terminal can show: of a bar, and what stands for text left out."""

    mark: str  # the tolerance
    line: str  # the interval
    cross: str  # both
    point: str  # the ratio
    left: str  # it lies beyond the end
    right: str
    ellipsis: str

    @classmethod
    def of(cls, encoding: str | None) -> Glyphs:
        """Those that an encoding has."""
        try:
            "".join(vars(UNICODE).values()).encode(encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return ASCII
        return UNICODE


UNICODE = Glyphs(mark="┊", line="─", cross="┼", point="●", left="◀", right="▶", ellipsis="…")
ASCII = Glyphs(mark="|", line="-", cross="+", point="o", left="<", right=">", ellipsis="..")


def _plain(text: str, _: Verdict) -> str:
    return text


@dataclass(frozen=True, kw_only=True)
class Screen:
    """How wide lines may be, of which characters, and how a verdict is coloured."""

    columns: int = _LEAST
    glyphs: Glyphs = UNICODE
    paint: Callable[[str, Verdict], str] = _plain


def show_all_characters() -> None:
    """Have what the terminal, or the log of a job, cannot show escaped: that is no reason to end.

    Names of tests may have any character, and a run has taken long when it is told how it ended.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def room(columns: int, *, terminal: bool, told: bool) -> int:
    """How wide lines may be, given what the writer takes for the width.

    In the log of a job nothing is cut or wrapped at 80 columns, which is what is taken where
    nobody has told the width: a line may be as long as viewers of logs show it.
    """
    return columns if terminal or told else max(columns, _LEAST)


def printable(text: str) -> str:
    """A text without what would move the cursor."""
    return "".join(each if each.isprintable() else "?" for each in text)


def width(text: str) -> int:
    """Columns of a terminal: wide characters take two, combining ones none."""
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def padded(text: str, columns: int, *, left: bool = True) -> str:
    """A text with blanks up to a width."""
    blanks = " " * (columns - width(text))
    return text + blanks if left else blanks + text


def shortened(text: str, columns: int, ellipsis: str = "…") -> str:
    """A text without its middle, if it is too wide: names differ at their ends most."""
    if width(text) <= columns:
        return text
    left = max(0, columns - width(ellipsis))
    head, tail = _head(text, left // 2), _head(text[::-1], left - left // 2)[::-1]
    return f"{head}{ellipsis}{tail}" if width(ellipsis) <= columns else ""


def _head(text: str, columns: int) -> str:
    """As many of the first characters as fit."""
    taken = 0
    for index, character in enumerate(text):
        taken += _columns(character)
        if taken > columns:
            return text[:index]
    return text


def aligned(rows: Sequence[Sequence[str]], left: Sequence[int]) -> list[str]:
    """Rows of cells in columns, some of them to the left; a row of one cell runs across."""
    columns = range(len(rows[0]))
    widths = [max(width(row[i]) for row in rows if len(row) > 1) for i in columns]
    return [
        row[0] if len(row) == 1 else "  ".join(
            padded(row[i], widths[i], left=i in left) for i in columns
        ).rstrip()
        for row in rows
    ]  # fmt: skip
