"""Type docs/tutorial.md as it is written, and compare what comes with what it shows.

Usage: ``tutorial.py [--fresh] [FOLDER]``. Each file of the page is written, and each command is
typed into one shell, in a folder of its own. It must end with the status that the page says: 0, or
that of a comment ``<!-- status 1 -->`` before the block. Each line that the page shows must come,
with other numbers perhaps.

- ``--fresh`` is the real thing, which takes minutes: a new environment, torch from the package
  index, and the plugin from a wheel of this checkout.
- Otherwise the lines that make an environment are left out. That of this script is used.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "tutorial.md"
# The text before a block, up to the block before; its language; what is in it.
BLOCK = re.compile(r"(.*?)^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
IN_FILE = re.compile(r"In\s+`([^`]+)`:\s*\Z")
STATUS = re.compile(r"<!-- status (\d+) -->\s*\Z")
# What a busy machine may say instead, as the page tells: that is green as well.
INSTEAD = {"1 unchanged": "1 inconclusive"}
OF_THE_ENVIRONMENT = ("python3 -m venv ", ". .venv/bin/activate", "pip install ")
NUMBER = re.compile(r"\b[0-9a-f]{12}\b|\d[\d.,]*(?: (?:s|ms|µs|KiB|MiB|GiB)\b)?|\s+")
ENDED = "the command has ended with status"


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that the reader writes."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Typed:
    """Commands that the reader types, how the last one ends, and lines that they show."""

    commands: tuple[str, ...]
    status: int = 0
    shows: tuple[str, ...] = ()


Step = File | Typed


def steps(page: str) -> list[Step]:
    """What a reader of the page does."""
    found = list[Step]()
    for before, language, text in BLOCK.findall(page):
        if name := IN_FILE.search(before):
            found.append(File(name=name[1], text=text))
        elif language == "shell":
            status = STATUS.search(before)
            found.append(
                Typed(commands=tuple(text.splitlines()), status=int(status[1]) if status else 0)
            )
        elif found and isinstance(last := found[-1], Typed) and language == "text":
            shows = (*last.shows, *filter(None, map(str.strip, text.splitlines())))
            found[-1] = Typed(commands=last.commands, status=last.status, shows=shows)
        else:
            raise ValueError(f"a block that is no file, no command, and shows nothing: {text!r}")
    return found


def like(line: str) -> re.Pattern[str]:
    """Matches a line that is shown, with other numbers, units, commits and widths of columns."""
    pattern, end = "", 0
    for found in NUMBER.finditer(line):
        pattern += re.escape(line[end : found.start()])
        pattern += r"\s+" if found[0].isspace() else r"[\w.,]+(?: [kmµKMGi]*[sB]\b)?"
        end = found.end()
    return re.compile(pattern + re.escape(line[end:]))


class Shell:
    """A shell that is typed into, line by line."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> tuple[int, str]:
        """Type a command; returns its status and its output."""
        assert self._process.stdin
        assert self._process.stdout
        # What the command reads is not what is typed next.
        self._process.stdin.write(f'{{ {command}\n}} </dev/null; echo "\n{ENDED} $?"\n')
        self._process.stdin.flush()
        output = list[str]()
        for line in self._process.stdout:
            if line.startswith(ENDED):
                return int(line.removeprefix(ENDED)), "".join(output)
            output.append(line)
        raise RuntimeError(f"the shell has ended: {command}\n{''.join(output)}")

    def folder(self) -> Path:
        """Where the reader is now."""
        return Path(self.run("pwd")[1].strip())

    def close(self) -> None:
        """Leave it."""
        self._process.communicate(timeout=60)


def variables(home: Path, *, fresh: bool) -> dict[str, str]:
    """The environment of a reader who has git set up, and an account of a service."""
    given = dict(os.environ)
    origin = home / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", origin], check=True)
    given.update(
        {
            "GIT_AUTHOR_NAME": "A reader",
            "GIT_AUTHOR_EMAIL": "reader@example.org",
            "GIT_COMMITTER_NAME": "A reader",
            "GIT_COMMITTER_EMAIL": "reader@example.org",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{origin.as_uri()}.insteadOf",
            "GIT_CONFIG_VALUE_0": "https://github.com/OWNER/flowers.git",
        }
    )
    if not fresh:
        given["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{given['PATH']}"
        return given
    for name in ("PYTHONPATH", "VIRTUAL_ENV", "PYTEST_ADDOPTS"):
        given.pop(name, None)
    wheels = home / "wheels"
    make = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), str(ROOT)]
    subprocess.run(make, check=True)
    (wheel,) = wheels.glob("*.whl")
    constraints = home / "constraints.txt"
    constraints.write_text(f"pytest-loaderperf @ {wheel.as_uri()}\n", encoding="utf-8")
    return {**given, "PIP_CONSTRAINT": str(constraints)}


def commands(step: Typed, *, fresh: bool) -> Iterator[str]:
    """Those of a step that are typed."""
    return (each for each in step.commands if fresh or not each.startswith(OF_THE_ENVIRONMENT))


def typed(step: Typed, shell: Shell, *, fresh: bool) -> str:
    """Type the commands of a step; returns what they print."""
    everything, lines = "", list(commands(step, fresh=fresh))
    for number, command in enumerate(lines, start=1):
        started = time.monotonic()
        status, output = shell.run(command)
        everything += output
        print(f"$ {command}\n{output.rstrip()}")
        print(f"[status {status}, {time.monotonic() - started:.1f} s]", flush=True)
        expected = step.status if number == len(lines) else 0
        assert status == expected, f"{command}: status {status}, not {expected}\n{output}"
    return everything


def compare(step: Typed, output: str, *, fresh: bool) -> None:
    """Look for each line that a step shows in what its commands have printed."""
    for line in step.shows:
        instead = INSTEAD.get(line) if fresh else None
        if like(line).search(output):
            continue
        assert instead, f"{step.commands}: no {line!r} in\n{output}"
        assert like(instead).search(output), f"{step.commands}: no {line!r} in\n{output}"
        print(f"[{instead!r}, and not {line!r}: the machine is busy]", flush=True)


def follow(page: str, home: Path, *, fresh: bool) -> None:
    """Do all that the page says; AssertionError tells what was otherwise."""
    shell = Shell(home, variables(home, fresh=fresh))
    try:
        for step in steps(page):
            if isinstance(step, File):
                path = shell.folder() / step.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(step.text, encoding="utf-8")
            else:
                compare(step, typed(step, shell, fresh=fresh), fresh=fresh)
    finally:
        shell.close()


def main(arguments: Sequence[str]) -> int:
    """Follow the tutorial, and say how long it took."""
    fresh = "--fresh" in arguments
    folders = [each for each in arguments if each != "--fresh"]
    if len(folders) > 1 or any(each.startswith("-") for each in folders):
        sys.exit(f"usage: {Path(__file__).name} [--fresh] [FOLDER]")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tutorial-") as temporary:
        home = Path(folders[0] if folders else temporary).resolve()
        home.mkdir(parents=True, exist_ok=True)
        try:
            follow(PAGE.read_text(encoding="utf-8"), home, fresh=fresh)
        except (AssertionError, ValueError, RuntimeError) as error:
            print(f"{PAGE}: {error}", file=sys.stderr)
            return 1
    print(f"all as the tutorial says, in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
