"""Modules that git ignores: whether somebody has written them, and what they may be made of."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Literal

# As compilers of protocols, version tools and the like begin what they write.
_SAYS_SO = re.compile(r"generated|do not edit|automatically", re.IGNORECASE)
_HEAD_LINES = 10
# What modules are generated from.
_TEMPLATES = (
    ".proto", ".thrift", ".j2", ".jinja", ".jinja2", ".tmpl", ".in", ".g4", ".lark", ".fbs",
)  # fmt: skip
_DOCUMENTS = (".md", ".rst", ".txt", ".ipynb")


def kind(path: Path) -> Literal["written", "generated", "idle"]:
    """What a module is.

    One that defines neither functions nor classes, as one with a version number, is idle.
    """
    try:
        text = path.read_text("utf-8", "replace")
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError):
        return "written"
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    if not any(isinstance(node, defined) for node in ast.walk(tree)):
        return "idle"
    return "generated" if _says_so(text) else "written"


def says_so(path: Path) -> bool:
    """Whether a module says that it was generated."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return False
    return _says_so(text)


def _says_so(text: str) -> bool:
    return bool(_SAYS_SO.search("\n".join(text.splitlines()[:_HEAD_LINES])))


def may_be_of(module: str, file: str, top: Path) -> bool:
    """Whether a generated module may be made of a file, or by it: then that has its name in it."""
    if file.endswith(_TEMPLATES):
        return True
    if file.endswith(_DOCUMENTS) or "baselines/" in file:
        return False
    try:
        return Path(module).stem in Path(top, file).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
