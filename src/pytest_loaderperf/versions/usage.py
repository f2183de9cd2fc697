"""Which files a check has used, as recorded when its baseline was accepted, and as proof later.

All that its processes have run, read and listed is as it was: then they do what they did, and come
to read no file that they did not read. What the argument does not cover must make no record, or
must be no reason to believe one.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from ..child.loaderperf_exchange import Exchange
from ..child.loaderperf_sources import MAPPED
from ..child.loaderperf_watch import LISTED, OPENED, STARTED, UNSEEN
from ..errors import UseError
from . import generated, git
from .source_text import WORD
from .sources import Ran

_AT_MOST = 1000  # files: a record is to be read in a diff
_PACKED = (".egg", ".whl", ".pyz")  # copies of modules
# Runs leave these, and a baseline is written after its check has been watched.
_LEFT_BEHIND = re.compile(
    r"(^|/)(__pycache__/|\.pytest_cache/|\.loaderperf/|baselines/.*\.json$)|\.py[co]$"
)


@dataclass(frozen=True, kw_only=True)
class UsedFiles:
    """The files of a project that a check has used, and the folders that it has listed.

    Relative to the top folder, whose own name is a dot. ``digest`` is of their contents, and of the
    names of all files that there were.
    """

    files: tuple[str, ...]
    folders: tuple[str, ...] = ()
    digest: str


def digest(files: Iterable[str], contents: Mapping[str, str], names: Iterable[str]) -> str:
    """One text for what some files hold, and for which files there are beside them.

    A new file may hide another one, and a loader may look whether a file exists.
    """
    every = sorted(each for each in names if not _LEFT_BEHIND.search(each))
    lines = [f"{each}\0{contents.get(each)}" for each in sorted(files)]
    text = "\0\0".join([*lines, "", *every])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def is_of(used: UsedFiles, contents: Mapping[str, str]) -> bool:
    """Whether a record was made with what a commit has: see ``git.contents``."""
    return digest(used.files, contents, contents) == used.digest


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a record says of the files that differ from the commit that it was made with.

    ``modified`` are the regular files that are there before and now, of which only the content
    differs. ``heard`` are the words of the environment, by which code may choose a module.
    """

    usage: UsedFiles
    modified: frozenset[str]
    heard: frozenset[str] = frozenset()

    def against(self, file: str, *, is_unused: bool) -> str:
        """Why a file that differs counts, whatever it is; empty if nothing says so.

        ``is_unused``: the user has said that no loader uses it.
        """
        if file in self.usage.files:
            return "differs, and was used when its baseline was accepted"
        listed = file not in self.modified and folder_of(file) in self.usage.folders
        if listed and not is_unused:
            return "was added, removed or replaced, in a folder that it lists"
        return ""

    def excuses(self, file: str, name: str, words: Collection[str], parts: Collection[str]) -> bool:
        """Whether a Python file that differs is known not to be used.

        ``words`` are those of the code that the check may run. Code that computes the ``name`` of a
        module may take another one each time: of that, a part among ``parts`` is enough.
        """
        return (
            file in self.modified
            and file not in self.usage.files
            and folder_of(file) not in self.usage.folders  # who lists it may choose another one
            and name not in words
            and name not in self.heard
            and not (parts and any(each in parts or each in self.heard for each in name.split("_")))
        )


def folder_of(file: str) -> str:
    """The folder that a file lies in, a dot for the top folder."""
    return file.rpartition("/")[0] or "."


def words_of(environment: Mapping[str, str], arguments: Iterable[str]) -> frozenset[str]:
    """The words by which an environment and a command line may name a module, or a part of it."""
    found = set[str]()
    for value in (*environment.values(), *arguments):
        words = WORD.findall(value)
        found.update(words)
        if "/" not in value:  # names of folders have too many parts
            found.update(part for each in words for part in each.split("_"))
    return frozenset(found)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the processes of a check have told, as paths in the tree; see ``gathered``."""

    files: frozenset[str]
    listed: frozenset[str]
    below: frozenset[str]  # folders of which anything below may have been read


def gathered(told: Iterable[Ran], exchange: Exchange, is_own: Callable[[str], bool]) -> Seen:
    """What of the tree was used, relative to its top folder.

    ``is_own`` says whether an installed file is an extension of the project. UseError where
    something was done that nobody has seen, or that was made of nobody knows which sources.
    """
    files, listed, below = set[str](), set[str](), set[str]()
    for name, path in sorted((each.name, each.path) for each in told):
        if name in (UNSEEN, STARTED):
            raise UseError(f"it starts {path}, and nothing shows what that reads")
        inside = path == exchange.old or exchange.in_working_tree(path)
        if (inside or is_own(path)) and _is_compiled(name, path):
            raise UseError(f"{path} is compiled, from nobody knows which sources")
        if not inside:
            continue
        file = os.path.relpath(path, exchange.old)
        if name == LISTED:
            listed.add(file)
        elif name == OPENED and Path(path).is_dir():
            below.add(file)
        else:
            files.add(file)
    return Seen(files=frozenset(files), listed=frozenset(listed), below=frozenset(below))


def recorded(top: Path, seen: Seen) -> UsedFiles:
    """The record of what was seen, with the contents of now.

    UseError where git cannot tell these, and CheckoutError if it cannot tell anything.
    """
    names = git.listed(top)
    tracked = frozenset(names)
    submodules = _submodules(top, names)
    others = sorted(
        each
        for each in seen.files
        if each not in tracked and _is_file(top, each) and not _is_below(each, submodules)
    )
    ignored = frozenset(git.ignored(top, others))
    for each in others:
        if each.startswith(".git/"):
            continue
        if each not in ignored:
            raise UseError(f"{each} is a file of another repository")
        made = each.endswith(".py") and generated.kind(top / each) != "idle"
        if made or each.endswith(_PACKED):
            raise UseError(f"git ignores {each}: nobody knows what it is made of")
    files = tuple(sorted((seen.files & tracked) | submodules.keys()))
    if len(files) > _AT_MOST:
        raise UseError(f"it uses {len(files):,} files of the project")
    every = {each for name in names for each in _folders_of(name)}
    folders = [each for each in every if each in seen.listed or _is_below(each, seen.below)]
    if any(each.encode("utf-8", "replace").decode() != each for each in (*files, *folders)):
        raise UseError("the name of a file that it uses is no UTF-8")
    plain = git.contents_now(top, (each for each in files if each not in submodules))
    made_of = digest(files, {**plain, **submodules}, names)
    return UsedFiles(files=files, folders=tuple(sorted(folders)), digest=made_of)


def _submodules(top: Path, names: Iterable[str]) -> dict[str, str]:
    """The submodules, each with its commit, which stands for all that it holds."""
    found = [each for each in names if (top / each).is_dir() and not (top / each).is_symlink()]
    if not found:
        return {}
    differing = {*git.differing(top, "--ignore-submodules=none", "HEAD")}
    for each in found:
        if each in differing:
            raise UseError(f"the submodule {each} is not as it was committed")
    committed = git.contents(top, "HEAD")
    return {each: committed[each] for each in found}


def _is_compiled(name: str, path: str) -> bool:
    sourceless = path.endswith(".pyc") and "__pycache__" not in path
    return name == MAPPED or sourceless or path.endswith((*EXTENSION_SUFFIXES, ".so"))


def _is_file(top: Path, file: str) -> bool:
    return not _LEFT_BEHIND.search(file) and (top / file).is_file()


def _folders_of(file: str) -> Iterator[str]:
    while file != ".":
        file = folder_of(file)
        yield file


def _is_below(folder: str, among: Collection[str]) -> bool:
    return any(each in (".", folder) or folder.startswith(f"{each}/") for each in among)
