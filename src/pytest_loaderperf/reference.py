"""What a check is compared with: a commit to measure beside it, stored numbers, or nothing."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import baselines
from .baselines import Entry, Record
from .checkout import Repository
from .errors import CheckoutError, SettingsError
from .launch import Version
from .machine import machine_class
from .settings import RunSettings


@dataclass(frozen=True)
class Reference:
    """The baseline of one check.

    ``version`` is the commit to measure side by side, None for a stored comparison; ``entry`` is
    what the store holds, None where the check is new; ``note`` says why it is not the default.
    """

    version: Version | None
    entry: Entry | None
    note: str = ""

    def record(self, packages: Mapping[str, str]) -> Record | None:
        """The stored numbers of this machine class, if there are any."""
        return self.entry.records.get(machine_class(packages)) if self.entry else None


class References:
    """Finds the reference of each check; keeps one worktree for each commit, in ``folder``."""

    def __init__(self, root: Path, settings: RunSettings, folder: Path) -> None:
        self._root = root
        self._folder = folder
        self._settings = settings
        self._stores: dict[str, baselines.Entries] = {}
        self._worktrees: dict[str, Path] = {}
        alone = bool(settings.selftest or settings.sweep or settings.against == "stored")
        self.repository = None if alone else Repository.find(root)
        if settings.against and not alone and self.repository is None:
            raise CheckoutError(
                f"--loaderperf-against={settings.against} needs git, and {root} is not in a git "
                "repository; use --loaderperf-against=stored"
            )
        self._python = _interpreter(settings.baseline_python)
        self._asked = ""  # the commit that was asked for
        if self.repository is not None and self.mode != "accepted":
            self._asked = self.repository.resolve(self.mode)

    @property
    def mode(self) -> str:
        """What a run compares with: accepted, stored, itself, nothing, or a commit."""
        if self._settings.selftest:
            return "itself"
        if self._settings.sweep:
            return "nothing"
        return self._settings.against or ("accepted" if self.repository else "stored")

    @property
    def commits(self) -> list[str]:
        """The commits that have been checked out so far."""
        return list(self._worktrees)

    def entries(self, module: str) -> baselines.Entries:
        """What the store holds for a module; StoreError if its file is damaged."""
        if module not in self._stores:
            self._stores[module] = baselines.load(baselines.store_path(self._root, module))
        return self._stores[module]

    def find(self, module: str, key: str) -> Reference:
        """The reference of a check; StoreError or CheckoutError where it cannot be had."""
        if self._settings.selftest:
            return Reference(Version(self._root, label="the working tree again"), None)
        entry = self.entries(module).get(key)
        if self.repository is None:
            asked = self._settings.against == "stored"
            note = "" if asked else "not in a git repository: compared with stored numbers"
            return Reference(None, entry, note)
        if self._asked:
            return Reference(self._version(self._asked), entry)
        if entry is None:
            return Reference(None, None)
        accepted = self.repository.accepted_commit(baselines.store_path(self._root, module), key)
        if accepted is None:
            return Reference(
                None, entry, "the baseline is not committed: compared with stored numbers"
            )
        return Reference(self._version(accepted), entry)

    def close(self) -> None:
        """Remove all worktrees."""
        while self._worktrees:
            _, path = self._worktrees.popitem()
            assert self.repository is not None
            # If git cannot, its folder goes all the same, with the other temporary files.
            with contextlib.suppress(CheckoutError):
                self.repository.remove_worktree(path)

    def _version(self, commit: str) -> Version:
        assert self.repository is not None
        if commit not in self._worktrees:
            self._worktrees[commit] = self.repository.worktree(commit, self._folder)
            self._share(self._worktrees[commit])
        root = self._worktrees[commit]
        prefix = self.repository.prefix
        return Version(
            root=root,
            python=self._python,
            commit=commit,
            toplevel=str(self.repository.toplevel),
            moved_to=str(root.parents[len(Path(prefix).parts) - 1] if prefix else root),
        )

    def _share(self, worktree: Path) -> None:
        """Link folders that git ignores but tests need."""
        for name in self._settings.share:
            source, target = self._root / name, worktree / name
            if not source.exists():
                raise CheckoutError(f"loaderperf_share names {name}, which does not exist")
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(FileExistsError):
                    target.symlink_to(source, target_is_directory=source.is_dir())


def _interpreter(asked: str) -> str:
    """The interpreter of baseline arms: this one, unless another is asked for."""
    if not asked:
        return sys.executable
    found = shutil.which(asked)
    if found is None:
        raise SettingsError(
            f"--loaderperf-baseline-python={asked}: there is no such program; give the path of a "
            "Python interpreter that has the plugin and all that the baseline needs"
        )
    return str(Path(found).absolute())
