"""What a worktree needs beside the files of its commit, and gets from the checkout."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from _pytest.config.findpaths import load_config_dict_from_file

from ..errors import CheckoutError
from . import git

_POINTER = b"version https://git-lfs.github.com/spec/"
_POINTER_BYTES = 1024  # at most, by the specification of LFS
_COPIED_BYTES = 256 * 2**20  # what is larger is linked, and so is a folder of more files
_COPIED_FILES = 10_000
_SUBMODULE = b"160000"
# Folders that hold tests, and nothing that is tested.
_OF_TESTS = re.compile(r"tests?|benchmarks")
# What no version needs of another.
_NEVER = re.compile(
    r"__pycache__|\.git|\.loaderperf|\.\w+_cache|\.hypothesis|\.?venv|\.tox|\.nox|"
    r"node_modules|.+\.egg-info|.+\.py[cod]"
)


@dataclass(frozen=True, kw_only=True)
class Worktree:
    """A checked-out commit: ``top`` stands for ``checkout``, the top folder of the working tree."""

    checkout: Path
    top: Path
    commit: str

    def share(self, root: Path, names: Iterable[str]) -> None:
        """Link what the user has named, by paths relative to the project's ``root``.

        What the commit has itself stays, but for what git leaves empty: the folder of a submodule,
        and the pointer to a large file. CheckoutError if there is no such thing to link.
        """
        for name in names:
            source = root / name
            target = Path(os.path.normpath(self.top / os.path.relpath(source, self.checkout)))
            if not source.exists():
                raise CheckoutError(
                    f"loaderperf_share names {name}, which does not exist: make it, or take its "
                    "name out of the ini file"
                )
            if not target.is_relative_to(self.top.parent) or target == self.top.parent:
                raise CheckoutError(
                    f"loaderperf_share names {name}, which lies outside of the repository: have "
                    "the tests name it by its absolute path, which is the same for all versions"
                )
            _link(source, target)

    def fill_submodules(self) -> None:
        """Check out the submodules, each at the commit that this commit names.

        Their objects come from the checkout's own submodules. CheckoutError if one lacks them.
        """
        self._fill(self.checkout, self.top, self.commit)

    def _fill(self, checkout: Path, top: Path, commit: str) -> None:
        listed = git.run(checkout, "ls-tree", "-r", "-z", commit).stdout.split(b"\0")[:-1]
        for line in listed:
            kind, _, path = line.partition(b"\t")
            if not kind.startswith(_SUBMODULE):
                continue
            name, pinned = os.fsdecode(path), kind.split()[-1].decode()
            source, target = checkout / name, top / name
            if not (source / ".git").exists():
                continue  # nor has the working tree anything there
            if os.path.realpath(target) != os.fspath(target):
                continue  # linked: what is written there would change the working tree
            target.mkdir(parents=True, exist_ok=True)
            index = {"GIT_INDEX_FILE": f"{target}.loaderperf-index"}
            read = git.run(source, "read-tree", pinned, variables=index)
            prefix = ("checkout-index", "--all", "--force", f"--prefix={target}/")
            done = read if read.returncode else git.run(source, *prefix, variables=index)
            Path(index["GIT_INDEX_FILE"]).unlink(missing_ok=True)
            if done.returncode:
                raise CheckoutError(
                    f"commit {self.commit[:12]} has the submodule {name} at {pinned[:12]}, which "
                    f"is not in this checkout ({git.words(done)}): run `git -C {name} fetch`"
                )
            self._fill(source, target, pinned)

    def fill_pointers(self, shared: Sequence[str]) -> None:
        """Put large files (LFS) where git has left pointers to them, as far as they are here.

        CheckoutError if the working tree has the file behind a pointer, and the clone has not what
        this commit has there.
        """
        large = large_files(self.top)
        store = self._large_files() if large else None
        for name in large:
            target, here = self.top / name, self.checkout / name
            wanted = pointer(target)
            if wanted is None or store is None:
                continue
            stored = store / wanted[:2] / wanted[2:4] / wanted
            if stored.is_file():
                target.unlink()
                target.symlink_to(stored)
            elif here.is_file() and pointer(here) is None:
                same = git.run(self.checkout, "diff", "--quiet", self.commit, "--", name)
                if same.returncode == 0:
                    target.unlink()
                    target.symlink_to(here)
                elif not any(name == each or name.startswith(f"{each}/") for each in shared):
                    raise CheckoutError(
                        f"{name} of commit {self.commit[:12]} is a large file (LFS) that is not in "
                        f"this clone: run `git lfs fetch origin {self.commit[:12]}`, or name it in "
                        "loaderperf_share if it is the same for both versions"
                    )

    def _large_files(self) -> Path:
        """Where git-lfs keeps its files."""
        common = git.run(self.checkout, "rev-parse", "--git-common-dir").stdout
        place = self.checkout / os.fsdecode(common.removesuffix(b"\n"))
        named = git.run(self.checkout, "config", "--get", "lfs.storage").stdout
        storage = os.fsdecode(named.removesuffix(b"\n")) or "lfs"
        return place / storage / "objects"

    def carry_ignored(self, files: Iterable[str]) -> list[str]:
        """Carry over what git ignores of the files that the working tree has used.

        ``files`` are relative to the top folder. A folder of which git ignores everything is
        carried over as a whole. Returns what was carried over.
        """
        missing = sorted(
            name for name in files
            if not os.path.lexists(self.top / name) and (self.checkout / name).exists()
            and not any(map(is_never_carried, PurePosixPath(name).parts))
        )  # fmt: skip
        carried: list[str] = []
        for name in git.ignored(self.checkout, missing) if missing else ():
            if os.path.lexists(self.top / name):  # with its folder
                continue
            place = self._outermost(PurePosixPath(name))
            _carry(self.checkout / place, self.top / place)
            carried.append(str(place))
        return carried

    def _outermost(self, name: PurePosixPath) -> PurePosixPath:
        """The outermost folder of a file that the commit lacks and of which git has nothing."""
        listed = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--")
        for folder in [*name.parents][-2::-1]:
            if (self.top / folder).is_dir():
                continue
            if not git.names(self.checkout, *listed, str(folder)):
                return folder
        return name

    def overlay(self, files: Iterable[str]) -> list[str]:
        """Put files of the working tree in the place of those of the commit.

        ``files`` are relative to the top folder. Returns those that were not the same.
        """
        changed = []
        for name in sorted(files):
            source, target = self.checkout / name, self.top / name
            shared = not Path(os.path.realpath(target)).is_relative_to(os.path.realpath(self.top))
            if shared or not source.is_file() or is_same(source, target):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copy2(source, target)
            changed.append(name)
        return changed

    def carry_module(self, path: str) -> list[str]:
        """Carry over a module, named relative to the top folder, that the commit does not have."""
        if os.path.lexists(self.top / path):
            return []
        _carry(self.checkout / path, self.top / path)
        return [path]

    def carry_ini(self, path: Path) -> tuple[str, list[str]]:
        """The configuration of pytest of this commit: its own, or a copy of the working tree's.

        ``path`` is that of the working tree. The copy lies in the same folder, from where it names
        others, and has another name if the commit has a file of this name without such a section.
        Also returns what was carried over.
        """
        own = self.top / os.path.relpath(path, self.checkout)
        if own.is_file():
            if load_config_dict_from_file(own) is not None:
                return str(own), []
            own = own.with_name(f".loaderperf-{own.name}")
        own.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, own)
        return str(own), [os.path.relpath(path, self.checkout)]


def _link(source: Path, target: Path) -> None:
    if target.is_symlink() or (target.is_file() and pointer(target) is None):
        return
    if target.is_dir() and any(target.iterdir()):
        if source.is_dir():
            for each in source.iterdir():
                if not is_never_carried(each.name):
                    _link(each, target / each.name)
        return
    if target.is_dir():
        target.rmdir()
    target.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source, target_is_directory=source.is_dir())


def tests_among(files: Iterable[str], module: str) -> list[str]:
    """Those of some files that a module of tests consists of, and not what it tests.

    They are the module, the conftests of its folders, and what lies in a folder around it that is
    called as those of tests are: in any other one sources may lie beside their tests. All are
    relative to the top folder. What no version needs of another is not among them.
    """
    folders = PurePosixPath(module).parents
    own = next((each for each in folders if _OF_TESTS.fullmatch(each.name)), None)
    while own is not None and _OF_TESTS.fullmatch(own.parent.name):
        own = own.parent
    return [
        name
        for name, path in ((each, PurePosixPath(each)) for each in files)
        if name == module
        or (path.name == "conftest.py" and path.parent in folders)
        or (own in path.parents and not any(map(is_never_carried, path.parts)))
    ]


def is_same(one: Path, other: Path) -> bool:
    """Whether both are files of one content."""
    return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)


def is_never_carried(name: str) -> bool:
    """Whether a file or folder of this name is nothing that versions hand on to one another."""
    return bool(_NEVER.fullmatch(name))


def _carry(source: Path, target: Path) -> None:
    """Copy a file or a folder, so that what a version writes is its own; link what is too large."""
    target.parent.mkdir(parents=True, exist_ok=True)
    sizes = [source.stat().st_size] if source.is_file() else _sizes(source)
    if len(sizes) > _COPIED_FILES or sum(sizes) > _COPIED_BYTES:
        target.symlink_to(source, target_is_directory=source.is_dir())
    elif source.is_file():
        shutil.copy2(source, target)
    else:
        shutil.copytree(source, target, symlinks=True, ignore_dangling_symlinks=True)


def _sizes(folder: Path) -> list[int]:
    """The sizes of the files below a folder."""
    found = (Path(inside, name) for inside, _, names in os.walk(folder) for name in names)
    return [each.lstat().st_size for each in found]


def large_files(top: Path) -> list[str]:
    """Those of the files of a checkout that LFS keeps."""
    files = git.names(top, "ls-files", "-z")
    answers = git.names(top, "check-attr", "--stdin", "-z", "filter", given=files)
    pairs = zip(answers[::3], answers[2::3], strict=True)
    return [name for name, value in pairs if value == "lfs"]


def pointer(path: Path) -> str | None:
    """The SHA-256 of the large file that a pointer of LFS stands for; None if it is no pointer."""
    try:
        if path.stat().st_size > _POINTER_BYTES:
            return None
        content = path.read_bytes()
    except OSError:
        return None
    if not content.startswith(_POINTER):
        return None
    lines = dict(
        line.partition(" ")[::2] for line in content.decode("ascii", "replace").split("\n")
    )
    kind, _, name = lines.get("oid", "").partition(":")
    return name if kind == "sha256" and name.isalnum() else None
