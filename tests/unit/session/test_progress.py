"""The live line, and the rows of checks, as a small terminal shows them."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from _pytest._io import TerminalWriter
from _pytest.terminal import TerminalReporter  # pytest 8.2 does not export it
from hypothesis import given, settings
from hypothesis import strategies as st

import examples
from pytest_loaderperf.model.results import Verdict
from pytest_loaderperf.reports.console.screen import ASCII, Screen
from pytest_loaderperf.session.progress import LiveLine, Rows

no_deadline = settings(deadline=None)


class Terminal(io.StringIO):
    """Knows as much as is needed: text, saving the cursor, erasing the rest of the line."""

    def __init__(self, width: int = 80) -> None:
        super().__init__()
        self.width = width
        self.lines = [""]
        self._column = self._saved = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for part in re.findall("\x1b7|\x1b8|\x1b\\[K|\x1b.|\n|[^\x1b\n]+", text):
            line = self.lines[-1]
            if part == "\x1b7":
                self._saved = self._column
            elif part == "\x1b8":
                self._column = self._saved
            elif part == "\x1b[K":
                self.lines[-1] = line[: self._column]
            elif part == "\n":
                self.lines.append("")
                self._column = 0
            else:
                assert part[0] != "\x1b", "a code that the test's terminal does not know"
                end = self._column + len(part)
                self.lines[-1] = line[: self._column].ljust(self._column) + part + line[end:]
                self._column = end
                assert end < self.width, "would wrap, and then be a line that nobody erases"
        return len(text)

    @property
    def shown(self) -> str:
        return self.lines[-1].rstrip()


class File(Terminal):
    """The log of a job: what is written stays."""

    def isatty(self) -> bool:
        return False


def pytest_on(terminal: Terminal) -> TerminalWriter:
    """The writer that pytest itself uses."""
    writer = TerminalWriter(terminal)
    writer.hasmarkup = True
    writer.fullwidth = terminal.width
    return writer


class Ascii(Terminal):
    """A terminal that has few characters."""

    encoding = "ascii"

    def write(self, text: str) -> int:
        text.encode("ascii")
        return super().write(text)


def test_a_name_that_the_terminal_cannot_show_does_not_end_the_run() -> None:
    terminal = Ascii()
    LiveLine(pytest_on(terminal)).show("test_größe: pair 3")
    assert terminal.shown.strip() == "test_gr??e: pair 3"


def test_a_text_follows_what_pytest_has_written() -> None:
    terminal = Terminal()
    writer = pytest_on(terminal)
    writer.write("test_a.py .")
    LiveLine(writer).show("pair 3, ratio 0.98")
    assert terminal.shown == "test_a.py . pair 3, ratio 0.98"


def test_a_text_replaces_the_one_before() -> None:
    terminal = Terminal()
    live = LiveLine(pytest_on(terminal))
    live.show("a text that is long")
    live.show("short")
    assert terminal.shown == " short"


def test_pytest_goes_on_from_where_it_was() -> None:
    terminal = Terminal()
    writer = pytest_on(terminal)
    live = LiveLine(writer)
    writer.write("test_a.py ")
    live.show("pair 3")
    live.clear()
    assert terminal.shown == "test_a.py"
    writer.write(".")
    assert terminal.shown == "test_a.py ."


def test_a_long_text_is_cut_to_the_line() -> None:
    terminal = Terminal(40)
    writer = pytest_on(terminal)
    writer.write("test_a.py ")
    LiveLine(writer).show("x" * 100)
    assert terminal.shown.startswith("test_a.py  xxxxxxxxxxxx")


def test_the_longest_text_that_fits_is_shown() -> None:
    terminal = Terminal(40)
    writer = pytest_on(terminal)
    live = LiveLine(writer)
    texts = ("2/3 test_a: pair 2; about 35 s left", "2/3: pair 2; about 35 s left", "2/3: pair 2")
    live.show(*texts)
    assert terminal.shown.strip() == texts[0]
    writer.write("test_a.py ")
    live.show(*texts)
    assert terminal.shown == f"test_a.py  {texts[1]}"
    writer.write("............")
    live.show(*texts)
    assert terminal.shown == f"test_a.py ............ {texts[2]}"


@pytest.mark.parametrize("written", [0, 10, 30, 60])
def test_what_is_shown_never_counts_as_written(written: int) -> None:
    writer = pytest_on(Terminal())
    writer.write("x" * written)
    before = writer.width_of_current_line
    live = LiveLine(writer)
    live.show("pair 3")
    live.clear()
    assert writer.width_of_current_line == before == written


def test_a_file_gets_no_live_line() -> None:
    file = io.StringIO()
    live = LiveLine(TerminalWriter(file))
    live.show("pair 3")
    live.clear()
    assert file.getvalue() == ""


def test_clearing_what_is_not_shown_writes_nothing() -> None:
    file = io.StringIO()
    writer = TerminalWriter(file)
    writer.hasmarkup = True
    live = LiveLine(writer)
    live.clear()
    assert file.getvalue() == ""
    live.show("pair 3")
    live.clear()
    written = file.getvalue()
    live.clear()
    assert file.getvalue() == written


def test_a_writer_without_a_file_is_no_error() -> None:
    class Writer:
        hasmarkup = True
        fullwidth = 80
        width_of_current_line = 0

    live = LiveLine(Writer())
    live.show("pair 3")
    live.clear()


steps = st.one_of(
    st.text("ab ", min_size=1, max_size=15).map(lambda text: ("write", text)),
    st.just(("write", "\n")),
    st.text("xyz", max_size=60).map(lambda text: ("show", text)),
    st.just(("clear", "")),
)


@given(st.lists(steps), st.integers(30, 80))
@no_deadline
def test_after_the_end_there_is_only_what_pytest_has_written(
    steps: list[tuple[str, str]], width: int
) -> None:
    terminals = Terminal(width), Terminal(width)
    writer, alone = map(pytest_on, terminals)
    live = LiveLine(writer)
    for action, text in steps:
        if action == "show":
            live.show(text)
        elif action == "clear":
            live.clear()
        elif writer.width_of_current_line + len(text) < width:
            live.clear()  # as the run does before it lets pytest report
            writer.write(text)
            alone.write(text)
    live.clear()
    assert terminals[0].lines == terminals[1].lines


def test_colours_that_are_forced_upon_a_file_make_it_no_terminal() -> None:
    file = File()
    live = LiveLine(pytest_on(file))
    assert not live.works
    live.show("pair 3, ratio 0.98")
    live.clear()
    assert file.lines == [""]


# --- rows


def reporter_on(
    terminal: Terminal, verbose: int = 0, kind: type[TerminalReporter] | None = None
) -> TerminalReporter:
    """Pytest's reporter, or another ``kind``, that writes to a terminal."""
    config = pytest.Config(pytest.PytestPluginManager(), invocation_params=PARAMS)
    config.option.verbose = verbose
    reporter = (kind or TerminalReporter).__new__(kind or TerminalReporter)
    reporter.config, reporter._tw, reporter.currentfspath = config, pytest_on(terminal), None
    return reporter


PARAMS = pytest.Config.InvocationParams(args=(), plugins=None, dir=Path())
IDENTICAL = replace(examples.check("", Verdict.IDENTICAL, 0.99, 1.01), metrics={})
CHECKS = [
    replace(IDENTICAL, nodeid=f"test_a.py::{name}")
    if verdict is Verdict.IDENTICAL
    else examples.check(f"test_a.py::{name}", verdict, 0.99, 1.01)
    for name, verdict in [
        ("test_one", Verdict.UNCHANGED),
        ("test_two[32]", Verdict.REGRESSED),
        ("test_same", Verdict.IDENTICAL),
        ("test_again", Verdict.IDENTICAL),
        ("test_last", Verdict.ERROR),
    ]
]


def written(terminal: Terminal, reporter: TerminalReporter, *, verbose: bool) -> list[str]:
    """What stands in a terminal after a run of the checks, as pytest reports them."""
    names = [each.nodeid.partition("::")[2] for each in CHECKS]
    rows = Rows(reporter, Screen(columns=terminal.width, glyphs=ASCII), names)
    writer = reporter._tw
    if not verbose:
        writer.write("test_a.py ")
    for each in CHECKS:
        if verbose:
            reporter.ensure_newline()
            writer.write(f"{each.nodeid} ")
        rows.begin(each)
        writer.write("PASSED" if verbose else ".")
        reporter.currentfspath = "test_a.py"
        rows.end(each)
    rows.begin(None)  # of a check that was skipped
    rows.end(None)
    return [line.rstrip() for line in terminal.lines]


def test_the_letter_of_a_check_stands_before_its_row() -> None:
    terminal = Terminal(81)
    assert written(terminal, reporter_on(terminal), verbose=False) == [
        "test_a.py",
        ". test_one      unchanged     1.000 [0.990, 1.010]    | o |    throughput",
        ". test_two[32]  regressed     1.000 [0.990, 1.010]    | o |    throughput",
        "..",  # of what is identical, and was not measured
        ". test_last     error         1.000 [0.990, 1.010]    | o |    throughput",
        "",
    ]


def test_the_row_of_a_check_stands_below_its_word() -> None:
    terminal = Terminal(81)
    assert written(terminal, reporter_on(terminal, 1), verbose=True) == [
        "test_a.py::test_one PASSED",
        "    unchanged     1.000 [0.990, 1.010]      |   o   |      throughput",
        "test_a.py::test_two[32] PASSED",
        "    regressed     1.000 [0.990, 1.010]      |   o   |      throughput",
        "test_a.py::test_same PASSED",
        "test_a.py::test_again PASSED",
        "test_a.py::test_last PASSED",
        "    error         1.000 [0.990, 1.010]      |   o   |      throughput",
        "",
    ]


class Sugar(TerminalReporter):  # type: ignore[misc]  # as plugins do it
    """One that shows tests in its own way."""


@pytest.mark.parametrize(("verbose", "kind"), [(-1, None), (0, Sugar)])
def test_a_quiet_run_and_another_reporter_have_no_rows(
    verbose: int, kind: type[TerminalReporter] | None
) -> None:
    terminal = Terminal(81)
    reporter = reporter_on(terminal, verbose, kind)
    assert written(terminal, reporter, verbose=False) == ["test_a.py ....."]
