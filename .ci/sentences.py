"""Measure the sentences of Markdown files, so that the documentation stays easy to read.

Usage: ``sentences.py FILE...``. For each file it prints how many sentences there are, how many
words they have on average (of all, and of those outside of tables, whose cells are short), and the
longest one. The exit status is 1 if one of the two means over all files is above ``MEAN`` words, or
any sentence has more than ``LONGEST``.

- A paragraph, a list item and a cell of a table are texts of their own. Where they end, a sentence
  does.
- Code blocks, comments, headings, header rows of tables, images and targets of links do not count.
- Inside a text a sentence ends at ``.``, ``?`` or ``!`` before white space, though not after an
  abbreviation or an initial. A colon or semicolon inside a text does not end one.
- A word is what white space surrounds and has a letter or digit. Inline code is one word.
- What has fewer than ``FEWEST`` words, such as a number in a cell, is no sentence.
"""

from __future__ import annotations

import re
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

MEAN, LONGEST, FEWEST = 20, 40, 3

ABBREVIATIONS = {"e.g.", "i.e.", "etc.", "cf.", "vs.", "approx.", "resp."}
FENCE = re.compile(r"[ >]*(?:[-*+]\s+|\d+[.)]\s+)?(`{3,}|~{3,})")
COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
IMAGE = re.compile(r"!\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])")
LINK = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
TAG = re.compile(r"</?[A-Za-z][^<>]*>")
HEADING = re.compile(r" {0,3}#{1,6}(?:\s|$)")
UNDERLINE = re.compile(r" {0,3}(?:=+|-+)\s*$")
RULE = re.compile(r" {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$")
DEFINITION = re.compile(r" {0,3}\[[^\]]+\]:\s")
ITEM = re.compile(r"(\s*(?:[-*+]|\d+[.)])\s+)(?=\S)")
DELIMITER = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
CELL_END = re.compile(r"(?<!\\)\|")
SENTENCE_END = re.compile(r"[.?!][\"')\]*_]*(?=\s|$)")
CODE_WORD = "code"


class Text(NamedTuple):
    """A paragraph, a list item or a cell, and the number of the line where it begins."""

    line: int
    words: str
    cell: bool


class Sentence(NamedTuple):
    """A sentence, how many words it has, and the number of the line where it begins."""

    line: int
    words: int
    text: str
    cell: bool  # of a table


def blank(match: re.Match[str]) -> str:
    """Leave only the ends of lines, so that what follows keeps the number of its line."""
    return "\n" * match[0].count("\n")


def one_word(match: re.Match[str]) -> str:
    """Replace inline code by one word, and keep the ends of its lines behind it."""
    return CODE_WORD + blank(match)


def without_code_blocks(markdown: str) -> Iterator[str]:
    """Yield all lines, but empty ones for fenced code blocks."""
    fence = ""
    for line in markdown.splitlines():
        found = FENCE.match(line)
        if fence:
            closes = found and found[1].startswith(fence) and line.strip(" >`~") == ""
            fence = "" if closes else fence
            yield ""
        elif found and "`" not in line[found.end() :]:
            fence = found[1]
            yield ""
        else:
            yield line


def texts(markdown: str) -> Iterator[Text]:
    """Yield the texts of a Markdown document, inline code as one word, and no target of a link."""
    prose = COMMENT.sub(blank, "\n".join(without_code_blocks(markdown)))
    prose = CODE.sub(one_word, prose)
    for pattern, replacement in ((IMAGE, blank), (LINK, r"\1"), (TAG, blank)):
        prose = pattern.sub(replacement, prose)
    lines = prose.split("\n")
    start, parts, indent, table = 0, list[str](), 0, False
    for number, raw in enumerate([*lines, ""], start=1):
        line = re.sub(r"^(?: {0,3}>)+ ?", "", raw)
        header = number < len(lines) and "|" in line and DELIMITER.match(lines[number])
        underline = parts and UNDERLINE.match(line)
        table = bool(header) or (table and "|" in line)
        item = ITEM.match(line)
        if item and parts and not indent and not re.match(r"\s*(?:[-*+]|1[.)])", line):
            item = None  # a number at the beginning of a line of a paragraph
        begins = table or item or HEADING.match(line) or RULE.match(line)
        if parts and (begins or underline or not line.strip()):
            if not underline or item:
                yield Text(start, "\n".join(parts), cell=False)
            parts = []
        width = len(line) - len(line.lstrip())
        if table:
            if not header and not DELIMITER.match(line):
                cells = CELL_END.split(line.strip().removeprefix("|").removesuffix("|"))
                yield from (Text(number, cell.strip(), cell=True) for cell in cells)
        elif item:
            start, parts, indent = number, [line[item.end() :]], item.end()
        elif begins or underline or not line.strip() or DEFINITION.match(line):
            indent = indent if not line.strip() else 0
        elif parts:
            parts.append(line.strip())
        elif width < indent + 4:  # what is indented further is a block of code
            start, parts = number, [line.strip()]
            indent = indent if width else 0


def ends(text: str) -> Iterator[int]:
    """Yield where the sentences of a text end."""
    for match in SENTENCE_END.finditer(text):
        last = text[: match.start() + 1].rsplit(maxsplit=1)[-1].lstrip("\"'([*_")
        initial = re.fullmatch(r"[A-Z]\.", last) and match.end() < len(text)
        if last.lower() not in ABBREVIATIONS and not initial:
            yield match.end()
    yield len(text)


def sentences(markdown: str) -> list[Sentence]:
    """Return the sentences of a Markdown document that have at least ``FEWEST`` words."""
    found = list[Sentence]()
    for line, text, cell in texts(markdown):
        begin = 0
        for end in ends(text):
            part = text[begin:end]
            words = [word for word in part.split() if re.search(r"\w", word)]
            if len(words) >= FEWEST:
                skipped = begin + len(part) - len(part.lstrip())
                number = line + text.count("\n", 0, skipped)
                found.append(Sentence(number, len(words), " ".join(part.split()), cell))
            begin = end
    return found


def means(found: Sequence[Sentence]) -> tuple[float, float]:
    """Return the mean number of words of these sentences, and of those outside of tables."""
    everywhere = [each.words for each in found]
    running = [each.words for each in found if not each.cell]
    return (
        statistics.fmean(everywhere) if everywhere else 0.0,
        statistics.fmean(running) if running else 0.0,
    )


def row(found: Sequence[Sentence], rest: str) -> str:
    """Return a row of the table that is printed."""
    longest = max((each.words for each in found), default=0)
    everywhere, running = means(found)
    return f"{len(found):9}  {everywhere:5.1f}  {running:10.1f}  {longest:7}  {rest}"


def main(arguments: Sequence[str]) -> int:
    """Print the figures of each file and of all, and return the exit status."""
    if not arguments:
        sys.exit(f"usage: {Path(__file__).name} FILE...")
    everything = list[Sentence]()
    print("sentences   mean  but tables  longest")
    for name in arguments:
        try:
            found = sentences(Path(name).read_text(encoding="utf-8"))
        except (OSError, UnicodeError) as error:
            sys.exit(f"{name}: {error}")
        everything += found
        places = {each: f'{name}:{each.line}: "{each.text[:60]}..."' for each in found}
        longest = max(found, key=lambda each: each.words, default=None)
        print(row(found, places[longest] if longest else name))
        for each in found:
            if each.words > LONGEST:
                print(f"{'too long':>31}: {each.words:4}  {places[each]}")
    print(row(everything, f"in all; at most {MEAN} and {LONGEST}"))
    too_long = any(each.words > LONGEST for each in everything)
    return int(too_long or max(means(everything)) > MEAN)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
