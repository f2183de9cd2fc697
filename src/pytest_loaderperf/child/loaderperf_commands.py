"""What command lines of Python run, and whether such a Python shows what it runs."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def main(command: Sequence[str]) -> tuple[str, str]:
    """The script and the module that a command line of Python runs, of which one is empty."""
    arguments = iter(command[1:])
    for each in arguments:
        flags = _flags(each)
        if each in ("-W", "-X", "--check-hash-based-pycs"):
            next(arguments, "")
        elif "m" in flags:
            rest = each[each.index("m") + 1 :]
            return "", rest or next(arguments, "")
        elif "c" in flags or each == "-":
            return "", ""
        elif not each.startswith("-"):
            return each, ""
    return "", ""


def _flags(argument: str) -> str:
    """The single letters of an option, up to the one that takes all that follows."""
    if not argument.startswith("-") or argument.startswith("--"):
        return ""
    letters = argument[1:]
    for number, letter in enumerate(letters):
        if letter in "cmWX":
            return letters[: number + 1]
    return letters


def unseen(program: Any, arguments: Any, environment: Any, needed: Sequence[str]) -> str:
    """The command of a Python that will not show what it runs; empty for any other command.

    It must inherit the variables that are ``needed``, and the folder of this file in PYTHONPATH.
    """
    words = [
        os.fsdecode(each) for each in ([arguments] if isinstance(arguments, str) else arguments)
    ]
    name = os.path.basename(os.fsdecode(program or words[0]))
    if not name.startswith(("python", "pypy")):
        return ""
    isolated, rest = False, iter(words[1:])
    for word in rest:
        flags = _flags(word)
        isolated |= any(flag in flags for flag in "IES")
        if word in ("-W", "-X"):
            next(rest, "")
        elif not word.startswith("-") or "c" in flags or "m" in flags:
            break
    if environment is not None and not isolated:
        given = {os.fsdecode(key): os.fsdecode(value) for key, value in environment.items()}
        path = given.get("PYTHONPATH", "").split(os.pathsep)
        here = os.path.dirname(os.path.abspath(__file__))
        isolated = here not in path or any(name not in given for name in needed)
    return " ".join(words) if isolated else ""
