"""What to type next at the end of a run: the commands for what failed, or is to be accepted."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import inf

from ...model.results import CheckResult, Verdict

_NAMED = 2  # checks by their names, else the modules that they are in
_MODULES = 3  # modules by their names, else all of them
_TO_ACCEPT = (Verdict.REGRESSED, Verdict.INCOMPARABLE, Verdict.NO_BASELINE)


def _as_it_is(path: str) -> str:
    return path


@dataclass(frozen=True, kw_only=True)
class Shell:
    """Where commands are typed: what starts pytest, and how the place of a check is written."""

    program: str = "pytest"
    relative: Callable[[str], str] = _as_it_is  # from a path or node id below the root folder
    root: str = ""  # an option that names that folder, where pytest would take another one for it
    git: bool = True  # whether there is a repository to commit to
    beside: str = ""  # options that say what is measured beside, where that was not accepted


def lines(
    results: Sequence[CheckResult],
    shell: Shell,
    *,
    judges: bool = True,
    budget: float = 60.0,
    marked: Collection[str] = (),
    written: Sequence[str] = (),
) -> list[str]:
    """The commands, three at most; none where there is nothing to do.

    A run that does not ``judge`` by baselines has nothing to accept. ``budget`` is the largest that
    a check had (s), and ``marked`` are those that have theirs from a marker, which no option
    changes. ``written`` are the files of baselines that the run has changed.
    """
    if not judges:
        return []
    failed = [each for each in results if each.outcome == "failed"]
    accept = [each for each in failed if each.verdict in _TO_ACCEPT]
    unsure = [each for each in results if each.verdict is Verdict.INCONCLUSIVE]
    again = [each for each in failed if each not in accept and each not in unsure]
    told = []
    if written and shell.git:
        told.append(f"To accept this: {committing(written)}")
    if shell.beside:  # what is worse than that may be accepted already
        accept = [each for each in accept if each.verdict is Verdict.NO_BASELINE]
    run = f"--loaderperf {shell.beside}".rstrip()
    if accept and not written:
        worse = any(each.verdict is Verdict.REGRESSED for each in accept)
        what = "To accept what got worse" if worse else "To accept"
        command = measuring(shell, _chosen(accept, results), "--loaderperf-update")
        then = f" && {committing([shell.relative('baselines')])}" if shell.git else ""
        told.append(f"{what}: {command}{then}")
    if again:
        told.append(f"Once that is mended: {measuring(shell, _chosen(again, results), run)}")
    if unsure and budget < inf:
        more, places = f"{max(1.0, 2 * budget):.0f}s", _chosen(unsure, results)
        if any(each.nodeid in marked for each in unsure):
            command = measuring(shell, places, run)
            told.append(f"For more certainty: budget={more!r} in the marker, then: {command}")
        else:
            command = measuring(shell, places, f"{run} --loaderperf-budget={more}")
            told.append(f"For more certainty: {command}")
    return told


def committing(files: Sequence[str], message: str = "Accept the baselines") -> str:
    """The commands that commit some files."""
    named = " ".join(map(shlex.quote, files))
    return f"git add {named} && git commit -m {shlex.quote(message)}"


def measuring(shell: Shell, places: Sequence[str], options: str) -> str:
    """The command that runs the checks in some places below the root folder, else all."""
    named = [shlex.quote(shell.relative(each)) for each in places]
    root = [shell.root] if named and shell.root else []
    return " ".join([shell.program, *root, *named, options])


def _chosen(some: Sequence[CheckResult], among: Sequence[CheckResult]) -> list[str]:
    """Where some checks are, in few words; nothing where that is all of them."""
    if len(some) == len(among) > 1:
        return []
    places = [each.nodeid for each in some]
    if len(places) > _NAMED:
        places = [*dict.fromkeys(each.partition("::")[0] for each in places)]
    return places if len(places) <= _MODULES else []
