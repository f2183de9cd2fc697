"""What is the project's: the files of its repository, and the copies of them that are installed."""

from __future__ import annotations

import configparser
import contextlib
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

from ..child.loaderperf_exchange import USUAL, is_installed
from ..errors import ArmError, CheckoutError
from . import git, installed
from .installed import Installed
from .repository import Repository

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
    ``bases`` are the folders from there to the root of pytest, each ending in a slash or empty.
    """

    top: str
    files: tuple[str, ...]
    bases: tuple[str, ...] = ("",)

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
        inside = PurePosixPath(os.path.relpath(os.path.realpath(root), top))
        bases = [f"{each}/" for each in (inside, *inside.parents) if each.parts]
        return cls(top=str(top), files=tuple(_listed(top)), bases=("", *bases))

    @functools.cached_property
    def distributions(self) -> frozenset[str]:
        """The names of the distributions that are built from it; not of those that it vendors."""
        found = set()
        for each in self.files:
            folder, name = _split(each)
            if name in _PROJECT_FILES and (f"{folder}/" in self.bases or not folder):
                found |= _names(Path(self.top, each))
        return frozenset(map(installed.normalised, found)) - {_GUARD}

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """The packages and modules that begin where sources usually do."""
        found = set()
        for each in self._modules:
            for root in self._roots:
                if each.startswith(root):
                    found.add(each[len(root) :].partition("/")[0].removesuffix(".py"))
        return frozenset(found - {"src", "lib", "python", "conftest", "setup", "pytest_loaderperf"})

    @functools.cached_property
    def _roots(self) -> list[str]:
        usual = [f"{each}/" if each else "" for each in USUAL]
        return [f"{base}{each}" for base in self.bases for each in usual]

    def copies(self, python: str = sys.executable) -> Copies:
        """What an interpreter has installed of it as copies.

        ArmError if that interpreter does not run.
        """
        if python == sys.executable:
            found = installed.found(self.top, self.distributions, self.names)
        else:
            found = _asked(python, self.top, self.distributions, self.names)
        places: dict[str, str] = {}
        stray: set[str] = set()
        own: set[str] = set()
        for each in found:
            if each.name == _GUARD:
                continue
            modules = [file for file in each.files if file.endswith(".py")]
            here = counterparts(modules, self._modules, self.top)
            if not each.name and not _are_alike(modules, here):
                continue  # something else of that name
            own |= {file for file in each.files if file.endswith(tuple(EXTENSION_SUFFIXES))}
            if not each.editable:
                places |= here
                stray |= set() if here else {*modules}
        return Copies(places=places, stray=frozenset(stray), own=frozenset(own))

    def is_copied(self, module: str, path: str) -> bool:
        """Whether an installed module belongs to a package that is a copy of one of the tree."""
        top = path.removesuffix(".py").removesuffix("/__init__")
        for _ in module.split(".")[1:]:
            top = _split(top)[0]
        if top not in self._copied:
            files = [path] if f"{top}.py" == path else [*map(str, Path(top).rglob("*.py"))]
            here = counterparts(files, self._modules, self.top)
            self._copied[top] = _are_alike(files, here)
        return self._copied[top]

    @functools.cached_property
    def _copied(self) -> dict[str, bool]:
        return {}

    @functools.cached_property
    def _modules(self) -> tuple[str, ...]:
        return tuple(each for each in self.files if each.endswith(".py"))

    @functools.cached_property
    def _sources(self) -> frozenset[str]:
        return frozenset(self._modules)

    def file_of(self, module: str) -> str:
        """The file that is run for a module, relative to the top folder; empty if it has none."""
        inside = module.replace(".", "/")
        names = (f"{root}{inside}{end}" for root in self._roots for end in (".py", "/__main__.py"))
        return next((name for name in names if name in self._sources), "") if module else ""

    def shadowed_by(self, module: str, path: str) -> str:
        """The source that a module from outside of the tree hides, relative to the top folder.

        Empty if it hides none: one counts where sources usually begin, or of the same content.
        """
        inside = module.replace(".", "/")
        name = f"{inside}/__init__.py" if path.endswith("__init__.py") else f"{inside}.py"
        for root in self._roots:
            if f"{root}{name}" in self._sources:
                return f"{root}{name}"
        same = (
            each
            for each in self._modules
            if each.endswith(f"/{name}") and _have_same_content(path, f"{self.top}/{each}")
        )
        return next(same, "")


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


def _are_alike(modules: Sequence[str], places: Mapping[str, str]) -> bool:
    """Whether half of some installed modules at least are the same as their sources."""
    same = 0
    for each in modules:
        folder, name = _split(each)
        source = places.get(each) or f"{places.get(folder, '')}/{name}"
        with contextlib.suppress(OSError):
            same += Path(each).read_bytes() == Path(source).read_bytes()
    return bool(modules) and 2 * same >= len(modules)


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


def _asked(
    python: str, top: str, distributions: Iterable[str], names: Iterable[str]
) -> list[Installed]:
    command = [python, installed.__file__, top, ",".join(distributions), ",".join(names)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return [Installed(*each) for each in json.loads(finished.stdout)]
    except ValueError:
        raise ArmError(f"{python} does not run: {finished.stderr.strip()}") from None


def _listed(top: Path) -> list[str]:
    """What a checkout has, submodules included."""
    kinds = ("--cached", "--others", "--exclude-standard")
    files = list(dict.fromkeys(git.names(top, "ls-files", "-z", *kinds)))
    # Those that end in a slash are repositories of their own.
    files = [each for each in files if not each.endswith("/")]
    for each in [each for each in files if (top / each / ".git").exists()]:
        with contextlib.suppress(CheckoutError):  # one that git refuses, say
            files += [f"{each}/{name}" for name in _listed(top / each)]
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
