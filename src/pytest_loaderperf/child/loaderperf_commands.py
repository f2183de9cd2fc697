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


def name_of_program(program: Any, arguments: Any) -> str:
    """What the file of a program is called that is started with these arguments."""
    return os.path.basename(os.fsdecode(program or _words(arguments)[0]))


def _words(arguments: Any) -> list[str]:
    """The words of a command; a text stands for one, and so does a path."""
    alone = isinstance(arguments, (str, bytes, os.PathLike))
    return [os.fsdecode(each) for each in ([arguments] if alone else arguments)]


def unseen(program: Any, arguments: Any, environment: Any, needed: Sequence[str]) -> str:
    """The command of a Python that will not show what it runs; empty for any other command.

    It must inherit the variables that are ``needed``, and the folder of this file in PYTHONPATH.
    """
    words = _words(arguments)
    if not name_of_program(program, arguments).startswith(("python", "pypy")):
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
