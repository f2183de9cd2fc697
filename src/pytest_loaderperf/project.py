"""What is the project's: the files of its repository, and the copies of them that are installed."""

from __future__ import annotations

import configparser
import functools
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path, PurePosixPath

from . import git
from .checkout import Repository
from .child import installed
from .child.loaderperf_sources import is_installed
from .errors import ArmError, CheckoutError

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest needs it
    import tomli as tomllib

_PROJECT_FILES = ("pyproject.toml", "setup.cfg", "setup.py")
_GUARD = "pytest-loaderperf"  # the same for all versions, also of its own repository


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Where in the working tree the sources are of what is installed as a copy of them.

    ``places`` has folders and files, by their real paths. ``stray`` are installed modules of the
    project whose sources are nowhere in its repository; ``own`` its compiled extensions.
    """

    places: Mapping[str, str]
    stray: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Project:
    """The working tree: ``top`` is the top folder of its checkout, or the project's root.

    ``files`` are its sources, relative to that: what git tracks, or would if it were added.
    """

    top: str
    files: tuple[str, ...]

    @classmethod
    def find(cls, root: Path) -> Project:
        """The project with this root folder, all of its checkout included."""
        try:
            repository = Repository.find(root)
        except CheckoutError:  # whoever needs one says so
            repository = None
        if repository is None:
            return cls(top=os.path.realpath(root), files=tuple(sorted(_walked(root))))
        top = Path(os.path.realpath(repository.toplevel))
        return cls(top=str(top), files=tuple(_listed(top)))

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """The names of the distributions that are built from it."""
        found = set()
        for each in self.files:
            if PurePosixPath(each).name in _PROJECT_FILES:
                found |= _names(Path(self.top, each))
        return frozenset(map(installed.normalised, found)) - {_GUARD}

    def copies(self, python: str = sys.executable) -> Copies:
        """What an interpreter has installed of it as copies.

        ArmError if that interpreter does not run.
        """
        if python == sys.executable:
            found = installed.distributions(self.top, self.names)
        else:
            found = _asked(python, self.top, self.names)
        places: dict[str, str] = {}
        stray: set[str] = set()
        own: set[str] = set()
        for each in found:
            files = [str(file) for file in each["files"]]  # type: ignore[attr-defined]
            if each["name"] == _GUARD:
                continue
            own |= {file for file in files if file.endswith(tuple(EXTENSION_SUFFIXES))}
            if not each["editable"]:
                modules = [file for file in files if file.endswith(".py")]
                here = counterparts(modules, self._modules, self.top)
                places |= here
                if not here:
                    stray |= {*modules}
        return Copies(places=places, stray=frozenset(stray), own=frozenset(own))

    @functools.cached_property
    def _modules(self) -> tuple[str, ...]:
        return tuple(each for each in self.files if each.endswith(".py"))

    @functools.cached_property
    def _sources(self) -> frozenset[str]:
        return frozenset(self._modules)

    def shadowed_by(self, module: str, path: str) -> str:
        """The source that a module from outside of the tree hides, relative to the top folder.

        Empty if it hides none: a package counts wherever it lies in the tree, a single module only
        where sources usually begin.
        """
        parts = module.split(".")
        inside = "/".join(parts)
        name = f"{inside}/__init__.py" if path.endswith("__init__.py") else f"{inside}.py"
        is_single = len(parts) == 1 and not name.endswith("__init__.py")
        for each in (name, f"src/{name}"):
            if each in self._sources:
                return each
        if is_single:
            return ""
        ending = f"/{name}"
        for each in self._modules:
            if each.endswith(ending):
                begins = each.removesuffix(ending)
                if f"{begins}/__init__.py" not in self._sources:
                    return each
        return ""


def counterparts(modules: Iterable[str], sources: Iterable[str], top: str) -> dict[str, str]:
    """The folders and files of the tree that installed modules are copies of.

    ``modules`` are absolute paths, ``sources`` relative to ``top``. A folder is taken for the
    source of another where most files have the same names: of several such, the one with most
    files of the same content, then that with the likest path.
    """
    by_name: dict[str, list[str]] = defaultdict(list)
    for each in sources:
        by_name[_split(each)[1]].append(f"{top}/{each}")
    folders: dict[str, list[str]] = defaultdict(list)
    for each in modules:
        folder, name = _split(each)
        folders[folder].append(name)
    places: dict[str, str] = {}
    for folder, names in sorted(folders.items()):  # a package comes before those inside it
        if is_installed(f"{_split(folder)[0]}/"):
            at = _folder(folder, names, by_name, places)
            places |= {folder: at} if at else {}
        else:  # single modules
            likest = {name: _likest(f"{folder}/{name}", by_name[name]) for name in names}
            places |= {f"{folder}/{name}": at for name, at in likest.items() if at}
    return places


def _folder(
    folder: str, names: Sequence[str], by_name: Mapping[str, Sequence[str]], places: dict[str, str]
) -> str:
    """The folder of the tree that an installed one is a copy of; empty if there is none."""
    outer, last = _split(folder)
    expected = f"{places[outer]}/{last}" if outer in places else ""
    count: dict[str, int] = defaultdict(int)
    same: dict[str, int] = defaultdict(int)
    for name in names:
        for each in by_name.get(name, ()):
            at = _split(each)[0]
            count[at] += 1
            same[at] += _have_same_content(f"{folder}/{name}", each)
    likely = [
        (at == expected, same[at], _ending_in_common(folder, at), -len(at), at)
        for at in count
        if 2 * count[at] >= len(names)
        and (same[at] or _ending_in_common(folder, at) or at == expected)
    ]
    return max(likely)[-1] if likely else ""


def _likest(module: str, sources: Sequence[str]) -> str:
    """The source of a single module: one of the same content, or the only one of its name."""
    same = [each for each in sources if _have_same_content(module, each)]
    among = same or (sources if len(sources) == 1 else [])
    return min(among, key=lambda each: (each.count("/"), each), default="")


def _split(path: str) -> tuple[str, str]:
    """The folder, and the name in it."""
    folder, _, name = path.rpartition("/")
    return folder, name


def _ending_in_common(one: str, other: str) -> int:
    """How many of the last folders of two paths have the same names."""
    pairs = zip(reversed(one.split("/")), reversed(other.split("/")), strict=False)
    for number, (here, there) in enumerate(pairs):
        if here != there:
            return number
    return min(one.count("/"), other.count("/"))


def _have_same_content(one: str, other: str) -> bool:
    try:
        if Path(one).stat().st_size != Path(other).stat().st_size:
            return False
        content = Path(one).read_bytes()
        return bool(content.strip()) and content == Path(other).read_bytes()
    except OSError:
        return False


def _names(path: Path) -> set[str]:
    """The names that a file of a project's metadata gives it."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return set()
    if path.name == "setup.cfg":
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string(text)
        except configparser.Error:
            return set()
        return {parser.get("metadata", "name", fallback="")} - {""}
    if path.name == "setup.py":
        return set(re.findall(r"""\bname\s*=\s*["']([\w.-]+)["']""", text))
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return set()
    tables = (content.get("project"), content.get("tool", {}).get("poetry"))
    return {str(table["name"]) for table in tables if isinstance(table, dict) and "name" in table}


def _asked(python: str, top: str, names: Iterable[str]) -> list[dict[str, object]]:
    command = [python, installed.__file__, top, *names]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        answer: list[dict[str, object]] = json.loads(finished.stdout)
    except ValueError:
        raise ArmError(f"{python} does not run: {finished.stderr.strip()}") from None
    return answer


def _listed(top: Path) -> list[str]:
    """What a checkout has, submodules included."""
    kinds = ("--cached", "--others", "--exclude-standard")
    files = list(dict.fromkeys(git.names(top, "ls-files", "-z", *kinds)))
    for each in [each for each in files if (top / each / ".git").exists()]:
        files += [f"{each.rstrip('/')}/{name}" for name in _listed(top / each)]
    return files


def _walked(root: Path) -> Iterable[str]:
    """The modules below a folder that is no checkout; not those of environments inside it."""
    for folder, inside, files in os.walk(root):
        inside[:] = [
            each
            for each in inside
            if not each.startswith((".", "__pycache__", "node_modules", "site-packages"))
            and not Path(folder, each, "pyvenv.cfg").exists()
        ]
        at = os.path.relpath(folder, root)
        for name in files:
            if name.endswith(".py") or name in _PROJECT_FILES:
                yield name if at == "." else f"{at}/{name}"
