"""A project as bytes: its history as a git bundle, and what differs from its last commit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import CheckoutError
from ..versions import git, worktree
from ..versions.repository import Repository

_NAMED = 3  # files at most
_KINDS = {40: "sha1", 64: "sha256"}  # of repositories, by the lengths of their hashes
_NO_HOOKS = ("-c", "core.hooksPath=/dev/null")


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A checkout to be unpacked elsewhere.

    ``history`` has all branches and tags, so that any baseline is found there. ``changes`` is a
    patch: what differs from ``commit`` in the working tree, new files too. What git ignores is in
    neither of them. ``prefix`` is the folder below the top in which pytest is to be started.
    """

    history: bytes
    changes: bytes
    commit: str
    prefix: str

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.history) + len(self.changes)


def pack(folder: Path) -> Bundle:
    """The checkout that a folder lies in. CheckoutError where there is none that can be sent."""
    repository = Repository.find(folder)
    if repository is None:
        raise CheckoutError(
            f"{folder} is in no git repository, and only what git tracks can be sent: run `git "
            "init`, and commit the project"
        )
    if repository.is_shallow:
        raise CheckoutError(
            f"{repository.toplevel} is a shallow clone, which cannot be sent: run `git fetch "
            "--unshallow` first; in CI set `fetch-depth: 0`"
        )
    top = repository.toplevel
    try:
        commit = repository.resolve("HEAD")
    except CheckoutError:
        raise CheckoutError(f"{top} has no commit yet: run `git add .` and `git commit`") from None
    modules = [path for path, what in git.contents(top, commit).items() if what[:3] == "160"]
    if modules:
        raise CheckoutError(
            f"{top} has submodules ({', '.join(modules)}), which are not sent: run shards on "
            "machines that have checked them out (--loaderperf-shard)"
        )
    if not git.listed(top / repository.prefix):
        raise CheckoutError(
            f"{folder} has nothing that git does not ignore: start in another folder"
        )
    kept = (top / name for name in worktree.large_files(top))
    large = [str(each) for each in kept if each.is_file() and worktree.pointer(each) is None]
    if large:
        raise CheckoutError(
            f"{top} has large files (LFS), which are not sent ({', '.join(large[:_NAMED])}): tests "
            "would find pointers in their place. Run shards on machines that have pulled them "
            "(--loaderperf-shard)"
        )
    return Bundle(
        history=_done(top, "bundle", "create", "--quiet", "-", "--all", "HEAD"),
        changes=repository.patch(top, ignored=False),
        commit=commit,
        prefix=repository.prefix,
    )


def unpack(bundle: Bundle, folder: Path) -> Path:
    """Check out what was sent below an empty folder; returns where pytest is to be started.

    CheckoutError, in git's own words, if git cannot.
    """
    top = folder / "project"
    top.mkdir()
    history, changes = folder / "history.bundle", folder / "changes.patch"
    history.write_bytes(bundle.history)
    # Hooks may be those of the whole machine.
    _done(top, *_NO_HOOKS, "init", "--quiet", f"--object-format={_KINDS[len(bundle.commit)]}")
    fetch = ("fetch", "--quiet", "--update-head-ok")
    # HEAD by itself: a commit that is checked out need not be on a branch.
    _done(top, *_NO_HOOKS, *fetch, str(history), "+refs/*:refs/*", "HEAD")
    _done(top, *_NO_HOOKS, "checkout", "--quiet", "--detach", bundle.commit)
    if bundle.changes:
        changes.write_bytes(bundle.changes)
        _done(top, "apply", "--whitespace=nowarn", str(changes))
    history.unlink()
    return top / bundle.prefix


def _done(folder: Path, *arguments: str) -> bytes:
    finished = git.run(folder, *arguments)
    if finished.returncode:
        named = next(each for each in arguments if each[:1] != "-" and "=" not in each)
        raise CheckoutError(f"git {named} fails in {folder}: {git.words(finished)}")
    return finished.stdout
