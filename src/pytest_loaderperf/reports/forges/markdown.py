"""Results as Markdown: the summary of a CI job, and the comment of a pull request.

The verdict comes first, then what failed and what to do. Whatever a project names may hold markup.
So it stands in code, or has each character escaped that means something.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from ...model.parameters import titled
from ...model.results import CheckResult
from ...stats.sweeps import Sweep
from .. import explain, swept, terminal, variants

# Of HTML, links, references, and addresses that are links by themselves.
_MARKUP = re.compile(r"[\\`*_{}\[\]<>#|~&:]|(?<=www)\.", re.IGNORECASE)
# GitHub's parser takes no more than 80 for the fence of a span, and counts up to 255 of a block.
_MANY_BACKTICKS = re.compile("`{41,}")
_LINE_ENDS = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, what turns text around, halves of characters
_COLUMNS = ("check", "throughput", "ratio [95 %]", "peak memory", "ratio", "verdict")
_LONGEST_CODE = 200  # characters
_LONGEST_FAILURE = 3_000
_MOST_PROBLEMS = 10
_LONGEST_COMMENT = 60_000  # GitHub takes 65,536


def summary(
    results: Sequence[CheckResult], sweeps: Sequence[Sweep], problems: Sequence[str] = ()
) -> str:
    """The summary of a run, with the tests that were measured at several batch sizes.

    A run in which nothing was measured says so: it has proven nothing. ``problems`` are what keeps
    shards from being one run.
    """
    parts = [f"## {terminal.headline(results, problems)}"]
    if problems:
        parts.append(_list(problems))
    if not results:
        return "\n\n".join(parts) + "\n"
    parts.append(terminal.summary(results))
    parts += [_failure(result) for result in results if result.outcome == "failed"]
    parts.append(_table(_COLUMNS, map(_row, results)))
    parts += [_variants(result) for result in results if result.variants]
    parts += [_sweep(sweep) for sweep in sweeps]
    if below := terminal.below(results):
        parts.append(_list(below))
    return "\n\n".join(parts) + "\n"


def comment(
    results: Sequence[CheckResult],
    problems: Sequence[str],
    *,
    about: Sequence[str],
    room: int = _LONGEST_COMMENT,
) -> str:
    """The comment of a pull request, in so many characters: failures first, then a short table.

    ``about`` are lines of Markdown on the run: of those that call this, and trusted.
    """
    parts = [f"## {terminal.headline(results, problems)}"]
    if problems:
        # In code, where it mentions nobody.
        parts.append("\n".join(f"- {_code(each)}" for each in problems[:_MOST_PROBLEMS]))
    counted = [terminal.summary(results)] if results else []
    parts.append("  \n".join([*counted, *about]))
    failed = [result for result in results if result.outcome == "failed"]
    others = [result for result in results if result.outcome != "failed"]
    failures = [_failure(result, _LONGEST_FAILURE) for result in failed]
    shown = list(_fitting(failures, 2 * room // 3))
    parts += shown
    if len(shown) < len(failures):
        parts.append(f"{len(failures) - len(shown):,} more checks failed: the reports have them.")
    rows = [_line(_row(result)) for result in (*failed, *others)]
    if listed := list(_fitting(rows, room // 4)):
        parts.append("\n".join([_line(_COLUMNS), _line(["---"] * len(_COLUMNS)), *listed]))
    if len(listed) < len(rows):
        parts.append(f"{len(rows) - len(listed):,} more checks are in the reports.")
    return "\n\n".join(parts) + "\n"


def _fitting(texts: Iterable[str], room: int) -> Iterator[str]:
    """The first of some texts, as many as there is room for."""
    for text in texts:
        room -= len(text) + 2
        if room < 0:
            return
        yield text


def _failure(result: CheckResult, longest: int | None = None) -> str:
    text = _short("\n".join(explain.failure(result)), longest)
    text = _MANY_BACKTICKS.sub("`" * 40, "\n".join(map(visible, text.split("\n"))))
    fence = max("```", _fence(text), key=len)
    return f"### {_code(result.nodeid)}: {result.verdict}\n\n{fence}text\n{text}\n{fence}"


def _row(result: CheckResult) -> tuple[str, ...]:
    speed, memory = result.metrics.get("throughput"), result.metrics.get("peak_memory")
    return (
        _code(result.nodeid),
        terminal.value_cell(speed),
        terminal.ratio_cell(speed),
        terminal.value_cell(memory),
        terminal.ratio_cell(memory),
        f"{terminal.mark(result.verdict, failed=result.outcome == 'failed')} "
        f"{terminal.verdict_cell(result)}",
    )


def _variants(result: CheckResult) -> str:
    rows = ((_code(name), *cells) for name, *cells in variants.rows(result))
    title = f"### {_code(result.nodeid)}, {_escaped(variants.title(result))}"
    return f"{title}\n\n{_table(variants.COLUMNS, rows)}"


def _sweep(sweep: Sweep) -> str:
    columns = map(_escaped, swept.columns(sweep))
    rows = (map(_escaped, swept.cells(point)) for point in sweep.points)
    below = _list([swept.memory(sweep), swept.best(sweep)])
    by = _escaped(titled(sweep.names))
    return f"### {_code(sweep.test)}, by {by}\n\n{_table(list(columns), rows)}\n\n{below}"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {_escaped(line)}" for line in lines)


def _table(columns: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    return "\n".join(map(_line, [columns, ["---"] * len(columns), *rows]))


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _code(text: str) -> str:
    """A span in which nothing is markup."""
    text = _MANY_BACKTICKS.sub("`" * 40, visible(_short(text, _LONGEST_CODE))) or " "
    fence = _fence(text)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def _fence(text: str) -> str:
    """Backticks, more than there are in a row in some text."""
    return "`" * (1 + max(map(len, re.findall("`+", text)), default=0))


def _short(text: str, longest: int | None) -> str:
    if longest is None or len(text) <= longest:
        return text
    return f"{text[: longest - 1]}…"


def visible(text: str) -> str:
    """A text as one line in which nothing is hidden, and nothing turned around."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(each) in _HIDDEN else each
        for each in _LINE_ENDS.sub(" ", text)
    )


def _escaped(text: str) -> str:
    """A line in which nothing is markup; what could mention somebody is code."""
    return re.sub("@+", r"`\g<0>`", _MARKUP.sub(r"\\\g<0>", visible(text)))
