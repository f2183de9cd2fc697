"""What a module that is not imported looks like to hooks and plugins, made from its text.

Mostly they want names, documentation and signatures, which the text tells. A module and its classes
have these, and import the real module for anything else.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest


def stand_in(path: Path, name: str, real: Callable[[], ModuleType]) -> ModuleType:
    """A module with the classes and functions of a file, none of which does anything.

    ``real`` gives the module of which they are; ImportError where it cannot be imported.
    """

    def attribute(name: str, *place: str) -> object:
        if name.startswith("_"):  # asked for by Python and pytest themselves, all the time
            raise AttributeError(name)
        try:
            found: object = real()
        except ImportError as error:
            raise AttributeError(f"{name} of {path}: {error}") from error
        for each in (*place, name):
            found = getattr(found, each)
        return found

    class Deferred(type):
        def __getattr__(cls, name: str) -> object:
            return attribute(name, *cls.__qualname__.split("."))

    module = ModuleType(name)
    module.__file__ = str(path)
    namespace = vars(module)
    namespace |= {_CLASS: Deferred, _FIXTURE: pytest.fixture}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are those of its import
        tree = ast.parse(path.read_bytes())
        tree.body = list(_bare(tree.body))
        code = compile(tree, str(path), "exec", dont_inherit=True)
    exec(code, namespace)  # noqa: S102  (defines only)
    del namespace[_CLASS], namespace[_FIXTURE]
    namespace["__getattr__"] = attribute
    return module


# The metaclass of its classes, and pytest.fixture, while the text is run.
_CLASS = "_loaderperf_class"
_FIXTURE = "_loaderperf_fixture"


def _bare(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Classes, functions and documentation, without all that would do something."""
    for index, node in enumerate(body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = node.args
            for each in ast.walk(arguments):
                if isinstance(each, ast.arg):
                    each.annotation = None
            arguments.defaults = [_nothing(each) for each in arguments.defaults]
            arguments.kw_defaults = [each and _nothing(each) for each in arguments.kw_defaults]
            node.decorator_list = list(_fixtures(node.decorator_list))
            node.returns = None
            yield _with_body(node, [])
        elif isinstance(node, ast.ClassDef):
            named = ast.keyword("metaclass", ast.Name(_CLASS, ast.Load()))
            node.decorator_list, node.bases, node.keywords = [], [], [named]
            yield _with_body(node, list(_bare(node.body)))
        elif index == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node


def _fixtures(decorators: list[ast.expr]) -> Iterator[ast.expr]:
    """That a function is a fixture: with it come others, for a test that asks for it."""
    for node in decorators:
        call = node if isinstance(node, ast.Call) else None
        name = ast.unparse(call.func if call else node).rpartition(".")[2]
        if name == "fixture":
            keywords = list(filter(None, map(_told, call.keywords))) if call else []
            fixture = ast.Call(ast.Name(_FIXTURE, ast.Load()), [], keywords)
            yield ast.fix_missing_locations(ast.copy_location(fixture, node))


def _told(keyword: ast.keyword) -> ast.keyword | None:
    """What the text tells of a fixture; of its parameters, that there are some."""
    if keyword.arg == "params":
        return ast.keyword("params", ast.List([ast.Constant(None)], ast.Load()))
    told = keyword.arg in ("name", "autouse") and isinstance(keyword.value, ast.Constant)
    return keyword if told else None


def _nothing(node: ast.expr) -> ast.expr:
    return ast.copy_location(ast.Constant(None), node)


def _with_body(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, body: list[ast.stmt]
) -> ast.stmt:
    documented = ast.get_docstring(node, clean=False) is not None
    node.body = body or (node.body[:1] if documented else [ast.Pass()])
    return ast.fix_missing_locations(node)
