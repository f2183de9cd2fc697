"""Which test files hold loader checks, found from their text: nothing is imported.

Two frameworks cannot always live in one process, and importing one takes seconds. So neither the
coordinating process nor a plain `pytest` imports a file to learn that it holds loader checks.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..items import MARKER


@dataclass(frozen=True, kw_only=True)
class Mark:
    name: str
    args: tuple[object, ...]
    kwargs: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class WrittenCheck:
    """A check as the text of its module shows it."""

    names: tuple[str, ...]  # below the module: classes, then the test without parameters
    line: int  # from 0, as pytest has it: of its first decorator
    marks: tuple[Mark, ...]  # with literal arguments, the closest ones first
    parametrized: bool  # visibly; a fixture or a hook may do so as well


@dataclass(frozen=True, kw_only=True)
class Mention:
    """What the text of a test file says about loader checks.

    ``written`` are its checks, or None if it has other tests as well, or a structure that the text
    alone does not tell.
    """

    mentions: bool
    written: tuple[WrittenCheck, ...] | None = None

    @property
    def checks(self) -> tuple[str, ...] | None:
        """The names of the checks, as in ``TestPhotos::test_train``."""
        written = self.written
        return None if written is None else tuple("::".join(each.names) for each in written)


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
    written = _checks(module.body, (), _marks_of_all(module.body))
    return Mention(mentions=True, written=written or None)


def _checks(
    body: list[ast.stmt], classes: tuple[str, ...], around: list[ast.expr]
) -> tuple[WrittenCheck, ...]:
    """The checks in a body that holds nothing but checks; else none. ``around`` are its marks."""
    marked = any(map(_asks, around))
    found: list[WrittenCheck] = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if not node.name.startswith("test"):
                continue
            if not (marked or _is_check(node)):
                return ()
            marks = [*node.decorator_list[::-1], *around]
            found.append(
                WrittenCheck(
                    names=(*classes, node.name),
                    line=min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1,
                    marks=tuple(filter(None, map(_literal, marks))),
                    parametrized=any(map(_parametrizes, marks)),
                )
            )
        elif isinstance(node, ast.ClassDef) and not (node.bases or node.keywords):
            if not node.name.startswith("Test"):
                continue
            marks = [*node.decorator_list, *_marks_of_all(node.body), *around]
            inside = _checks(node.body, (*classes, node.name), marks)
            if not inside:
                return ()
            found += inside
        elif any(map(_may_add_tests, ast.walk(node))):
            return ()
    return tuple(found)


def _is_check(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = node.args.args[: len(node.args.args) - len(node.args.defaults)]
    keywords = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    names = [arg.arg for arg in (*arguments, *(arg for arg, value in keywords if not value))]
    return MARKER in names or any(map(_asks, node.decorator_list))


def _mark(node: ast.expr) -> tuple[str, ast.Call | None]:
    """The name of a mark, or of what may be one, and its call."""
    call = node if isinstance(node, ast.Call) else None
    mark = call.func if call else node
    return (mark.attr, call) if isinstance(mark, ast.Attribute) else ("", None)


def _asks(node: ast.expr) -> bool:
    """Whether a mark is the marker, or asks for the fixture."""
    name, call = _mark(node)
    asked = call.args if call and name == "usefixtures" else []
    return name == MARKER or any(map(_is_mention, asked))


def _parametrizes(node: ast.expr) -> bool:
    name, call = _mark(node)
    sizes = call.keywords if call and name == MARKER else []
    return name == "parametrize" or any(each.arg == "batch_sizes" for each in sizes)


def _literal(node: ast.expr) -> Mark | None:
    """A mark of which the text tells all; parameters would be those of more than one test."""
    name, call = _mark(node)
    place = ast.unparse(call.func if call else node).removeprefix("pytest.")
    if place != f"mark.{name}" or name == "parametrize":
        return None
    try:
        args = tuple(ast.literal_eval(each) for each in call.args) if call else ()
        named = {each.arg: ast.literal_eval(each.value) for each in call.keywords} if call else {}
    except (ValueError, TypeError):
        return None
    kwargs = {name: value for name, value in named.items() if name is not None}
    return Mark(name=name, args=args, kwargs=kwargs) if len(kwargs) == len(named) else None


def _marks_of_all(body: list[ast.stmt]) -> list[ast.expr]:
    """What a body assigns to ``pytestmark``."""
    assigned = [
        node.value
        for node in body
        if isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets)
    ]
    lists = [value.elts if isinstance(value, ast.List) else [value] for value in assigned]
    return [mark for marks in lists for mark in marks]


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
