"""The function that makes a loader, found by its name and read: nothing is imported."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import keyword
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from ..errors import SettingsError
from .seen import parsed, required

SWITCH = "--loaderperf-init"
_SHOWN = 5  # names at most that are offered
_FOLDERS = ("", "src", "lib")  # in which a project may have its packages


@dataclass(frozen=True, kw_only=True)
class Maker:
    """A function, or a class, whose call makes a loader.

    ``file`` is empty where nobody can read it. ``batch_size`` is the one that it has by default,
    0 if there is none, and None if it takes none. ``one_shot``: each call is good for one epoch.
    """

    module: str
    name: str
    file: Path | None = None
    batch_size: int | None = None
    one_shot: bool = False


def find(target: str, root: Path, folders: Sequence[Path], *, how: str) -> Maker:
    """The maker named as ``package.module:name``. SettingsError says what is wrong with it.

    ``folders`` are on the path of a test, beside those that are on this process's. ``how`` makes a
    folder of the project one that is on the path, with ``{}`` in its place.
    """
    module, colon, name = target.partition(":")
    if not module:
        raise SettingsError(
            f"{SWITCH}: name a function that makes a loader: {SWITCH}=package.module:make_loader"
        )
    if not all(map(_is_name, module.split("."))):
        raise SettingsError(
            f"{SWITCH}={target}: {module!r} is no name of a module. Write it as it is imported: "
            f"{SWITCH}=package.module:{name or 'make_loader'}"
        )
    file = _file(module, root, folders, target, how)
    syntax = parsed(file, whole=True) if file else None
    if file is not None and syntax is None:
        raise SettingsError(
            f"{SWITCH}={target}: {file} cannot be read as Python. Mend it: what does `python -m "
            f"py_compile {shlex.quote(str(file))}` say?"
        )
    if not colon or not _is_name(name):
        names = _callables(syntax)
        raise SettingsError(
            f"{SWITCH}={target}: name the function in it that makes a loader, behind a colon: "
            f"{SWITCH}={module}:{names[0] if names else 'make_loader'}{_offered(names[1:])}"
        )
    if syntax is None:
        return Maker(module=module, name=name, file=file)
    return _read(target, Maker(module=module, name=name, file=file), syntax)


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def _file(module: str, root: Path, folders: Sequence[Path], target: str, how: str) -> Path | None:
    """The file of a module, None if it is of another kind. SettingsError if there is none."""
    spec = _spec(module, folders)
    if spec is not None:
        origin = Path(spec.origin) if spec.has_location and spec.origin else None
        return origin if origin and origin.suffix == ".py" else None
    for folder in _FOLDERS:
        if _spec(module, [root / folder], searched=False) is not None:
            raise SettingsError(
                f"{SWITCH}={target}: {module} lies in {folder or 'the root folder'}, from where no "
                f"test can import it. {how.replace('{}', folder or '.')}"
            )
    raise SettingsError(
        f"{SWITCH}={target}: no test can import {module}: there is no such module. Write its name "
        f"as your code imports it, such as {SWITCH}=package.module:make_loader"
    )


def _spec(module: str, folders: Sequence[Path], *, searched: bool = True) -> ModuleSpec | None:
    """Find a module without running a package that it lies in."""
    first, *others = module.split(".")
    spec = PathFinder.find_spec(first, [*map(str, folders)])
    if spec is None and searched:
        with contextlib.suppress(ValueError, ImportError):  # of a module that is loaded already
            spec = importlib.util.find_spec(first)
    name = first
    for each in others:
        name += f".{each}"
        places = spec.submodule_search_locations if spec else None
        spec = PathFinder.find_spec(name, [*places]) if places is not None else None
    return spec


def _read(target: str, maker: Maker, syntax: ast.Module) -> Maker:
    """What the text of its module says of a maker."""
    defined = {name: node for node in _statements(syntax) for name in _names(node)}
    node = defined.get(maker.name)
    if node is None:
        if "*" in defined or "__getattr__" in defined:  # then only an import tells
            return maker
        names = _callables(syntax)
        said = f"It has {', '.join(names)}: " if names else ""
        raise SettingsError(
            f"{SWITCH}={target}: {maker.module} has no {maker.name}. {said}"
            f"{SWITCH}={maker.module}:{names[0] if names else 'make_loader'}"
        )
    if isinstance(node, ast.AsyncFunctionDef):
        raise SettingsError(
            f"{SWITCH}={target}: {maker.name} is a coroutine, and no loader comes of calling it. "
            "Name a function that is not async"
        )
    if isinstance(node, ast.Assign | ast.AnnAssign) and _is_data(node.value):
        raise SettingsError(
            f"{SWITCH}={target}: {maker.name} is no function, but a value. Name a function that "
            f"makes a loader{_offered(_callables(syntax))}"
        )
    arguments = _arguments(node)
    if arguments is None:
        return maker
    one_shot = isinstance(node, ast.FunctionDef) and _yields(node)
    missing = sorted(required(arguments) - {"batch_size"})
    if missing:
        call = ", ".join(f"{each}=..." for each in missing)
        other = "make_loader" if maker.name != "make_loader" else "make_small_loader"
        raise SettingsError(
            f"{SWITCH}={target}: {maker.name} needs {', '.join(missing)}, which nobody can guess. "
            f"Write a function without, such as `def {other}(): return {maker.name}({call})`, "
            f"and name that one: {SWITCH}={maker.module}:{other}"
        )
    return Maker(
        module=maker.module,
        name=maker.name,
        file=maker.file,
        batch_size=_batch_size(arguments),
        one_shot=one_shot,
    )


def _statements(syntax: ast.Module) -> list[ast.stmt]:
    """What is defined at the top of a module, also under a condition."""
    found: list[ast.stmt] = []
    todo: list[ast.stmt] = [*syntax.body]
    while todo:
        node = todo.pop(0)
        found.append(node)
        if isinstance(node, ast.If | ast.Try | ast.With):
            todo[:0] = [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.stmt)]
    return found


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
    return [name.id for each in targets for name in ast.walk(each) if isinstance(name, ast.Name)]


def _callables(syntax: ast.Module | None) -> list[str]:
    """The functions of a module that may make a loader, the likely ones first."""
    nodes = syntax.body if syntax else []
    names = [each.name for each in nodes if isinstance(each, ast.FunctionDef)]
    public = [each for each in names if not each.startswith("_")]
    return sorted(public, key=lambda name: "loader" not in name)[:_SHOWN]


def _offered(names: Sequence[str]) -> str:
    return f", such as {', '.join(names)}" if names else ""


def _is_data(value: ast.expr | None) -> bool:
    literal = (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.JoinedStr)
    return isinstance(value, literal)


def _arguments(node: ast.stmt) -> ast.arguments | None:
    """What a call takes; None where the text does not tell."""
    if isinstance(node, ast.FunctionDef):
        return None if node.decorator_list else node.args
    if isinstance(node, ast.ClassDef):
        inits = [each for each in node.body if getattr(each, "name", "") == "__init__"]
        if inits and isinstance(inits[0], ast.FunctionDef):
            own = inits[0].args
            return ast.arguments(
                posonlyargs=own.posonlyargs[1:],
                args=own.args[not own.posonlyargs :],
                kwonlyargs=own.kwonlyargs,
                kw_defaults=own.kw_defaults,
                defaults=own.defaults,
            )
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
        return node.value.args
    return None


def _yields(node: ast.FunctionDef) -> bool:
    """Whether a function is a generator; functions inside of it may be one for themselves."""
    todo: list[ast.AST] = [*node.body]
    while todo:
        each = todo.pop()
        if isinstance(each, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            todo += ast.iter_child_nodes(each)
    return False


def _batch_size(arguments: ast.arguments) -> int | None:
    """The default of the argument batch_size: 0 without a number, None without the argument."""
    positional = [*arguments.posonlyargs, *arguments.args]
    with_default = positional[len(positional) - len(arguments.defaults) :]
    defaults = dict(zip((each.arg for each in with_default), arguments.defaults, strict=True))
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    defaults |= {each.arg: default for each, default in keywords if default is not None}
    if "batch_size" not in [each.arg for each in (*arguments.args, *arguments.kwonlyargs)]:
        return None
    default = defaults.get("batch_size")
    value = default.value if isinstance(default, ast.Constant) else None
    return value if type(value) is int and value > 0 else 0
