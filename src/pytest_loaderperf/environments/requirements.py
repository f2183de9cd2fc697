"""What a file asks for, as the lines of a requirements file, whatever kind of file it is."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from ..errors import PackagesError
from ..versions.installed import normalised
from . import locks
from .locks import Target

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest needs it
    import tomli as tomllib

GUARD = "pytest-loaderperf"
# Where the requirements of a commit are looked for, the most exact ones first.
USUAL = ("uv.lock", "poetry.lock", "pylock.toml", "requirements.txt")
_KINDS = "give a requirements.txt, uv.lock, poetry.lock or pylock.toml"
_WITH_PATH = re.compile(
    r"(?:-(?P<short>[rcfe])\s*|--(?P<long>requirement|constraint|find-links|editable)[\s=]+)(?P<path>\S.*)"
)
# A path that a line names, but no folder in which packages are looked for.
_LOCAL_PATH = re.compile(r"^(?!--find-links)(?:.*(?:\s|file://))?(/[^\s;\[]+)")
_LONG = {"r": "requirement", "c": "constraint", "f": "find-links", "e": "editable"}


@dataclass(frozen=True, kw_only=True)
class Home:
    """The project whose requirements are read: its ``root``, where pytest runs, and its names.

    ``top`` is the top folder of the tree that the file belongs to.
    """

    root: Path
    top: Path
    names: Set[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """What a file asks for.

    ``label`` is how the user calls it, ``lines`` are for an installer, ``text`` is all that was
    read. ``left_out`` asks for the project itself, ``guards`` for this plugin.
    """

    label: str
    lines: tuple[str, ...]
    text: str
    left_out: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """The lines that say where packages come from."""
        return tuple(each for each in self.lines if _is_option(each) and "--constr" not in each)

    @property
    def state(self) -> str:
        """All that tells what would be installed, with the states of the files that it names."""
        places = [Path(found[1]) for each in self.lines if (found := _LOCAL_PATH.search(each))]
        files = [
            each
            for place in places
            for each in ([place] if place.is_file() else sorted(place.rglob("*")))
            if each.is_file()
        ]
        looks = ((str(each), each.stat()) for each in files)
        states = (f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in looks)
        return "\n".join([self.text, *self.lines, *states])

    @property
    def names(self) -> frozenset[str]:
        """The distributions that it names."""
        return frozenset(filter(None, map(name_of, self.lines)))

    def other_guard(self, version: str) -> str:
        """The line that asks for another version of this plugin; empty if none does."""
        asked = [(line, Requirement(_bare(line))) for line in self.guards]
        others = (each for each, need in asked if need.url or not meets(version, need))
        return next(others, "")


def read(path: Path, label: str, home: Home, target: Target) -> Requirements:
    """What a file asks for. PackagesError, which names it, where it cannot be read."""
    text = _text(path, label)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        content = {}
        if path.suffix in (".lock", ".toml"):
            raise PackagesError(f"{label} is no lock file that can be read: {_KINDS}") from None
    lock = locks.reader(content)
    if lock is None and content:
        raise PackagesError(f"{label} is no lock file of a known kind: {_KINDS}")
    try:
        given = _of_lock(lock(content, target)) if lock else _Flat(home=home).add(path, text, label)
    except PackagesError as error:
        raise PackagesError(f"{label}: {error}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise PackagesError(f"{label} is damaged: {error!r}") from None
    return _sorted_out(given, label, home)


def find(folders: Sequence[Path], names: Sequence[str] = USUAL) -> Path | None:
    """The first file of these names in the first of some folders that has any of them."""
    places = (folder / name for folder in folders for name in names)
    return next((place for place in places if place.is_file()), None)


def meets(version: str, need: Requirement) -> bool:
    """Whether a version is one that is needed; in doubt it is."""
    try:
        return need.specifier.contains(Version(version), True)
    except InvalidVersion:  # of an old kind
        return True


def name_of(line: str) -> str:
    """The distribution that a line names; empty if it is an option, a path or an address."""
    try:
        return normalised(Requirement(_bare(line)).name)
    except InvalidRequirement:
        return ""


def _is_option(line: str) -> bool:
    """Whether a line names no package, but says where they come from, say."""
    return line.startswith("-") and not line.startswith(("-e", "--editable"))


def _bare(line: str) -> str:
    """A requirement without the options that may follow it, such as hashes."""
    return re.split(r"\s--", line, maxsplit=1)[0].strip()


def _text(path: Path, label: str) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise PackagesError(f"{label} cannot be read ({why}): {_KINDS}") from None


@dataclass(kw_only=True)
class _Flat:
    """A requirements file with those that it includes; its paths are absolute."""

    home: Home
    lines: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    seen: list[Path] = field(default_factory=list)

    def add(self, path: Path, text: str, label: str) -> _Flat:
        """Take the lines of a file."""
        self.texts.append(text)
        self.seen.append(path.resolve())
        for line in _logical(text):
            found = _WITH_PATH.fullmatch(line)
            kind = found and (found["long"] or _LONG[found["short"]])
            if found is None or kind == "editable":
                self._take(line, found["path"] if found else line)
            elif kind == "requirement" and "://" not in found["path"]:
                self._include(path.parent / found["path"], found["path"], label)
            else:
                self.lines.append(f"--{kind} {self._absolute(found['path'], path.parent)}")
                if kind == "constraint" and "://" not in found["path"]:
                    self.texts.append(_text(path.parent / found["path"], found["path"]))
        return self

    def _include(self, path: Path, name: str, label: str) -> None:
        if path.resolve() not in self.seen:
            self.add(path, _text(path, f"{name}, which {label} includes,"), name)

    def _take(self, line: str, asked: str) -> None:
        """A requirement: of the project itself, another one by its path, or one by its name."""
        path = re.sub(r"\[[^]]*\]$", "", asked)
        place = (self.home.root / path).resolve()
        if "://" in asked or (line == asked and name_of(asked)):
            self.lines.append(line)
        elif place.is_dir() and _is_project(place, self.home):
            self.left_out.append(line)
        else:
            absolute = line.removesuffix(asked) + str(place) + asked[len(path) :]
            self.lines.append(absolute if place.exists() else line)

    def _absolute(self, path: str, folder: Path) -> str:
        """A path as installers understand it: seen from the file, or else from the project."""
        if "://" in path:
            return path
        places = (folder / path, self.home.root / path)
        return str(next((each.resolve() for each in places if each.exists()), path))


def _is_project(place: Path, home: Home) -> bool:
    """Whether a folder is the project's own: sources, which each version has by itself."""
    between = place in home.root.parents and home.top in place.parents
    return between or place in (home.root, home.top)


def _logical(text: str) -> Iterator[str]:
    """The lines of a requirements file: without comments, each with those that continue it."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        bare = re.sub(r"(^|\s)#.*$", "", line).strip()
        if bare:
            yield bare


def _of_lock(pins: locks.Pins) -> _Flat:
    nowhere = Home(root=Path(), top=Path())
    return _Flat(home=nowhere, lines=pins.lines, left_out=pins.local, texts=pins.lines)


def _sorted_out(given: _Flat, label: str, home: Home) -> Requirements:
    """Leave out the project itself, whose sources are each version's, and this plugin."""
    names = {line: name_of(line) for line in given.lines}
    guards = tuple(line for line in given.lines if names[line] == GUARD)
    own = [line for line in given.lines if names[line] in home.names]
    lines = tuple(line for line in given.lines if line not in own and line not in guards)
    if all(map(_is_option, lines)):
        raise PackagesError(f"{label} asks for no package: {_KINDS}")
    return Requirements(
        label=label,
        lines=lines,
        text="\n".join(given.texts),
        left_out=(*given.left_out, *own),
        guards=guards,
    )
