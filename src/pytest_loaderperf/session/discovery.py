"""Which test files hold loader checks, found from their text: nothing is imported.

Two frameworks cannot always live in one process, and importing one takes seconds. So neither the
coordinating process nor a plain `pytest` imports a file to learn that it holds loader checks.
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from pathlib import Path

from ..items import MARKER


@dataclass(frozen=True, kw_only=True)
class Mention:
    """What the text of a test file says about loader checks.

    ``checks`` are the names of its checks (``TestPhotos::test_train``), or None if it has other
    tests as well, or a structure that the text alone does not tell.
    """

    mentions: bool
    checks: tuple[str, ...] | None = None


def read(path: Path) -> Mention:
    """Look at a test file; one that cannot be parsed is left to pytest's own error message."""
    try:
        text = path.read_bytes()
    except OSError:
        return Mention(mentions=False)
    if MARKER.encode() not in text:
        return Mention(mentions=False)
    try:
        return parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Mention(mentions=True)  # a guard that skipped it would pass without its checks


def conftest_mentions(path: Path, root: Path) -> bool:
    """Whether a conftest that serves this file mentions the fixture: it may wrap it."""
    folders = [folder for folder in path.parents if folder.is_relative_to(root)]
    return any(read(folder / "conftest.py").mentions for folder in folders)


def parse(text: bytes) -> Mention:
    """What the text of a module says."""
    with warnings.catch_warnings():  # they are shown, or raised, when the file is imported
        warnings.simplefilter("ignore")
        module = ast.parse(text)
    if not any(_is_mention(node) for node in ast.walk(module)):
        return Mention(mentions=False)
    names = _checks(module.body, "", marked=_marked_as_a_whole(module.body))
    return Mention(mentions=True, checks=names or None)


def _checks(body: list[ast.stmt], prefix: str, *, marked: bool) -> tuple[str, ...]:
    """The names of the checks in a body that holds nothing but checks; else none."""
    found: list[str] = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if not node.name.startswith("test"):
                continue
            if not (marked or _is_check(node)):
                return ()
            found.append(prefix + node.name)
        elif isinstance(node, ast.ClassDef) and not (node.bases or node.keywords):
            if not node.name.startswith("Test"):
                continue
            inside = marked or any(map(_asks, node.decorator_list))
            names = _checks(node.body, f"{prefix}{node.name}::", marked=inside)
            if not names:
                return ()
            found += names
        elif any(map(_may_add_tests, ast.walk(node))):
            return ()
    return tuple(found)


def _is_check(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = node.args.args[: len(node.args.args) - len(node.args.defaults)]
    keywords = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    names = [arg.arg for arg in (*arguments, *(arg for arg, value in keywords if not value))]
    return MARKER in names or any(map(_asks, node.decorator_list))


def _asks(node: ast.expr) -> bool:
    """Whether a mark is the marker, or asks for the fixture."""
    call = node if isinstance(node, ast.Call) else None
    mark = call.func if call else node
    if not isinstance(mark, ast.Attribute):
        return False
    asked = call.args if call and mark.attr == "usefixtures" else []
    return mark.attr == MARKER or any(map(_is_mention, asked))


def _marked_as_a_whole(body: list[ast.stmt]) -> bool:
    return any(
        isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets)
        and any(map(_asks, node.value.elts if isinstance(node.value, ast.List) else [node.value]))
        for node in body
    )


def _may_add_tests(node: ast.AST) -> bool:
    """Whether a part of a statement may bring tests that the text does not show, or not surely."""
    names: list[str] = []
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        names = [node.name]
    elif isinstance(node, ast.ClassDef):  # pytest collects a unittest.TestCase of any name
        names = [node.name, *(ast.unparse(base).rpartition(".")[2] for base in node.bases)]
        names = [name.removesuffix("Case") for name in names]
    elif isinstance(node, ast.ImportFrom):
        names = [alias.asname or alias.name for alias in node.names]
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        names = [node.id]
    return any(name == "*" or name.lower().startswith("test") for name in names)


def _is_mention(node: ast.AST) -> bool:
    """Whether a node is the marker, the fixture, or a text that asks for it by name."""
    return (
        (isinstance(node, ast.Attribute) and node.attr == MARKER)
        or (isinstance(node, ast.arg) and node.arg == MARKER)
        or (isinstance(node, ast.Constant) and node.value == MARKER)
    )
