"""What the sources of a project show: frameworks that they import, functions that make loaders."""

from __future__ import annotations

import ast
import itertools
import os
import re
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# Bounds of the search: a run that has nothing to measure must not take long to say so.
_FILES, _BYTES, _SECONDS = 3000, 400_000, 2.0
_NO_SOURCES = {"node_modules", "site-packages", "build", "dist", "venv", "env"}
_FRAMEWORKS = ("webdataset", "datasets", "keras", "tensorflow", "torch")
_MENTION = re.compile(
    rb"\b(?:import|from)\s+(?:%s)\b|loader" % b"|".join(map(str.encode, _FRAMEWORKS))
)
_MAKES = re.compile(r"(?:make|build|get|create)_\w*loader|\w+_loader")


@dataclass(frozen=True, kw_only=True)
class Overview:
    """How many files import each framework, and what makes a loader, as ``package.module:name``."""

    frameworks: Mapping[str, int]
    makers: tuple[str, ...] = ()

    @property
    def framework(self) -> str:
        """The one that most files import, of two the more special one; empty if there is none."""
        known = [name for name in _FRAMEWORKS if self.frameworks.get(name)]
        return max(known, key=lambda name: self.frameworks[name], default="")


def look(root: Path) -> Overview:
    """Read the Python files of a project, as far as a short time goes."""
    frameworks, makers = Counter[str](), list[str]()
    # A package of the project may be called datasets, too.
    installed = {name for name in _FRAMEWORKS if not _is_own(root, name)}
    ends = time.monotonic() + _SECONDS
    for path in itertools.islice(_sources(root, ends), _FILES):
        module = parsed(path)
        if module is None:
            continue
        frameworks.update(imported(module) & installed)
        name = _importable(path.relative_to(root))
        if name:
            makers += [f"{name}:{each}" for each in _makers(module)]
    return Overview(frameworks=frameworks, makers=tuple(makers))


def _is_own(root: Path, name: str) -> bool:
    places = [folder / each for folder in (root, root / "src") for each in (name, f"{name}.py")]
    return any(each.exists() for each in places)


def _sources(root: Path, ends: float) -> Iterator[Path]:
    """The Python files of a project, found until a time; those of environments are none."""
    for folder, below, names in os.walk(root):
        if time.monotonic() > ends:  # also among folders of data, of which there may be many
            return
        inner = [each for each in below if not each.startswith(".") and each not in _NO_SOURCES]
        below[:] = sorted(each for each in inner if not Path(folder, each, "pyvenv.cfg").exists())
        for each in sorted(names):
            if each.endswith(".py") and time.monotonic() < ends:
                yield Path(folder, each)


def parsed(path: Path, *, whole: bool = False) -> ast.Module | None:
    """The syntax of a file, if there may be something in it; ``whole``: of any file."""
    try:
        with path.open("rb") as file:
            text = file.read() if whole else file.read(_BYTES)
        if not whole and not _MENTION.search(text):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def imported(module: ast.Module) -> set[str]:
    """The packages that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _makers(module: ast.Module) -> list[str]:
    """The functions whose names say that they make a loader, and which a test can call."""
    return [
        node.name
        for node in module.body
        if isinstance(node, ast.FunctionDef)
        and _MAKES.fullmatch(node.name)
        and not node.decorator_list
        and not required(node.args) - {"batch_size"}
    ]


def required(arguments: ast.arguments) -> set[str]:
    """The arguments that a call must give."""
    positional = [*arguments.posonlyargs, *arguments.args]
    given = positional[: len(positional) - len(arguments.defaults)]
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {each.arg for each in (*given, *(name for name, default in keywords if default is None))}


def _importable(path: Path) -> str:
    """The name by which a module of the project is imported, if it is no test."""
    parts = path.with_suffix("").parts
    parts = parts[1:] if parts[0] == "src" else parts
    parts = parts[:-1] if parts[-1:] == ("__init__",) else parts
    test = any(each.startswith("test") or each == "conftest" for each in parts)
    return "" if test or not all(map(str.isidentifier, parts)) else ".".join(parts)
