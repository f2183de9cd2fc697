"""What the text of a Python file says: what it imports, names, and may run. Read, not run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..items import MARKER

WORD = re.compile(r"\w+")
# Whoever uses one of these may run a module that no text names.
_DYNAMIC_MODULES = {
    "importlib", "imp", "pkgutil", "runpy", "zipimport", "pickle", "dill", "cloudpickle", "joblib",
    "shelve", "marshal", "pydoc",
}  # fmt: skip
_PLAIN = {"importlib.metadata", "importlib.resources", "importlib.util.find_spec"}
_DYNAMIC_ANYWHERE = {
    "entry_points", "iter_entry_points", "allow_pickle", "exec_module", "load_module",
}  # fmt: skip
_DYNAMIC_NAMES = {"__import__", "exec", "eval"} | _DYNAMIC_ANYWHERE
_DYNAMIC_CALLS = {("torch", "load")}  # it unpickles


@dataclass(frozen=True, kw_only=True)
class Text:
    """What the text of a file says: which words are in it, and which of them may load a module.

    ``strings`` are all texts that its code has, without those that document it; ``imports`` are
    the modules that it imports, and what it takes from them, as dotted names (relative ones begin
    with a dot). ``dynamic``: it may run modules that no text names. ``wraps``: it has a fixture
    around that of this plugin.
    """

    words: frozenset[str]
    strings: tuple[str, ...] = ()
    imports: frozenset[str] = frozenset()
    dynamic: bool = False
    wraps: bool = False


def read(content: str) -> Text:
    """Read the text of a Python file, and do not run it."""
    words = frozenset(WORD.findall(content))
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Text(words=words, strings=(content,), dynamic=True)
    documents = {id(each) for each in _documents(tree)}
    strings: list[str] = []
    imports: set[str] = set()
    dynamic = wraps = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in documents:
            if isinstance(node.value, str):
                strings.append(node.value)
            elif isinstance(node.value, bytes):
                strings.append(node.value.decode("latin-1"))
        imports.update(_imports_of(node))
        wraps = wraps or _is_fixture_around(node)
        dynamic = dynamic or _calls_by_name(node)
    return Text(
        words=words,
        strings=tuple(strings),
        imports=frozenset(imports),
        dynamic=dynamic or any(map(_is_dynamic, imports)),
        wraps=wraps,
    )


def _imports_of(node: ast.AST) -> Iterator[str]:
    """The modules that a statement imports, and what it takes from them, as dotted names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        start = "." * node.level + (f"{node.module}." if node.module else "")
        yield from (f"{start}{alias.name}" for alias in node.names)


def _is_fixture_around(node: ast.AST) -> bool:
    """Whether it is a fixture that takes the one of this plugin, or its name."""
    if not isinstance(node, ast.FunctionDef):
        return False
    taken = {node.name, *(each.arg for each in [*node.args.args, *node.args.kwonlyargs])}
    decorated = (each for decorator in node.decorator_list for each in ast.walk(decorator))
    return MARKER in taken and any(
        getattr(each, "attr", getattr(each, "id", "")) == "fixture" for each in decorated
    )


def _calls_by_name(node: ast.AST) -> bool:
    """Whether it may run code that is named nowhere."""
    if isinstance(node, ast.Name):
        return node.id in _DYNAMIC_NAMES
    if isinstance(node, ast.Attribute):
        owner = node.value.id if isinstance(node.value, ast.Name) else ""
        return node.attr in _DYNAMIC_ANYWHERE or (owner, node.attr) in _DYNAMIC_CALLS
    return isinstance(node, ast.keyword) and node.arg in _DYNAMIC_ANYWHERE


def _documents(tree: ast.Module) -> Iterator[ast.expr]:
    """The texts that document a module, its classes and functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                yield first.value


def _is_dynamic(name: str) -> bool:
    first, last = name.partition(".")[0], name.rpartition(".")[2]
    if last in _DYNAMIC_ANYWHERE or (first, last) in _DYNAMIC_CALLS:
        return True
    plain = any(name == each or name.startswith(f"{each}.") for each in _PLAIN)
    return first in _DYNAMIC_MODULES and not plain
