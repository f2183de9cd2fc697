"""A regression guard for the speed and memory of data loaders, as a pytest plugin.

PYTEST_DONT_REWRITE: a process that measures imports this package before pytest is configured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .arm.fixture import LoaderPerf
    from .arm.perf import Perf
    from .data import DataFolder

__version__ = "0.1.0"
__all__ = ["DataFolder", "LoaderPerf", "Perf", "__version__"]

_HOMES = {"DataFolder": "data", "LoaderPerf": "arm.fixture", "Perf": "arm.perf"}


def __getattr__(name: str) -> object:
    """Import a public type when it is asked for: a plain `pytest` run needs none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
