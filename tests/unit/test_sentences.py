"""The sentences of the documentation are short, by a measure whose answers are known here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / ".ci" / "sentences.py"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

TEXTS = {
    "two sentences": ("One two three. Four five six seven?\n", [3, 4]),
    "over lines": ("One two\nthree. Four\nfive six.\n", [3, 3]),
    "colons and semicolons go on": ("One two: three four; five six.\n", [6]),
    "a colon before a list ends": ("One two three:\n- four five six\n- seven\n", [3, 3]),
    "a colon before code ends": ("One two three:\n```\nfour five six\n```\nSeven 8 9.\n", [3, 3]),
    "numbers have points": ("It is 1.5 GiB of 3.11 here.\n", [7]),
    "abbreviations": ("Some, e.g. two, i.e. both, etc. do so. By A. Akinshin of it.\n", [8, 5]),
    "inline code is a word": ("Use `a. b c` or\n``x ` y.\nz`` now! One more word.\n", [5, 3]),
    "a sentence in brackets": ("One two three. (Four five six.) Seven eight nine.\n", [3, 3, 3]),
    "marks are no words": ("One - two / three % of **four** … five.\n", [6]),
    "links without their targets": ("See [one two](https://a.b/c.d?e. f) of [it][x y z].\n", [5]),
    "images are none": ("[![one two three](a.svg)](b)\n\n![one two three](c.svg)\n", []),
    "comments are none": ("<!-- one two three.\n\nfour five six -->\nSeven eight nine.\n", [3]),
    "headings are none": ("# One two three\n\nOne two three\n===\n\nFour five six.\n", [3]),
    "fenced code is none": ("~~~~\none two three\n~~~\nfour five six\n~~~~\n", []),
    "code in a list is none": ("- One two three:\n\n  ```\n  four five six\n  ```\n", [3]),
    "indented code is none": ("One two three:\n\n    four five six\n", [3]),
    "a list": ("1. One two three\n2. four five\n   six. Seven eight nine\n", [3, 3, 3]),
    "a paragraph of an item": ("- One two three\n\n  four five six seven\n", [3, 4]),
    "a number at the start of a line": ("It was so in\n986. That is it.\n", [5, 3]),
    "a quotation": ("> One two\n> three.\n", [3]),
    "cells": (
        "| a b c | d |\n|---|---|\n| one two three | four |\n| 5 | a \\| b `c` d e f |\n",
        [3, 6],
    ),
    "too few words": ("No. Not this. One two three.\n", [3]),
}


def measured(path: Path, text: str) -> tuple[int, str]:
    """The exit status for a file with such a text, and what is printed."""
    path.write_text(text, encoding="utf-8")
    return run(path)


def run(*paths: Path) -> tuple[int, str]:
    command = [sys.executable, str(SCRIPT), *map(str, paths)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.stderr == ""
    return finished.returncode, finished.stdout


def figures(line: str) -> tuple[int, float, float, int]:
    """Of a line: sentences, their mean and that outside of tables, and the longest."""
    count, mean, running, longest = line.split()[:4]
    return int(count), float(mean), float(running), int(longest)


def words(count: int) -> str:
    return "Word" + " word" * (count - 1) + ".\n"


@pytest.mark.parametrize(("text", "lengths"), TEXTS.values(), ids=TEXTS)
def test_known_answers(tmp_path: Path, text: str, lengths: list[int]) -> None:
    status, output = measured(tmp_path / "page.md", text)
    mean = round(sum(lengths) / len(lengths), 1) if lengths else 0.0
    count, found, _, longest = figures(output.splitlines()[1])
    assert (status, count, found) == (0, len(lengths), mean)
    assert longest == max(lengths, default=0)


def test_it_names_the_line_of_the_longest_sentence(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    text = "# Title\n\n```\ncode\n```\nOne two three.\nFour `a\nb` five six. Seven.\n"
    _, output = measured(page, text)
    assert f'{page}:7: "Four code five six...."' in output


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (words(40) + words(3), 1),  # a mean of 21.5
        (words(40) + words(3) * 2, 0),
        (words(45) + words(3) * 10, 1),
        (words(20), 0),
        (words(21), 1),
        # Cells do not make up for long sentences in the text.
        (words(30) + "\n| a |\n|---|\n" + "| one two three |\n" * 10, 1),
    ],
)
def test_the_bars(tmp_path: Path, text: str, status: int) -> None:
    assert measured(tmp_path / "page.md", text)[0] == status


def test_a_page_that_is_not_there(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), str(tmp_path / "none.md")]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout) == (1, "sentences   mean  but tables  longest\n")
    assert "none.md: " in finished.stderr


def test_the_documentation_has_short_sentences() -> None:
    status, output = run(*PAGES)
    _, *pages, total = output.splitlines()
    assert status == 0, output
    assert len(pages) == len(PAGES)
    for line in (*pages, total):
        count, mean, running, longest = figures(line)
        assert count >= 10, line
        assert max(mean, running) <= 20, line
        assert longest <= 40, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_long_sentence_in_the_documentation_fails(page: Path, tmp_path: Path) -> None:
    title, rest = page.read_text("utf-8").split("\n", maxsplit=1)
    status, output = measured(tmp_path / page.name, f"{title}\n\n{words(45)}{rest}")
    assert status == 1
    assert f"too long:   45  {tmp_path / page.name}:3: " in output
