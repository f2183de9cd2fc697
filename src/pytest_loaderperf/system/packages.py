"""The versions of the packages that a process has imported."""

from __future__ import annotations

import functools
import sys
from collections.abc import Collection, Iterator, Mapping
from importlib import metadata
from types import ModuleType

# Those that make a loader fast or slow, whoever has imported them: module -> distribution.
_KNOWN = {
    "torch": "torch",
    "torchvision": "torchvision",
    "torchdata": "torchdata",
    "tensorflow": "tensorflow",
    "keras": "keras",
    "numpy": "numpy",
    "PIL": "pillow",
    "cv2": "opencv-python",
    "datasets": "datasets",
    "webdataset": "webdataset",
    "grain": "grain",
    "ray": "ray",
}
_INSTALLED = ("site-packages", "dist-packages")  # folders that hold what is installed


def versions(before: Collection[str] = ()) -> dict[str, str]:
    """The versions of the distributions that this process has imported, by their names.

    What was imported ``before`` (names of modules) is not the tests': pytest and its plugins. The
    packages that are known to matter count all the same.
    """
    found = {}
    for module in _top_level(before):
        if distribution := _KNOWN.get(module) or _distribution(module):
            try:
                found[distribution] = metadata.version(distribution)
            except metadata.PackageNotFoundError:
                held = object.__getattribute__(sys.modules[module], "__dict__")
                found[distribution] = str(held.get("__version__", "unknown"))
    return dict(sorted(found.items()))


def differing(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The packages of both sides whose versions differ: those before and now.

    One that only one side has imported is no other version: its code has changed.
    """
    both = [name for name in sorted(before) if name in now]
    return {name: (before[name], now[name]) for name in both if before[name] != now[name]}


def _top_level(before: Collection[str]) -> Iterator[str]:
    for name in tuple(sys.modules):
        if name in _KNOWN or ("." not in name and name not in before and _is_installed(name)):
            yield name


def _is_installed(name: str) -> bool:
    """Whether a module comes from where packages are installed, and not from the project."""
    module = sys.modules[name]
    if name in sys.stdlib_module_names or not isinstance(module, ModuleType):
        return False
    held = object.__getattribute__(module, "__dict__")  # to ask would import one that is lazy
    places = [held.get("__file__"), getattr(held.get("__spec__"), "origin", None)]
    places += held.get("__path__") or ()
    return any(folder in str(place) for place in places for folder in _INSTALLED)


def _distribution(module: str) -> str:
    """The distribution that a module is from; "" if none says so."""
    try:
        return str(metadata.distribution(module).metadata["Name"])
    except metadata.PackageNotFoundError:
        return _by_module().get(module, "")


@functools.cache
def _by_module() -> dict[str, str]:
    """What distributions say of their modules, as far as that is cheap to read."""
    found: dict[str, str] = {}
    for each in metadata.distributions():
        for module in (each.read_text("top_level.txt") or "").split():
            found.setdefault(module, str(each.metadata["Name"]))
    return found
