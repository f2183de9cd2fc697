"""What the text of a Python file says: what it imports, names and may run. Read, not run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
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


# Does a test need numbers, or only that no metric is worse than its baseline?


def needs_numbers(source: str, names: Sequence[str]) -> bool:
    """Whether a test may look at what was measured: in a budget, say. In doubt it does.

    ``names`` are those of its classes and its own, without parameters. Nothing is needed where it
    does no more than hand over its loader, and compare metrics with those of the baseline.
    """
    try:
        body: list[ast.stmt] = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    for name in names[:-1]:
        classes = [each for each in body if isinstance(each, ast.ClassDef) and each.name == name]
        if len(classes) != 1:
            return True
        body = classes[0].body
    tests = [each for each in body if isinstance(each, ast.FunctionDef) and each.name == names[-1]]
    return len(tests) != 1 or not _only_compares(tests[0])


def _only_compares(test: ast.FunctionDef) -> bool:
    """Whether all uses of the fixture, and of the result that it gives, are of the plain kind."""
    results: set[str] = set()
    plain: set[int] = set()  # nodes whose use needs no number
    handed = 0
    for node in ast.walk(test):
        if isinstance(node, ast.Call) and _is_the_fixture(node.func):
            handed += 1
            plain.update(id(each) for each in ast.walk(node.func))
        if isinstance(node, ast.Assign) and _hands_over(node.value):
            results.update(each.id for each in node.targets if isinstance(each, ast.Name))
            if not all(isinstance(each, ast.Name) for each in node.targets):
                return False
            plain.update(id(each) for each in [node.value, *node.targets])
        if isinstance(node, ast.Expr) and _hands_over(node.value):
            plain.add(id(node.value))
    for node in ast.walk(test):
        if isinstance(node, ast.Compare) and _with_the_baseline(node, results):
            plain.update(id(each) for each in ast.walk(node))
    used = {MARKER, *results}
    looked_at = (
        node
        for node in ast.walk(test)
        if (isinstance(node, ast.Name) and node.id in used) or _hands_over(node)
    )
    return handed == 1 and all(id(node) in plain for node in looked_at)


def _is_the_fixture(function: ast.expr) -> bool:
    """``loaderperf`` itself, or ``loaderperf.check``."""
    if isinstance(function, ast.Attribute) and function.attr == "check":
        function = function.value
    return isinstance(function, ast.Name) and function.id == MARKER


def _hands_over(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _is_the_fixture(node.func)


def _with_the_baseline(node: ast.Compare, results: set[str]) -> bool:
    """``perf.metric >= perf.baseline.metric``, of one result."""
    if len(node.comparators) != 1:
        return False
    left, right = node.left, node.comparators[0]
    return (
        isinstance(left, ast.Attribute)
        and isinstance(left.value, ast.Name)
        and left.value.id in results
        and isinstance(right, ast.Attribute)
        and isinstance(right.value, ast.Attribute)
        and right.value.attr == "baseline"
        and isinstance(right.value.value, ast.Name)
        and right.value.value.id == left.value.id
        and right.attr == left.attr
        and isinstance(node.ops[0], ast.GtE | ast.LtE)
    )
