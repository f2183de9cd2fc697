"""How a run gets on: what it will take, a live line, and the row of each check that is decided."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import inf
from typing import Protocol

import pytest

from ..model.results import CheckResult, Verdict
from ..reports.console import table
from ..reports.console.screen import Glyphs, Screen, room, shortened, width


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

    def show(self, *texts: str) -> None:
        """Replace what is shown by the first text that fits in the line, or what fits of the last.

        They tell the same, each in fewer words than the one before.
        """
        left = self._writer.fullwidth - self._writer.width_of_current_line - 2
        if self.works and left > 10:
            fitting = [text for text in texts if width(text) <= left]
            self._raw(_SHOW.format(fitting[0] if fitting else shortened(texts[-1], left, "")))
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
            encoding = getattr(file, "encoding", None) or "utf-8"
            file.write(text.encode(encoding, "replace").decode(encoding))
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
    def largest(self) -> float:
        """The largest of the budgets; 0 without any."""
        return max(self._budgets, default=0.0)

    @property
    def place(self) -> str:
        """Which check it is, of how many."""
        return f"{min(len(self._done) + 1, len(self._budgets))}/{len(self._budgets)}"

    def left(self, elapsed: float) -> str:
        """What is left of the run when this check has taken so many seconds; empty: nobody knows.

        Those that are done tell how much of their budgets checks take. Before any is, it is judging
        alone that has a limit.
        """
        done, budgets = len(self._done), self._budgets[len(self._done) :]
        if not budgets or (not done and sum(budgets) == inf):
            return ""
        if not done:
            return f"at most {_time(sum(budgets))} of judging left"
        before = sum(self._budgets[:done])
        if before + sum(budgets) < inf:
            expected = [sum(self._done) / before * each for each in budgets]
        else:
            expected = [sum(self._done) / done] * len(budgets)
        return f"about {_time(max(expected[0] - elapsed, 0) + sum(expected[1:]))} left"

    def ended(self, seconds: float) -> None:
        """A check took so many seconds."""
        self._done.append(seconds)


def told(schedule: Schedule, name: str, news: str, elapsed: float) -> list[str]:
    """The texts of a live line: all there is to tell, then less and less."""
    place, left = schedule.place, schedule.left(elapsed)
    after = f"; {left}" if left else ""
    return [
        f"{place} {name}: {news}{after}",
        f"{place}: {news}{after}",
        f"{place}: {news}",
    ]


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def screen_of(config: pytest.Config) -> Screen:
    """What pytest's terminal can show, or the file in its place."""
    writer = config.get_terminal_writer()
    file = getattr(writer, "_file", None)
    return Screen(
        columns=room(
            writer.fullwidth,
            terminal=file is not None and file.isatty(),
            told="COLUMNS" in os.environ,
        ),
        glyphs=Glyphs.of(getattr(file, "encoding", None)),
        paint=lambda text, verdict: writer.markup(text, **_colors(verdict)),
    )


def _colors(verdict: Verdict) -> dict[str, bool]:
    """How pytest's terminal shows a verdict, where it has colours."""
    if verdict.fails:
        return {"red": True, "bold": True}
    return {"yellow" if verdict is Verdict.INCONCLUSIVE else "green": True}


class Rows:
    """Writes the row of each check as soon as it is decided, beside what pytest writes of it.

    Pytest's letter stands at the beginning of its line then, or its word in the line above. Other
    reporters than its own have a mind of theirs, and a quiet run has the table at the end.
    """

    def __init__(
        self, reporter: pytest.TerminalReporter, screen: Screen, names: Sequence[str]
    ) -> None:
        level = reporter.config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES)
        self._reporter = reporter
        self._screen = screen
        self._verbose = level > 0
        self._names = 0 if self._verbose else table.name_columns(names, screen)
        # Pytest's own: the oldest that are supported do not export its class.
        self._works = type(reporter).__module__ == "_pytest.terminal" and level >= 0

    def begin(self, result: CheckResult | None) -> None:
        """Before pytest hears of a check: its letter gets a line of its own."""
        writer = self._reporter._tw
        if self._shows(result) and not self._verbose and writer.width_of_current_line:
            writer.line()

    def end(self, result: CheckResult | None) -> None:
        """After pytest has heard of it."""
        if result is None or not self._shows(result):
            return
        writer = self._reporter._tw
        if self._verbose:
            self._reporter.ensure_newline()
        blanks = max(1, (4 if self._verbose else 2) - writer.width_of_current_line)
        before = writer.width_of_current_line + blanks
        writer.write(" " * blanks)
        writer.line(table.row(result, self._screen, before=before, names=self._names))
        writer.flush()

    def _shows(self, result: CheckResult | None) -> bool:
        # One that is identical was not measured: hundreds of them say nothing that a dot does not.
        return self._works and result is not None and result.is_measured
