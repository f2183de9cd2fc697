"""How a run gets on: how long it takes, and a live line behind whatever pytest has printed last."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Protocol


class Writer(Protocol):
    """The part of pytest's terminal writer that is used."""

    hasmarkup: bool
    fullwidth: int

    @property
    def width_of_current_line(self) -> int:
        """Columns that are written already."""


# Remember the cursor, write, erase the rest of the line, go back: pytest's own output goes on
# from where it was, as if nothing had been written.
_SHOW = "\x1b7 {}\x1b[K\x1b8"
_CLEAR = "\x1b[K"


class LiveLine:
    """Shows short texts that replace one another."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._shown = False
        file = getattr(writer, "_file", None)
        # Colours may be forced upon a file, in which nothing can be erased.
        self.works = writer.hasmarkup and file is not None and file.isatty()

    def show(self, text: str) -> None:
        """Replace what is shown; cut to what fits in the line."""
        room = self._writer.fullwidth - self._writer.width_of_current_line - 2
        if self.works and room > 10:
            self._raw(_SHOW.format(text[:room]))
            self._shown = True

    def clear(self) -> None:
        """Leave no trace."""
        if self._shown:
            self._raw(_CLEAR)
            self._shown = False

    def _raw(self, text: str) -> None:
        # Around the writer, which would count the invisible characters as width.
        file = getattr(self._writer, "_file", None)
        if file is not None:
            file.write(text)
            file.flush()


class Schedule:
    """The time that a run's checks take, given their budgets in seconds; infinite: nobody knows."""

    def __init__(self, budgets: Sequence[float]) -> None:
        self._budgets = list(budgets)
        self._done: list[float] = []

    @property
    def plan(self) -> str:
        """What a run is in for."""
        count = len(self._budgets)
        if not count:
            return "no checks"
        noun = "check" if count == 1 else "checks"
        whole = sum(self._budgets)
        return f"{count} {noun}" + (f", at most {_time(whole)} of judging" if whole < inf else "")

    @property
    def now(self) -> str:
        """Which check it is, and what is left with it: at most that, before any is done."""
        left = self._budgets[len(self._done) :]
        place = f"{min(len(self._done) + 1, len(self._budgets))} of {len(self._budgets)}"
        if not self._done and sum(left) == inf:
            return place
        if not self._done:
            return f"{place}, at most {_time(sum(left))} left"
        usual = sum(self._done) / len(self._done)
        return f"{place}, about {_time(usual * len(left))} left"

    def ended(self, seconds: float) -> None:
        """A check took so many seconds."""
        self._done.append(seconds)


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
