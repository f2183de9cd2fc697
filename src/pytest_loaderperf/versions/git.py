"""Git as a program: run to its end, or asked for one object after the other.

Only commands made for programs are to be run (``rev-parse``, ``rev-list``, ``cat-file``), whose
output no setting of the user changes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, cast

from ..errors import CheckoutError

# A git hook runs with these set, and they would lead every command here to the hook's repository,
# index and folder (`git rev-parse --local-env-vars`, less those that carry configuration). The
# last three contradict GIT_LITERAL_PATHSPECS.
_REMOVED = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
    "GIT_GLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
}
_ADDED = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LFS_SKIP_SMUDGE": "1",
}
# What to say where a commit is missing.
DEEPEN = "if the clone is shallow, run `git fetch --unshallow`; in CI set `fetch-depth: 0`"

Read = Callable[[str], bytes | None]  # the content of an object, None if there is none


def run(
    folder: Path,
    *arguments: str,
    stoppable: bool = True,
    given: bytes = b"",
    variables: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.CompletedProcess[bytes]:
    """Run git to its end, in a session of its own: a Ctrl-C reaches only the tests.

    ``given`` is what it reads, and ``variables`` are added to its environment.
    """
    with subprocess.Popen(
        _command(folder, arguments),
        env={**_environment(), **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(given)
        except BaseException:
            if stoppable:  # with what it has started: a checkout would go on writing
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


@contextlib.contextmanager
def objects(folder: Path) -> Iterator[Read]:
    """Start one git for any number of objects; yields a function that reads one by its name."""
    with (
        tempfile.TemporaryFile() as errors,  # not a pipe, which could be full while unread
        running(folder, "cat-file", "--batch", stderr=errors) as process,
    ):
        requests, answers = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)

        def read(name: str) -> bytes | None:
            with contextlib.suppress(BrokenPipeError):  # there will be no answer then
                os.write(requests.fileno(), os.fsencode(name) + b"\n")
            answer = answers.readline()
            if not answer:
                errors.seek(0)
                said = errors.read().decode(errors="replace").strip()
                raise CheckoutError(f"git cannot read {name}: {said}; {DEEPEN}")
            size = answer.split()[-1]  # of "<hash> <type> <size>"; otherwise "<name> missing"
            return answers.read(int(size) + 1)[:-1] if size.isdigit() else None

        yield read


@contextlib.contextmanager
def running(
    folder: Path, *arguments: str, stderr: IO[bytes] | int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a git to talk with, and end it on leaving, finished or not."""
    with subprocess.Popen(
        _command(folder, arguments),
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _command(folder: Path, arguments: tuple[str, ...]) -> list[str]:
    return ["git", "-C", os.fspath(folder), *arguments]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _REMOVED}
    return kept | _ADDED


def names(folder: Path, *arguments: str, given: Iterable[str] = ()) -> list[str]:
    """What git answers as a list of names; each of those that are given to it ends likewise.

    Raises CheckoutError, in git's own words, if git cannot tell.
    """
    text = b"".join(os.fsencode(each) + b"\0" for each in given)
    finished = run(folder, *arguments, given=text)
    if finished.returncode:
        raise CheckoutError(f"git {arguments[0]} fails in {folder}: {words(finished)}")
    return [os.fsdecode(name) for name in finished.stdout.split(b"\0")[:-1]]


def differing(folder: Path, *against: str) -> list[str]:
    """The files in which a checkout differs from a commit, with options of ``git diff`` before it.

    What was renamed counts twice. CheckoutError, in git's own words, if git cannot tell.
    """
    return names(folder, "diff", "--name-only", "-z", "--no-ext-diff", "--no-renames", *against)


def all_ignored(folder: Path) -> list[str]:
    """All that git ignores; a folder that it ignores as a whole is one name, with a slash.

    CheckoutError, in git's own words, if git cannot tell.
    """
    listed = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
    return names(folder, *listed)


def ignored(folder: Path, files: Iterable[str]) -> list[str]:
    """Those of some files, relative to a folder of a checkout, that git ignores."""
    # It takes no name to the letter: one may begin like a pattern.
    given = b"".join(os.fsencode(f"./{each}") + b"\0" for each in files)
    literal = {"GIT_LITERAL_PATHSPECS": "0"}
    found = run(folder, "check-ignore", "--stdin", "-z", given=given, variables=literal)
    if found.returncode not in (0, 1):  # 1: none
        raise CheckoutError(f"git check-ignore fails in {folder}: {words(found)}")
    return [os.fsdecode(name).removeprefix("./") for name in found.stdout.split(b"\0")[:-1]]


def words(finished: subprocess.CompletedProcess[bytes]) -> str:
    """What git says of why it failed."""
    return finished.stderr.decode(errors="replace").strip()
