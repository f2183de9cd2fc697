"""What was accepted over time: the commits that changed baselines, as git has kept them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from ..errors import CheckoutError, StoreError
from ..versions import git
from ..versions.repository import Commit, Repository
from .store import Entries, Entry, Record, load, parse, store_path


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """What a commit accepted for a check on one class of machine."""

    commit: Commit
    record: Record


History = dict[str, list[Accepted]]  # of one check: by machine class, oldest first


class Histories:
    """Reads the histories of a project's checks, each file of the store once.

    CheckoutError, from whatever reads, if git cannot tell.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._repository = Repository.find(root)
        self._versions: dict[str, list[tuple[Commit, Entries]]] = {}

    def of(self, nodeid: str) -> History:
        """The history of a check; empty outside git."""
        module, _, check = nodeid.partition("::")
        if self._repository is None:
            return {}
        if module not in self._versions:
            self._versions[module] = accepted(self._repository, store_path(self._root, module))
        return history(self._versions[module], check)


def history(versions: Sequence[tuple[Commit, Entries]], check: str) -> History:
    """The history of a check, given all versions of its file, oldest first.

    Only commits that changed its record are in it; one that removed it leaves no trace.
    """
    found: History = {}
    for commit, entries in versions:
        entry = entries.get(check)
        for machine, record in entry.records.items() if entry else ():
            known = found.setdefault(machine, [])
            if not known or known[-1].record != record:
                known.append(Accepted(commit=commit, record=record))
    return found


def accepted(repository: Repository, path: Path) -> list[tuple[Commit, Entries]]:
    """What the commits that changed a file of the store accepted, oldest first.

    The merge of a branch stands for its commits. What a shallow clone lacks is left out, and
    so are commits in which the file is damaged or has gone.

    Raises CheckoutError, in git's own words, if git cannot tell.
    """
    name = repository.name_of(path)
    walk = git.run(
        repository.toplevel, "rev-list", "--first-parent", "--reverse", "HEAD", "--", name
    )
    if walk.returncode:
        raise CheckoutError(f"the history of {name} cannot be read: {git.words(walk)}")
    found = []
    with git.objects(repository.toplevel) as read:
        for commit in walk.stdout.decode().split():
            content = read(f"{commit}:{name}")
            with contextlib.suppress(StoreError):
                if content is not None:
                    entries = parse(content, commit)
                    found.append((Commit.parse(commit, read(commit) or b""), entries))
    return found


def accepted_commit(repository: Repository, path: Path, key: str) -> str | None:
    """Find the commit that last gave a check its present entry in a file of the store.

    That is the newest one that has the entry while none of its parents has; other entries and
    the formatting do not count. None if the entry is not committed as it stands.

    Raises CheckoutError if the clone is too shallow to tell, and StoreError if the file as it
    stands is damaged.
    """
    current = load(path).get(key)
    if current is None:
        return None
    name = repository.name_of(path)
    with git.objects(repository.toplevel) as read:
        history = _Past(read=read, path=name, key=key)
        if history.entry("HEAD") != current:
            return None
        # Without --full-history, git would follow only one side of a merge. The walk is read
        # while it goes on, and ended early: in a large repository all of it takes seconds.
        walk = ("rev-list", "--full-history", "HEAD", "--", name)
        with git.running(repository.toplevel, *walk) as process:
            for line in cast(IO[bytes], process.stdout):
                commit = line.decode().strip()
                if history.entry(commit) != current:
                    continue
                parents = history.parents(commit)
                if all(history.entry(parent) != current for parent in parents):
                    if all(map(history.has, parents)):
                        return commit
                    break  # the clone ends here, and the entry may be older
    raise CheckoutError(f"the commit that accepted {key!r} is not in this clone; {git.DEEPEN}")


@dataclass(frozen=True, kw_only=True)
class _Past:
    """The versions of one entry, by commit."""

    read: git.Read
    path: str
    key: str

    def entry(self, commit: str) -> Entry | None:
        """Return the entry in a commit; None without one, or if the file there is damaged."""
        content = self.read(f"{commit}:{self.path}")
        try:
            return parse(content or b"", commit).get(self.key)
        except StoreError:
            return None

    def parents(self, commit: str) -> list[str]:
        """Return the parents that a commit names, whether or not a shallow clone has them."""
        header = (self.read(commit) or b"").partition(b"\n\n")[0]
        lines = header.decode(errors="replace").split("\n")
        return [line.removeprefix("parent ") for line in lines if line.startswith("parent ")]

    def has(self, commit: str) -> bool:
        """Return whether the clone has a commit."""
        return self.read(commit) is not None
