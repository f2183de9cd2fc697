"""Texts on a terminal: how wide they are, what fits, and of which characters."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.reports.console import screen

no_deadline = settings(deadline=None)


def test_what_a_terminal_cannot_show_is_no_reason_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(written, encoding="latin-1"))
    screen.show_all_characters()
    print("❌ ä", flush=True)
    print("●", file=sys.stderr, flush=True)
    assert written.getvalue() == b"\\u274c \xe4\n\\u25cf\n"


@pytest.mark.parametrize(
    ("text", "columns"),
    [("abc", 3), ("", 0), ("\u8bfb\u53d6", 4), ("e\u0301", 1), ("a\u200bb", 2), ("…", 1)],
)
def test_wide_characters_take_two_columns_and_combining_ones_none(text: str, columns: int) -> None:
    assert screen.width(text) == columns


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("test_photos[32]", 15, "test_photos[32]"),
        ("test_photos[32]", 14, "test_p…tos[32]"),
        ("test_photos[32]", 5, "te…2]"),
        ("test_photos[32]", 1, "…"),
        ("test_photos[32]", 0, ""),
        ("\u8bfb\u53d6\u56fe\u7247\u96c6", 7, "\u8bfb…\u96c6"),
    ],
)
def test_a_name_loses_its_middle(text: str, columns: int, shown: str) -> None:
    assert screen.shortened(text, columns) == shown


@given(st.text(), st.integers(0, 40), st.sampled_from(["…", ".."]))
@no_deadline
def test_what_is_shortened_fits_and_what_fits_stays(text: str, columns: int, dots: str) -> None:
    found = screen.shortened(text, columns, dots)
    assert screen.width(found) <= columns
    assert found == text or screen.width(text) > columns


@given(st.text(max_size=20), st.integers(0, 40), st.booleans())
@no_deadline
def test_what_is_padded_has_a_width(text: str, columns: int, left: bool) -> None:
    found = screen.padded(text, columns, left=left)
    assert screen.width(found) == max(columns, screen.width(text))
    assert found.strip() == text.strip()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", None, "no such encoding"])
def test_where_an_encoding_lacks_them_characters_are_those_of_ascii(encoding: str | None) -> None:
    found = screen.Glyphs.of(encoding)
    assert found == screen.ASCII
    "".join(vars(found).values()).encode("ascii")


def test_where_an_encoding_has_them_there_are_better_ones() -> None:
    assert screen.Glyphs.of("utf-8") == screen.UNICODE
    assert all(screen.width(each) == 1 for each in vars(screen.UNICODE).values())


def test_what_would_move_the_cursor_is_no_part_of_a_name() -> None:
    assert screen.printable("a\nb\x1b[2J\u202ec") == "a?b?[2J?c"


@pytest.mark.parametrize(
    ("columns", "terminal", "told", "room"),
    [
        (80, True, False, 80),
        (200, True, False, 200),
        (80, False, True, 80),  # COLUMNS=80
        (80, False, False, 100),  # of a log nobody knows it
        (120, False, False, 120),
    ],
)
def test_a_log_is_wider_than_the_terminal_that_it_has_not(
    columns: int, terminal: bool, told: bool, room: int
) -> None:
    assert screen.room(columns, terminal=terminal, told=told) == room


def test_columns_line_up_by_what_is_seen() -> None:
    rows = [("name", "n"), ("\u8bfb\u53d6", "1"), ("e\u0301", "22"), ("across all of it",)]
    assert screen.aligned(rows, left=(0,)) == [
        "name   n",
        "\u8bfb\u53d6   1",
        "e\u0301     22",
        "across all of it",
    ]
