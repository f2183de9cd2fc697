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

# What the mode of a file begins with, and what it is then.
_KINDS = {"100": "file", "120": "link"}

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


def modified(folder: Path, commit: str) -> frozenset[str]:
    """The regular files that a commit and the working tree have alike, but for their contents.

    CheckoutError, in git's own words, if git cannot tell.
    """
    options = ("--raw", "-z", "--no-ext-diff", "--no-renames", "--ignore-submodules=none")
    fields = names(folder, "diff", *options, commit)
    found = set()
    for what, name in zip(fields[::2], fields[1::2], strict=True):
        before, now, _, _, status = what.removeprefix(":").split()
        if before == now and before.startswith("100") and status == "M":
            found.add(name)
    return frozenset(found)


def listed(folder: Path) -> list[str]:
    """What a checkout has, and git tracks or would if it were added; a submodule is one name.

    CheckoutError, in git's own words, if git cannot tell.
    """
    files = names(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    there = (each for each in dict.fromkeys(files) if os.path.lexists(folder / each))
    return [each for each in there if not each.endswith("/")]  # these are repositories


def contents(folder: Path, commit: str) -> dict[str, str]:
    """What each file of a commit is: the kind, and the name that git has for its content.

    CheckoutError, in git's own words, if git cannot tell.
    """
    found = {}
    for line in names(folder, "ls-tree", "-r", "-z", "--full-tree", commit):
        what, _, name = line.partition("\t")
        mode, _, content = what.split()
        found[name] = f"{_KINDS.get(mode[:3], mode)} {content}"
    return found


def contents_now(folder: Path, files: Iterable[str]) -> dict[str, str]:
    """The same of files of the working tree, as they would be if they were committed.

    CheckoutError, in git's own words, if git cannot tell.
    """
    every = sorted(files)
    links = [each for each in every if (folder / each).is_symlink()]
    plain = [each for each in every if each not in {*links}]
    if any("\n" in each for each in plain):
        raise CheckoutError("git takes no names of files that have the end of a line in them")
    given = b"".join(os.fsencode(each) + b"\n" for each in plain)
    hashed = _hashed(folder, "--stdin-paths", given=given)  # as filters of git store them
    found = {each: f"file {name}" for each, name in zip(plain, hashed, strict=True)}
    for each in links:
        (name,) = _hashed(folder, "--stdin", given=os.fsencode((folder / each).readlink()))
        found[each] = f"link {name}"
    return found


def _hashed(folder: Path, how: str, *, given: bytes) -> list[str]:
    finished = run(folder, "hash-object", how, given=given)
    if finished.returncode:
        raise CheckoutError(f"git hash-object fails in {folder}: {words(finished)}")
    return finished.stdout.decode().split()


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
