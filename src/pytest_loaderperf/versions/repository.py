"""A git checkout: its commits, and temporary worktrees of them.

Only commands made for programs are read (``rev-parse``, ``rev-list``, ``cat-file``), whose output
no setting of the user changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from ..errors import CheckoutError
from . import git

_NO_HOOKS = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")
# Whatever the user's settings make of a diff.
_AS_A_PATCH = (
    "--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames",
    "--src-prefix=a/", "--dst-prefix=b/",
)  # fmt: skip
_STORED = "compare with stored numbers: pytest --loaderperf --loaderperf-against=stored"


@dataclass(frozen=True, kw_only=True)
class Commit:
    """What there is to show of a commit; ``day`` is that of its committer, as in 2026-11-26."""

    hash: str
    day: str
    subject: str

    @classmethod
    def parse(cls, name: str, content: bytes) -> Commit:
        """Read the object of a commit."""
        header, _, message = content.decode(errors="replace").partition("\n\n")
        stamp = re.search(r"^committer .* (\d+) ([+-])(\d\d)(\d\d)$", header, re.MULTILINE)
        day = ""
        if stamp:
            offset = timedelta(hours=int(stamp[3]), minutes=int(stamp[4]))
            with contextlib.suppress(ValueError, OverflowError, OSError):  # git takes any number
                zone = timezone(-offset if stamp[2] == "-" else offset)
                day = datetime.fromtimestamp(int(stamp[1]), zone).date().isoformat()
        return cls(hash=name, day=day, subject=message.strip().partition("\n")[0])


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A git checkout: its top folder, and the POSIX path of the project root below that.

    ``prefix`` is empty where the project root is the top folder.
    """

    toplevel: Path
    prefix: str

    @classmethod
    def find(cls, root: Path) -> Repository | None:
        """Find the checkout that a project root lies in; None where it lies in none.

        Raises CheckoutError where there is one that git cannot read, refuses, or is missing for.
        """
        place = next((each for each in (root, *root.parents) if (each / ".git").exists()), None)
        if shutil.which("git") is None:
            if place is None:
                return None
            raise CheckoutError(
                f"{place} is a git repository, and there is no program `git` on PATH to check out "
                f"the accepted commit: install git, or {_STORED}"
            )
        found = git.run(root, "rev-parse", "--show-toplevel")
        said = git.words(found)
        if "must be run in a work tree" in said:
            return None
        if "not a git repository" in said:
            if place is None:
                return None
            raise CheckoutError(
                f"{place / '.git'} exists, but git does not take it for a repository ({said}). If "
                f"it is damaged, repair it or clone anew, or {_STORED}"
            )
        if "dubious ownership" in said:
            raise CheckoutError(
                f"git refuses the repository of {root}, which belongs to another user: {said}\n"
                f"Do as git says, or {_STORED}"
            )
        if found.returncode:
            raise CheckoutError(
                f"git cannot read the repository of {root}: {said}. Repair it, or {_STORED}"
            )
        toplevel = os.fsdecode(found.stdout.removesuffix(b"\n"))
        prefix = os.path.relpath(os.path.realpath(root), os.path.realpath(toplevel))
        if prefix.split("/")[0] == "..":  # the repository tracks another folder: core.worktree
            return None
        return cls(toplevel=Path(toplevel), prefix="" if prefix == "." else prefix)

    def resolve(self, ref: str) -> str:
        """Return the full hash of the commit that a branch, tag or any other revision names.

        Raises CheckoutError if it names no commit of this clone.
        """
        if not ref.startswith("-") and "\0" not in ref:
            found = git.run(self.toplevel, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
            if found.returncode == 0:
                return found.stdout.decode().strip()
        raise CheckoutError(
            f"{ref!r} names no commit of this clone; check the name, or fetch it "
            f"(`git fetch origin {ref}`); {git.DEEPEN}"
        )

    def first_parents(self, good: str, bad: str) -> list[tuple[str, str]]:
        """The commits from a good one (not among them) to a bad one: hashes and subjects.

        Oldest first. A merge stands for all that it has brought. Raises CheckoutError where there
        are none, or the one does not lead to the other.
        """
        listing = ("log", "--first-parent", "--reverse", "--format=%H %s", "-z")
        led = git.run(self.toplevel, "merge-base", "--is-ancestor", good, bad).returncode == 0
        listed = git.names(self.toplevel, *listing, f"{good}..{bad}") if led else []
        if not listed:
            raise CheckoutError(
                f"no commits lead from {good[:12]} to {bad[:12]}: give a good one, and a bad one "
                f"that came after it; {git.DEEPEN}"
            )
        return [(line.partition(" ")[0], line.partition(" ")[2]) for line in listed]

    def name_of(self, path: Path) -> str:
        """A file as git names it.

        Raises CheckoutError if it lies outside of the checkout, or git could not be told it.
        """
        name = os.path.relpath(os.path.realpath(path), os.path.realpath(self.toplevel))
        if name.startswith("../") or "\n" in name:
            raise CheckoutError(f"{name!r} must be a file of the checkout, without a line break")
        return name

    def state(self) -> tuple[str, str]:
        """The commit that is checked out (empty before the first), and what differs from it.

        The second one stands for the contents of all files that git tracks, and is empty where
        nothing differs. Raises CheckoutError, in git's own words, if git cannot tell.
        """
        try:
            commit = self.resolve("HEAD")
        except CheckoutError:
            return "", ""
        names = git.differing(self.toplevel, commit)
        files = [each for each in names if (self.toplevel / each).is_file()]
        now = git.contents_now(self.toplevel, files)
        lines = [f"{each}\0{now.get(each, 'gone')}" for each in sorted(names)]
        digest = hashlib.sha256("\0".join(lines).encode(errors="surrogateescape")).hexdigest()
        return commit, digest[:16] if lines else ""

    def patch(self, folder: Path, *, ignored: bool = True) -> bytes:
        """What differs from the commit below a folder, new files too, for ``git apply``.

        Those that git is told to ignore are among them if ``ignored``.
        Raises CheckoutError, in git's own words, if git cannot tell.
        """
        name = self.name_of(folder)
        added = ("add", "--all", *(["--force"] if ignored else []), "--", name)
        with tempfile.TemporaryDirectory() as scratch:
            index = {"GIT_INDEX_FILE": f"{scratch}/index"}  # the user's stays as it is
            for command in (
                ("read-tree", "HEAD"),
                added,
                ("diff", *_AS_A_PATCH, "--cached", "HEAD", "--", name),
            ):
                done = git.run(self.toplevel, *command, variables=index)
                if done.returncode:
                    raise CheckoutError(f"git {command[0]} fails: {git.words(done)}")
        return done.stdout

    @property
    def is_shallow(self) -> bool:
        """Whether the clone lacks a part of its history."""
        asked = git.run(self.toplevel, "rev-parse", "--is-shallow-repository")
        return asked.stdout.strip() == b"true"

    def deepen(self, commits: int) -> None:
        """Fetch so many commits more of the history of what is checked out.

        Raises CheckoutError, in git's own words, if git cannot.
        """
        # By its hash: the merge of a pull request, say, is on no branch.
        fetch = ("fetch", "--quiet", "--no-tags", f"--deepen={commits}", "origin")
        fetched = git.run(self.toplevel, *fetch, self.resolve("HEAD"))
        if fetched.returncode:
            raise CheckoutError(f"the history cannot be fetched: {git.words(fetched)}")

    def worktree(self, commit: str, parent: Path) -> Path:
        """Check out a commit (a full hash) below a folder, and return the project root inside.

        No hook runs, large files (LFS) stay pointers, submodules stay empty. Each worktree is to
        be ended by ``remove_worktree``, also after a KeyboardInterrupt.

        Raises CheckoutError if the commit is missing or has no such project root, or git fails.
        """
        if git.run(self.toplevel, "cat-file", "-e", f"{commit}^{{commit}}").returncode:
            raise CheckoutError(f"commit {commit} is not in this clone; {git.DEEPEN}")
        top = Path(os.path.realpath(parent)) / commit[:12]
        add = ("worktree", "add", "--detach", "--force", "--", os.fspath(top), commit)
        root = top / self.prefix
        if os.path.lexists(top):  # perhaps in use: not to be cleaned up below
            raise CheckoutError(f"commit {commit[:12]} cannot be checked out: {top} exists")
        try:
            added = git.run(self.toplevel, *_NO_HOOKS, *add)
            if added.returncode:
                raise CheckoutError(
                    f"commit {commit[:12]} cannot be checked out: {git.words(added)}"
                )
            if not root.is_dir():
                raise CheckoutError(f"commit {commit[:12]} has no folder {self.prefix!r}")
        except BaseException:
            with contextlib.suppress(CheckoutError):
                self.remove_worktree(root)
            raise
        return root

    def remove_worktree(self, root: Path) -> None:
        """Remove what ``worktree`` returned, whatever was changed in it or is left of it.

        A KeyboardInterrupt in here is raised after the removal.
        Raises CheckoutError, in git's own words, if git cannot.
        """
        top = os.fspath(root)
        if self.prefix:
            top = top.removesuffix(f"/{self.prefix}")
        # Twice --force: also one that is locked, as an interrupted `worktree add` leaves it.
        remove = ("worktree", "remove", "--force", "--force", "--", top)
        removed = git.run(self.toplevel, *remove, stoppable=False)
        if "validation failed" in git.words(removed):  # ours, but its .git file is gone or damaged
            shutil.rmtree(top, ignore_errors=True)
            removed = git.run(self.toplevel, *remove, stoppable=False)
        if removed.returncode and "is not a working tree" not in git.words(removed):
            raise CheckoutError(f"{top} cannot be removed: {git.words(removed)}")
