"""Which test files hold loader checks, found from their text: nothing is imported.

Two frameworks cannot always live in one process, and importing one takes seconds. So neither the
coordinating process nor a plain `pytest` imports a file to learn that it holds loader checks.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

_NAME = "loaderperf"


@dataclass(frozen=True)
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
        return parse(text) if _NAME.encode() in text else Mention(mentions=False)
    except (OSError, SyntaxError, ValueError):
        return Mention(mentions=False)


def conftest_mentions(path: Path, root: Path) -> bool:
    """Whether a conftest that serves this file mentions the fixture: it may wrap it."""
    folders = [folder for folder in path.parents if folder.is_relative_to(root)]
    return any(read(folder / "conftest.py").mentions for folder in folders)


def parse(text: bytes) -> Mention:
    """What the text of a module says."""
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
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            inherits = node.bases or node.keywords
            inside = marked or any(map(_mentions, node.decorator_list))
            names = _checks(node.body, f"{prefix}{node.name}::", marked=inside)
            if inherits or not names:
                return ()
            found += names
        elif isinstance(node, ast.If | ast.Try | ast.With | ast.For):
            if any(_defines_test(inner) for inner in ast.walk(node)):
                return ()
        elif isinstance(node, ast.ImportFrom) and any(a.name == "*" for a in node.names):
            return ()
    return tuple(found)


def _is_check(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = [arg.arg for arg in (*node.args.args, *node.args.kwonlyargs)]
    return _NAME in arguments or any(map(_mentions, node.decorator_list))


def _marked_as_a_whole(body: list[ast.stmt]) -> bool:
    return any(
        isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets)
        and _mentions(node.value)
        for node in body
    )


def _defines_test(node: ast.AST) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    return node.name.lower().startswith("test")


def _mentions(node: ast.AST) -> bool:
    return any(_is_mention(inner) for inner in ast.walk(node))


def _is_mention(node: ast.AST) -> bool:
    """Whether a node is the marker, the fixture, or a text that asks for it by name."""
    return (
        (isinstance(node, ast.Attribute) and node.attr == _NAME)
        or (isinstance(node, ast.arg) and node.arg == _NAME)
        or (isinstance(node, ast.Constant) and node.value == _NAME)
    )
