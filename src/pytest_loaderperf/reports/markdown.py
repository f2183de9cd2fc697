"""Results as Markdown, for the summary of a CI job: the verdict first, then what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..model.parameters import titled
from ..model.results import CheckResult
from ..stats.sweeps import Sweep
from . import explain, swept, terminal, variants

_MARKUP = re.compile(r"[\\`*_{}\[\]<>#|~]")
_COLUMNS = ("check", "throughput", "ratio [95 %]", "peak memory", "ratio", "verdict")


def summary(
    results: Sequence[CheckResult], sweeps: Sequence[Sweep], problems: Sequence[str] = ()
) -> str:
    """The summary of a run, with the tests that were measured at several batch sizes.

    A run in which nothing was measured says so: it has proven nothing. ``problems`` are what keeps
    shards from being one run.
    """
    parts = [f"## {terminal.headline(results, problems)}"]
    if problems:
        parts.append("\n".join(f"- {_escaped(problem)}" for problem in problems))
    if not results:
        return "\n\n".join(parts) + "\n"
    parts.append(terminal.summary(results))
    parts += [_failure(result) for result in results if result.outcome == "failed"]
    parts.append(_table(_COLUMNS, map(_row, results)))
    parts += [_variants(result) for result in results if result.variants]
    parts += [_sweep(sweep) for sweep in sweeps]
    if below := terminal.below(results):
        parts.append("\n".join(f"- {_escaped(line)}" for line in below))
    return "\n\n".join(parts) + "\n"


def _failure(result: CheckResult) -> str:
    text = "\n".join(explain.failure(result))
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
        f"{terminal.mark(result.verdict)} {terminal.verdict_cell(result)}",
    )


def _variants(result: CheckResult) -> str:
    rows = ((_code(name), *cells) for name, *cells in variants.rows(result))
    title = f"### {_code(result.nodeid)}, {_escaped(variants.title(result))}"
    return f"{title}\n\n{_table(variants.COLUMNS, rows)}"


def _sweep(sweep: Sweep) -> str:
    rows = map(swept.cells, sweep.points)
    lines = [swept.memory(sweep), swept.best(sweep)]
    below = "\n".join(f"- {_escaped(line)}" for line in lines)
    by = titled(sweep.names)
    return f"### {_code(sweep.test)}, by {by}\n\n{_table(swept.columns(sweep), rows)}\n\n{below}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(_cell, row)) + " |" for row in lines)


def _code(text: str) -> str:
    """A span in which nothing is markup."""
    fence = _fence(text)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def _fence(text: str) -> str:
    """Backticks, more than there are in a row in some text."""
    return "`" * (1 + max(map(len, re.findall("`+", text)), default=0))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _escaped(text: str) -> str:
    """A line in which nothing is markup."""
    return _MARKUP.sub(r"\\\g<0>", text.replace("\n", " "))
