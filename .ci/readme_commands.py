"""Print a command of the README, so that what CI runs is what a reader is told to run.

Usage: ``readme_commands.py README.md install|tests|gate``
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ENDINGS = {
    "tests": ".venv/bin/pytest -n 3 --dist loadfile",
    "gate": ".venv/bin/pytest --loaderperf",
}
BLOCK = re.compile(r"^```shell\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)


def commands(readme: str) -> dict[str, str]:
    """Return the command of the tests, that of the gate, and what installs before both of them.

    Raises ValueError unless each is found exactly once, alone in a block, and they install alike.
    """
    blocks = [block.strip() for block in BLOCK.findall(readme)]
    installs, found = set(), {}
    for name, ending in ENDINGS.items():
        fitting = [block for block in blocks if block.endswith(ending)]
        if len(fitting) != 1:
            raise ValueError(f"{len(fitting)} shell blocks end in {ending!r}, not exactly one")
        install, _, found[name] = fitting[0].rpartition(" && ")
        if found[name] != ending or not install or "\n" in install:
            raise ValueError(f"not one line of the form '... && {ending}': {fitting[0]!r}")
        installs.add(install)
    if len(installs) != 1:
        raise ValueError(f"the commands install differently: {' | '.join(sorted(installs))}")
    return {"install": installs.pop(), **found}


def main(arguments: list[str]) -> None:
    """Print the command, or end with what is wrong."""
    match arguments:
        case [readme, ("install" | "tests" | "gate") as name]:
            try:
                print(commands(Path(readme).read_text(encoding="utf-8"))[name])
            except (OSError, ValueError) as error:
                sys.exit(f"{readme}: {error}")
        case _:
            sys.exit(f"usage: {Path(__file__).name} README.md install|tests|gate")


if __name__ == "__main__":
    main(sys.argv[1:])
