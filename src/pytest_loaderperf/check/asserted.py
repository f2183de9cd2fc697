"""Does a test need numbers, or only that no metric is worse than its baseline? Read, not run."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ..items import MARKER


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
