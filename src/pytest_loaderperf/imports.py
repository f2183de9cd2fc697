"""Which tree the modules of a process come from: a version must be measured on its own sources."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

_OURSELVES = str(Path(__file__).parent) + os.sep  # the guard itself is the same for both versions


def moved(path: str, old: str, new: str) -> str:
    """A path in the old tree as the same path in the new one; others stay as they are.

    Installed packages stay too, although a virtual environment may lie inside the tree.
    """
    if not new or not _is_source(path, old):
        return path
    return str(Path(new) / Path(path).relative_to(old))


def redirect_editable_finders(old: str, new: str) -> None:
    """Point editable installs of the setuptools kind from the old tree to the new one.

    Other build backends put a folder on ``sys.path``, which the caller moves.
    """
    for name, module in list(sys.modules.items()):
        mapping = getattr(module, "MAPPING", None)
        if name.startswith("__editable__") and isinstance(mapping, dict):
            mapping.update({key: moved(path, old, new) for key, path in mapping.items()})


def imported_from(root: str) -> list[str]:
    """The modules that this process has imported from sources below a folder."""
    if not root:
        return []
    return sorted(name for name, path in _imported() if _is_source(path, root))


def shadowed(root: str) -> list[str]:
    """Packages below a project root that were imported from somewhere else.

    Such a project is installed as a copy: every version of it would measure that same copy.
    """
    own = {
        init.parent.name
        for folder in (Path(root), Path(root, "src"))
        for init in folder.glob("*/__init__.py")
    }
    return sorted(name for name, path in _imported() if name in own and not _is_source(path, root))


def _imported() -> Iterator[tuple[str, str]]:
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None) if isinstance(module, ModuleType) else None
        if isinstance(path, str) and not path.startswith(_OURSELVES):
            yield name, path


def _is_source(path: str, root: str) -> bool:
    if not path.startswith(root):  # the quick answer for nearly all of some thousand modules
        return False
    installed = Path(sys.prefix)
    parts = Path(path)
    return (
        parts.is_relative_to(root)
        and "site-packages" not in parts.parts
        and not (installed.is_relative_to(root) and parts.is_relative_to(installed))
    )
