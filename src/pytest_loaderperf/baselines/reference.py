"""What a check is compared with: a commit to measure beside it, stored numbers, or nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..environments import requirements
from ..environments.contents import Environment
from ..environments.making import Environments
from ..errors import CheckoutError, PackagesError, SettingsError
from ..model.version import Version
from ..settings import RunSettings
from ..system.machine import machine_class
from ..versions import git
from ..versions.builds import Builds
from ..versions.repository import Repository
from ..versions.sources import Changes
from ..versions.worktree import Worktree, is_never_carried, is_same, tests_among
from . import store
from .history import accepted_commit
from .store import Entry, Record

_NAMED = 5  # at most, of what git ignores


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """How the run's pytest is configured, as far as an old commit may lack it."""

    ini_file: Path | None = None
    plugins: tuple[Path, ...] = ()  # modules of the project that -p names


class References:
    """Finds the reference of each check; keeps one worktree for each commit, in ``folder``."""

    def __init__(
        self,
        root: Path,
        settings: RunSettings,
        folder: Path,
        configuration: Configuration,
        environments: Environments | None = None,
    ) -> None:
        self.root = root
        self._folder = folder
        self._settings = settings
        self._configuration = configuration
        self._stores: dict[str, store.Entries] = {}
        self._versions: dict[tuple[str, bool], Version] = {}  # by commit, and whether overlaid
        # By the top folder of a worktree.
        self._carried: dict[str, list[str]] = {}
        self._overlaid: dict[str, set[str]] = {}
        self._built: dict[str, set[str]] = {}
        self._builds = Builds(command=settings.build, place=root / ".loaderperf" / "builds")
        self._accepted: dict[tuple[str, str], str | None] = {}
        stored = settings.against == "stored" and not settings.bisect
        alone = bool(settings.selftest or settings.sweep or stored)
        self.repository = None if alone else Repository.find(root)
        if settings.against and not alone and self.repository is None:
            raise CheckoutError(
                f"--loaderperf-against={settings.against} needs git, and {root} is not in a git "
                "repository: pytest --loaderperf --loaderperf-against=stored"
            )
        if settings.bisect and self.repository is None:
            raise CheckoutError(
                f"--loaderperf-bisect needs git, and {root} is in no repository: run it in a clone "
                "of the project that has its history (git clone URL)"
            )
        self._python = interpreter(settings.baseline_python)
        self.environments = environments or Environments(root, self._python)
        self._environment: dict[str, Environment] = {}  # by the top folder of a worktree
        self._asked_packages: requirements.Requirements | None = None
        asked = settings.baseline_requirements
        if asked and self.repository is None:
            raise SettingsError(
                f"--loaderperf-baseline-requirements={asked} needs a commit to measure beside the "
                "working tree: use it in a git repository, and not with stored numbers"
            )
        if settings.blame and not asked:
            raise SettingsError(
                "--loaderperf-blame needs the packages of the baseline: pytest --loaderperf "
                "--loaderperf-blame --loaderperf-baseline-requirements=FILE"
            )
        if asked and not _of_commit(asked):
            self._asked_packages = self.environments.read(Path(asked).absolute(), asked)
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
        if self._settings.bisect:
            return self._settings.bisect[0]
        return self._settings.against or ("accepted" if self.repository else "stored")

    @property
    def commits(self) -> list[str]:
        """The commits that have been checked out so far."""
        return list(dict.fromkeys(commit for commit, _ in self._versions))

    @property
    def prefix(self) -> str:
        """The project's root folder below the top folder of the repository; POSIX, or empty."""
        return self.repository.prefix if self.repository else ""

    def entries(self, module: str) -> store.Entries:
        """What the store holds for a module; StoreError if its file is damaged."""
        if module not in self._stores:
            self._stores[module] = store.load(store.store_path(self.root, module))
        return self._stores[module]

    def find(
        self, module: str, key: str, progress: Callable[[str], None] = lambda _: None
    ) -> Reference:
        """The reference of a check; StoreError or CheckoutError where it cannot be had.

        ``progress`` hears what takes long.
        """
        if self._settings.selftest:
            return Reference(
                version=Version(root=self.root, label="the working tree again"), entry=None
            )
        entry = self.entries(module).get(key)
        if self.repository is None:
            asked = self._settings.against == "stored"
            note = "" if asked else "not in a git repository: compared with stored numbers"
            return Reference(version=None, entry=entry, note=note)
        commit = self.commit(module, key)
        if commit is not None:
            overlaid = self._settings.tests == "mine" or bool(self._settings.bisect)
            version = self._version(commit, progress, overlaid=overlaid)
            return Reference(version=version, entry=entry)
        note = "the baseline is not committed: compared with stored numbers" if entry else ""
        return Reference(version=None, entry=entry, note=note)

    def commit(self, module: str, key: str) -> str | None:
        """The commit to compare a check with, where there is one; StoreError or CheckoutError."""
        if self.repository is None or self._settings.selftest:
            return None
        if self._asked:
            return self._asked
        if key not in self.entries(module):
            return None
        if (module, key) not in self._accepted:
            path = store.store_path(self.root, module)
            self._accepted[module, key] = accepted_commit(self.repository, path, key)
        return self._accepted[module, key]

    @property
    def shared(self) -> list[str]:
        """What the user has said to be the same for all versions, relative to the top folder."""
        assert self.repository is not None
        top = os.path.realpath(self.repository.toplevel)
        return [os.path.relpath(self.root / name, top) for name in self._settings.share]

    def carry(self, version: Version, files: Iterable[str]) -> bool:
        """Carry over what git ignores of the files that the working tree has used.

        ``files`` are relative to the top folder. Says whether there was anything.
        """
        carried = self._worktree(version).carry_ignored(files)
        self._carried[version.moved_to] += carried
        return bool(carried)

    def overlaid(self, commit: str, progress: Callable[[str], None]) -> Version:
        """A commit in a worktree of its own, for the tests of the working tree."""
        return self._version(commit, progress, overlaid=True)

    def release(self, version: Version) -> None:
        """Remove the worktree of a version that nobody measures any more."""
        assert self.repository is not None
        if self._versions.pop((version.commit, version.overlaid), None) is not None:
            with contextlib.suppress(CheckoutError):  # as when all are removed
                self.repository.remove_worktree(version.root)

    def searched(self) -> tuple[str, list[tuple[str, str]]]:
        """The good commit of a search, and all up to the bad one, oldest first.

        Hashes and subjects; CheckoutError if the one does not lead to the other.
        """
        assert self.repository is not None
        assert self._settings.bisect is not None
        good, bad = map(self.repository.resolve, self._settings.bisect)
        return good, self.repository.first_parents(good, bad)

    def overlay(self, version: Version, module: str, files: Iterable[str]) -> bool:
        """Lay the tests of a module over those of a commit, as far as they are among ``files``.

        These are relative to the top folder. Says whether there was anything to lay over.
        """
        module = f"{self.prefix}/{module}" if self.prefix else module
        tests = {module, *tests_among(files, module)}
        worktree = self._worktree(version)
        self._overlaid[version.moved_to] |= {
            each for each in tests if (worktree.checkout / each).is_file()
        }
        return bool(worktree.overlay(tests))

    def changes(self, version: Version, candidate: Version) -> Changes:
        """In what a commit, its worktree and the candidate differ.

        CheckoutError, in git's own words, if git cannot tell.
        """
        commits = filter(None, (version.commit, candidate.commit))
        return Changes(
            since=git.differing(Path(version.toplevel), *commits),
            in_worktree=self._changed(version),
            in_candidate=self._changed(candidate) if candidate.moved_to else (),
            built=self._built[version.moved_to],
            shared=self.shared,
        )

    def _changed(self, version: Version) -> set[str]:
        """In what a worktree is not as its commit, but for the tests that were laid over."""
        mine = {
            name
            for name in self._overlaid[version.moved_to]
            if is_same(Path(version.toplevel, name), Path(version.moved_to, name))
        }
        return {*git.differing(Path(version.moved_to), "HEAD")} - mine

    def notes(self, version: Version) -> list[str]:
        """What the report has to say of a commit's worktree."""
        carried, tests = self._carried[version.moved_to], sorted(self._overlaid[version.moved_to])
        notes = []
        if version.overlaid:
            notes.append(f"{version.name} was measured with tests of today: {', '.join(tests)}")
        if carried:
            names = ", ".join(carried)
            notes.append(f"carried over from the working tree to {version.name}: {names}")
        if environment := self.environment(version):
            notes += [environment.told, *environment.notes]
        return notes

    def environment(self, version: Version) -> Environment | None:
        """The one that was made for a commit, if that has packages of its own."""
        return self._environment.get(version.moved_to)

    def hint(self, version: Version) -> str:
        """What may be missing where a commit cannot be measured."""
        top = self._worktree(version).top
        ignored = [name for name in self._ignored() if not os.path.lexists(top / name)]
        environment = self.environment(version)
        told = f"\nIt has the packages of {environment.label}" if environment else ""
        if not ignored:
            return told
        return (
            f"{told}\ngit ignores {', '.join(ignored)}, which the worktree of the commit does not "
            "have: name what its tests need in loaderperf_share"
        )

    def _ignored(self) -> list[str]:
        assert self.repository is not None
        names = map(Path, git.all_ignored(self.repository.toplevel))
        return [str(each) for each in names if not any(map(is_never_carried, each.parts))][:_NAMED]

    def _worktree(self, version: Version) -> Worktree:
        return Worktree(
            checkout=Path(version.toplevel), top=Path(version.moved_to), commit=version.commit
        )

    def close(self) -> None:
        """Remove all worktrees."""
        while self._versions:
            _, version = self._versions.popitem()
            assert self.repository is not None
            # If git cannot, its folder goes all the same, with the other temporary files.
            with contextlib.suppress(CheckoutError):
                self.repository.remove_worktree(version.root)

    def _version(self, commit: str, progress: Callable[[str], None], *, overlaid: bool) -> Version:
        assert self.repository is not None
        key = commit, overlaid
        if key not in self._versions:
            folder = self._folder / "overlaid" if overlaid else self._folder
            root = self.repository.worktree(commit, folder)
            prefix = self.repository.prefix
            version = Version(
                root=root,
                python=self._python,
                commit=commit,
                toplevel=os.path.realpath(self.repository.toplevel),
                moved_to=str(root.parents[len(Path(prefix).parts) - 1] if prefix else root),
                overlaid=overlaid,
            )
            try:
                self._versions[key] = self._filled(version, progress)
            except BaseException:
                with contextlib.suppress(CheckoutError):
                    self.repository.remove_worktree(root)
                raise
        return self._versions[key]

    def _filled(self, version: Version, progress: Callable[[str], None]) -> Version:
        """Give a worktree all that is not in its commit; returns the version with that."""
        worktree = self._worktree(version)
        if self._settings.baseline_requirements:
            asked = self._asked_packages or self._packages_of(version)
            made = self._environment[version.moved_to] = self.environments.of(asked, progress)
            version = replace(version, python=made.python)
        worktree.share(self.root, self._settings.share)
        worktree.fill_submodules()
        worktree.fill_pointers(self.shared)
        self._built[version.moved_to] = (
            self._builds.build(worktree, version.root, version.python, progress)
            if self._settings.build
            else set()
        )
        carried = self._carried[version.moved_to] = []
        self._overlaid[version.moved_to] = set()
        for plugin in self._configuration.plugins:
            carried += worktree.carry_module(os.path.relpath(plugin, worktree.checkout))
        ini_file = self._configuration.ini_file
        if ini_file is None or not ini_file.is_relative_to(worktree.checkout):
            return version
        ini, copied = worktree.carry_ini(ini_file)
        carried += copied
        return replace(version, ini_file=ini)

    def _packages_of(self, version: Version) -> requirements.Requirements:
        """What the requirements of a commit ask for; PackagesError if it has none."""
        top, name = Path(version.moved_to), self._settings.baseline_requirements.partition(":")[2]
        folders = list(dict.fromkeys((version.root, top)))
        names = (name,) if name else requirements.USUAL
        found = requirements.find(folders, names)
        if found is None:
            raise PackagesError(
                f"{version.name} has no {' or '.join(names)} in {self.prefix or 'its top folder'}: "
                "name the file that it has by --loaderperf-baseline-requirements=accepted:PATH"
            )
        label = f"{os.path.relpath(found, top)} of {version.name}"
        return self.environments.read(found, label, version.root, top)


def _of_commit(asked: str) -> bool:
    return asked.partition(":")[0] == "accepted"


def interpreter(asked: str) -> str:
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
