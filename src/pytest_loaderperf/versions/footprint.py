"""What a check may use of its project, and whether any of that differs between two versions.

Its *footprint* is read, not run: the files that its arm has imported, its conftest files, and all
modules that they name in imports or in strings, at any depth. In doubt a file that differs counts:
to measure what has not changed costs seconds, to pass what has is the worst that can happen.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib.machinery import PathFinder
from pathlib import Path

from ..child.loaderperf_exchange import USUAL, is_installed
from . import git
from .source_text import WORD, Text, read
from .usage import Evidence

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest needs it
    import tomli as tomllib

_TOKEN = re.compile(r"[\w./:-]+")
# The only word on the right of a line, as in ``kind: fast``.
_ONE_NAME = re.compile(r"""[:=] *["']?(\w+)["']?,?$""", re.MULTILINE)
# Texts that may name a module for whoever reads them, unless they are too large for that.
_CONFIGURATION = (
    ".yaml", ".yml", ".json", ".toml", ".ini", ".cfg", ".conf", ".xml", ".env", ".properties",
)  # fmt: skip
_CONFIGURATION_AT_MOST = 2**20  # characters
# Tables of a pyproject.toml: those of the project that name modules, and those of tools that run
# none of it.
_PROJECT_NAMES = ("scripts", "gui-scripts", "entry-points")
_TOOLS = (
    "bandit", "black", "bumpversion", "codespell", "commitizen", "coverage", "flake8", "flit",
    "hatch", "importlinter", "interrogate", "isort", "mypy", "pdm", "poetry", "pydocstyle",
    "pylint", "pyright", "ruff", "setuptools", "setuptools_scm", "towncrier", "uv", "vulture",
)  # fmt: skip
# What no loader reads, unless its code names it.
_DOCUMENTS = (
    "readme*", "changelog*", "changes*", "history*", "news*", "contributing*", "license*",
    "licence*", "copying*", "notice*", "authors*", "security*", "code_of_conduct*", "citation*",
)  # fmt: skip
_DOCUMENT_ENDS = ("", ".md", ".rst", ".txt", ".cff")
_DOCUMENT_FOLDERS = ("docs", "doc")
_OF_CI = (
    ".github", ".gitlab", ".circleci", ".ci", ".gitlab-ci.yml", ".travis.yml",
    "azure-pipelines.yml", ".pre-commit-config.yaml", ".editorconfig", ".readthedocs.yaml",
    ".readthedocs.yml", ".codecov.yml", "codecov.yml", "CODEOWNERS",
)  # fmt: skip
# Modules that pytest alone runs, unless somebody names them.
_TESTS = ("test_*.py", "*_test.py")


def changes_since(top: Path, commit: str) -> list[str]:
    """In which files a commit and the working tree differ; CheckoutError if git cannot tell.

    New files count, those that git ignores do not: they are the same for both versions.
    """
    new = git.names(top, "ls-files", "-z", "--others", "--exclude-standard")
    # Git has been told not to look at these: who knows what they are now?
    unseen = [each[2:] for each in git.names(top, "ls-files", "-v", "-z") if each[0] in "hsS"]
    return [
        *git.differing(top, "--ignore-submodules=none", commit),
        *new,
        *(file for file in unseen if Path(top, file).exists()),
    ]


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """The files that a check may use, relative to the top folder, and what they say together."""

    files: frozenset[str]
    words: frozenset[str]
    strings: str
    dynamic: str = ""  # a file that may run modules that no text names
    wraps: str = ""  # a file that has a fixture of its own around that of this plugin

    @functools.cached_property
    def parts(self) -> frozenset[str]:
        """The words of all strings: of them, code may put together the name of a module."""
        return frozenset(part for each in WORD.findall(self.strings) for part in each.split("_"))


@dataclass(kw_only=True)
class SourceTree:
    """The sources of a project: ``files`` are relative to ``top``, without links in its path."""

    top: str
    files: Collection[str]
    _texts: dict[str, Text] = field(default_factory=dict)

    def text(self, file: str) -> Text:
        """What a Python file says."""
        if file not in self._texts:
            self._texts[file] = read(self._content(file))
        return self._texts[file]

    def _behind(self, file: str) -> Iterator[str]:
        """What a link leads to, step by step, and where a file behind one really lies."""
        path = Path(self.top, file)
        if path.is_symlink():
            yield os.path.relpath(os.path.normpath(path.parent / path.readlink()), self.top)
        yield os.path.relpath(os.path.realpath(path), self.top)

    @functools.cached_property
    def configuration(self) -> str:
        """What all files say together that may configure something."""
        texts = []
        for file in self.files:
            name = file.rpartition("/")[2].lower()
            configures = name.endswith(_CONFIGURATION) or name.startswith(".env")
            if configures and not _is_plainly_unused(file):
                text = self._content(file)
                if len(text) <= _CONFIGURATION_AT_MOST:
                    texts.append(_for_loaders(text) if name == "pyproject.toml" else text)
        return "\n".join(texts)

    @functools.cached_property
    def _modules(self) -> Mapping[str, Sequence[str]]:
        """The Python files by the last part of the name that they are imported by."""
        found: dict[str, list[str]] = {}
        for file in self.files:
            if file.endswith(".py"):
                found.setdefault(name_of(file), []).append(file)
        return found

    def footprint(self, roots: Iterable[str]) -> Footprint:
        """What a check uses whose test module, conftests and imports are these files."""
        left = [*roots, *self._configured]
        words, strings = set(WORD.findall(self.configuration)), [self.configuration]
        seen, dynamic, wraps = set[str](), "", ""
        while left:
            file = left.pop()
            if file in seen:
                continue
            seen.add(file)
            left += (each for each in self._behind(file) if not each.startswith("../"))
            if not file.endswith(".py"):
                continue
            text = self.text(file)
            words |= text.words
            strings += text.strings
            dynamic = dynamic or (file if text.dynamic else "")
            wraps = wraps or (file if text.wraps else "")
            for name in text.imports:
                left += self._imported(name, file)
            starts = any("-m" in each.split() for each in text.strings)  # python -m, say
            for each in text.strings:
                left += self._named(each, file, anywhere=starts)
            left += self._packages(file)
        return Footprint(
            files=frozenset(seen),
            words=frozenset(words),
            strings="\n".join(strings),
            dynamic=dynamic,
            wraps=wraps,
        )

    def _imported(self, name: str, by: str = "", *, anywhere: bool = True) -> Iterator[str]:
        """The files that an import may run, those of its packages included.

        A relative name begins at the file that has it. Others begin ``anywhere``; or, as those do
        that are also installed, beside that file or where sources usually do.
        """
        parts = name.lstrip(".").split(".")
        above = len(name) - len(name.lstrip("."))
        folders = by.split("/")[:-1]
        start = "".join(f"{each}/" for each in folders[: len(folders) - max(above, 1) + 1])
        begins = {start}
        if above:
            yield f"{start}__init__.py"
        else:
            begins |= {f"{each}/" if each else "" for each in USUAL}
            anywhere = anywhere and not _is_installed(parts[0])
        for depth in range(1, len(parts) + 1):
            inside = "/".join(parts[:depth])
            for file in self._modules.get(parts[depth - 1], ()):
                near = any(file.startswith(f"{each}{inside}") for each in begins)
                if near or (anywhere and not above and _is_called(file, inside)):
                    yield file

    def _named(self, text: str, by: str = "", *, anywhere: bool = False) -> Iterator[str]:
        """The files that a string may lead to: a path, a dotted name, or the name of a module.

        One that has no dots begins ``anywhere``, or where other imports do.
        """
        tokens = _TOKEN.findall(text)
        for before, token in zip(["", *tokens], tokens, strict=False):
            if "/" in token or token.endswith(".py"):
                path = token.lstrip("./")
                named = path if path.endswith(".py") else f"{path}/__main__.py"
                yield from (
                    file
                    for file in self._modules.get(name_of(named), ())
                    if file == named or file.endswith(f"/{named}") or named.endswith(f"/{file}")
                )
            elif "." in token or before == "-m":
                yield from self._imported(token.strip(".").partition(":")[0], by)
            elif len(tokens) == 1:
                yield from self._imported(token.partition(":")[0], by, anywhere=anywhere)

    @functools.cached_property
    def _configured(self) -> frozenset[str]:
        """The files that a configuration may name."""
        found = set(self._named(self.configuration))
        for name in _ONE_NAME.findall(self.configuration):
            found.update(self._imported(name, anywhere=False))
        return frozenset(found)

    def _packages(self, file: str) -> Iterator[str]:
        """The ``__init__`` modules that run before a module does."""
        folders = file.split("/")[:-1]
        for depth in range(len(folders), 0, -1):
            package = "/".join([*folders[:depth], "__init__.py"])
            if package in self._sources:
                yield package

    @functools.cached_property
    def _sources(self) -> frozenset[str]:
        return frozenset(self.files)

    def _content(self, file: str) -> str:
        path = Path(self.top, file)
        try:
            return path.read_text("utf-8", "surrogateescape") if path.is_file() else ""
        except OSError:  # it has gone
            return ""


def _for_loaders(pyproject: str) -> str:
    """What of a pyproject.toml a loader may go by: not what describes the project or checks it."""
    try:
        content = tomllib.loads(pyproject)
    except (tomllib.TOMLDecodeError, RecursionError):
        return pyproject
    content.pop("build-system", None)
    for name, kept in (("project", _PROJECT_NAMES), ("tool", None)):
        table = content.get(name)
        if isinstance(table, dict):
            content[name] = {
                key: value
                for key, value in table.items()
                if (key in kept if kept else key not in _TOOLS)
            }
    return repr(content)


def name_of(file: str) -> str:
    """The last part of the name that a Python file is imported or started by."""
    folder, _, name = file.rpartition("/")
    stem = name.removesuffix(".py")
    return folder.rpartition("/")[2] if stem in ("__init__", "__main__") else stem


def _is_called(file: str, name: str) -> bool:
    """Whether a file is what a name stands for, wherever that begins: with slashes for dots."""
    ends = (f"{name}.py", f"{name}/__init__.py", f"{name}/__main__.py")
    return file in ends or file.endswith(tuple(f"/{end}" for end in ends))


def conftests(module: str) -> list[str]:
    """Where the conftest files of a test module are, if there are any, as that is named."""
    folders = module.split("/")[:-1]
    return ["/".join([*folders[:depth], "conftest.py"]) for depth in range(len(folders) + 1)]


def why_measured(
    changes: Iterable[str],
    footprint: Footprint,
    unused: Sequence[str] = (),
    evidence: Evidence | None = None,
) -> str:
    """Which file that differs a check may use, and why; empty if it uses none of them.

    ``unused`` are patterns, or folders, that the user has named. ``evidence`` is the record of what
    was used, if there is one that is to be believed.
    """
    for file in sorted(changes):
        if why := _why(file, footprint, unused, evidence):
            return f"{file} {why}"
    return ""


def _why(file: str, footprint: Footprint, unused: Sequence[str], evidence: Evidence | None) -> str:
    if file in footprint.files:
        return "differs"
    is_unused = any(
        fnmatch(file, each) or file.startswith(f"{each.rstrip('/')}/") for each in unused
    )
    known = evidence.against(file, is_unused=is_unused) if evidence else ""
    if known or is_unused:
        return known
    if file.endswith(".py"):
        return "" if _is_excused(file, footprint, evidence) else _why_module(file, footprint)
    if _is_plainly_unused(file) and not _is_named(file, footprint):
        return ""
    return "differs, and may be read"


def _is_excused(file: str, footprint: Footprint, evidence: Evidence | None) -> bool:
    """Whether it is known that a module is not used.

    The record tells what was used; the text, what may be another time, by chance or elsewhere.
    """
    if evidence is None:
        return False
    parts = footprint.parts if footprint.dynamic else ()
    return evidence.excuses(file, name_of(file), footprint.words, parts)


def _why_module(file: str, footprint: Footprint) -> str:
    """Modules count, whoever may import or start them, but for other tests and for documents."""
    name = file.rpartition("/")[2]
    is_test = name == "conftest.py" or any(fnmatch(name, each) for each in _TESTS)
    if not is_test and not _is_plainly_unused(file):
        return "differs, and may be run"
    if name_of(file) in footprint.words:
        return f"differs, and the check's code names {name_of(file)}"
    if footprint.dynamic:
        return f"differs, and {footprint.dynamic} may import any module"
    return ""


def _is_plainly_unused(file: str) -> bool:
    """Whether a file documents the project, or says what CI is to do."""
    *folders, name = file.split("/")
    stem, dot, end = name.lower().rpartition(".")
    documents = any(fnmatch(stem if dot else end, each) for each in _DOCUMENTS)
    first = folders[0] if folders else name
    return (
        (documents and (dot + end if dot else "") in _DOCUMENT_ENDS)
        or (bool(folders) and first in _DOCUMENT_FOLDERS)
        or first in _OF_CI
    )


def _is_named(file: str, footprint: Footprint) -> bool:
    """Whether the code has a text that may lead to a file: its name, its ending, or a folder."""
    *folders, name = file.split("/")
    end = Path(name).suffix
    return (
        name in footprint.strings
        or bool(end and re.search(rf"{re.escape(end)}\b", footprint.strings))
        or any(re.search(rf"\b{re.escape(folder)}\b", footprint.strings) for folder in folders)
    )


@functools.lru_cache(1000)
def _is_installed(name: str) -> bool:
    """Whether there is a module of that name outside of the project, as far as can be known."""
    if name in sys.stdlib_module_names:
        return True
    installed = [each for each in sys.path if is_installed(f"{each}/")]
    try:
        return PathFinder.find_spec(name, installed) is not None
    except (ImportError, ValueError):
        return True
