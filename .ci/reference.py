"""Keep the tables of docs/reference.md that the code tells: options, ini names, marker arguments.

Usage: ``reference.py [--check]``. Rewrites what is between ``<!-- generated: NAME -->`` and
``<!-- end -->``. With ``--check`` it only says whether that is up to date, by its exit status.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference.md"
sys.path.insert(0, str(ROOT / "src"))

from pytest_loaderperf.options import OPTIONS, TOLERANCES, Option  # noqa: E402
from pytest_loaderperf.settings import MARKER_ARGUMENTS  # noqa: E402

BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

# Where a page tells more than the help of an option can.
MORE = {
    "init": "quickstart.md#from-a-function-that-makes-a-loader",
    "update": "accepting.md",
    "prune": "accepting.md#tests-that-are-gone",
    "history": "accepting.md#over-time",
    "against": "baselines.md#what-is-compared",
    "tests": "baselines.md#code-older-than-its-checks",
    "baseline_python": "dependencies.md#another-interpreter",
    "baseline_requirements": "dependencies.md#other-packages",
    "blame": "dependencies.md#which-package-did-it",
    "why": "why.md",
    "always": "verdicts.md#identical",
    "build": "baselines.md#projects-that-must-be-built",
    "share": "baselines.md#what-the-accepted-commit-lacks",
    "coverage": "checks.md#how-much-of-an-epoch-is-seen",
    "memory_limit": "memory.md#the-limit",
    "timeout": "reliability.md",
    "trials": "reliability.md#forks",
    "drift": "verdicts.md#stored-numbers",
    "selftest": "verdicts.md#can-it-be-trusted-here",
    "sweep": "memory.md#a-sweep",
    "bisect": "bisecting.md",
    "exit": "bisecting.md#with-git-bisect",
    "shard": "ci.md#several-runners",
    "json": "#results-as-json",
    "html": "reports.md#html",
    "summary": "reports.md#markdown",
}
# Of the marker: what is no option as well.
OF_THE_MARKER = {
    "batch_sizes": "a list of integers: parametrizes the argument `batch_size`",
    "ranks": "how many [processes of a distributed training](ranks.md) measure together",
    "world_size": "how many of them there are on all machines",
}


def prose(text: str) -> str:
    """The help of an option as Markdown: what is quoted, or an option, is code."""
    text = re.sub(r"(?<!\w)'([^']+)'", r"`\1`", text)
    text = re.sub(r"(?<![`\w-])(--loaderperf[\w-]*)", r"`\1`", text)
    first, *others = re.split(r"; (?!or )(?![^(]*\))", text)
    text = ". ".join([first, *(f"{each[0].upper()}{each[1:]}" for each in others)])
    return text.replace("|", r"\|")


def meaning(option: Option) -> str:
    """What an option does, and where there is more."""
    if option.name in TOLERANCES:
        return TOLERANCES[option.name]
    more = f" ([more]({MORE[option.name]}))" if option.name in MORE else ""
    return prose(option.help) + more


def written(option: Option) -> str:
    """An option as it is typed."""
    value = option.metavar
    if value and option.kind in ("mode", "reason"):  # they stand for something without a value, too
        value = f"[={value}]"
    elif value:
        value = f"={value}"
    return f"`{option.switch}{value}`".replace("|", r"\|")


def options() -> list[str]:
    """The table of options."""
    rows = [
        (
            written(option) if option.command_line else "",
            f"`{option.key}`" if option.ini else "",
            meaning(option),
        )
        for option in OPTIONS
    ]
    return table(("command line", "ini", "meaning"), rows)


def marker() -> list[str]:
    """The table of the marker's arguments."""
    by_name = {option.name: option for option in OPTIONS}
    rows = []
    for name in MARKER_ARGUMENTS:
        if name in OF_THE_MARKER:
            text = OF_THE_MARKER[name]
        elif name in TOLERANCES:
            text = f"a tolerance, {TOLERANCES[name]}"
        else:
            text = prose(by_name[name].help)
        rows.append((f"`{name}`", text))
    return table(("argument", "meaning"), rows)


def table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """A table in Markdown."""
    lines = [titles, *rows]
    made = [("| " + " | ".join(cells) + " |").replace("|  |", "| |") for cells in lines]
    return [made[0], "|" + "---|" * len(titles), *made[1:]]


TABLES: Mapping[str, Callable[[], list[str]]] = {"options": options, "marker": marker}


def generated(page: str) -> str:
    """The page with its generated tables as the code has them now."""
    names = [found[1] for found in BLOCK.findall(page)]
    if sorted(names) != sorted(TABLES):
        raise ValueError(f"blocks of {names}, not one each of {sorted(TABLES)}")
    return BLOCK.sub(lambda found: "\n".join([found[1], *TABLES[found[2]](), "", found[3]]), page)


def main(arguments: list[str]) -> int:
    """Rewrite the page, or say whether it is up to date."""
    if arguments not in ([], ["--check"]):
        sys.exit(f"usage: {Path(__file__).name} [--check]")
    page = PAGE.read_text(encoding="utf-8")
    try:
        wanted = generated(page)
    except ValueError as error:
        sys.exit(f"{PAGE}: {error}")
    if page == wanted:
        return 0
    if arguments:
        print(f"{PAGE} is not up to date: run python .ci/{Path(__file__).name}")
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
