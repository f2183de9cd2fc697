"""A regression guard for the speed and memory of data loaders, as a pytest plugin.

PYTEST_DONT_REWRITE: a process that measures imports this package before pytest is configured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .arm.fixture import LoaderPerf as LoaderPerf
    from .arm.perf import BaselineValue as BaselineValue
    from .arm.perf import Measured as Measured
    from .arm.perf import Perf as Perf
    from .arm.variants import Ratio as Ratio
    from .arm.variants import Variants as Variants
    from .data import DataFolder as DataFolder
    from .errors import InconclusiveWarning as InconclusiveWarning
    from .errors import LoaderPerfError as LoaderPerfError
    from .model.results import Relation as Relation
    from .model.results import Verdict as Verdict

__version__ = "0.2.0"
__all__ = [
    "BaselineValue",
    "DataFolder",
    "InconclusiveWarning",
    "LoaderPerf",
    "LoaderPerfError",
    "Measured",
    "Perf",
    "Ratio",
    "Relation",
    "Variants",
    "Verdict",
    "__version__",
]

_HOMES = {
    "BaselineValue": "arm.perf",
    "DataFolder": "data",
    "InconclusiveWarning": "errors",
    "LoaderPerf": "arm.fixture",
    "LoaderPerfError": "errors",
    "Measured": "arm.perf",
    "Perf": "arm.perf",
    "Ratio": "arm.variants",
    "Relation": "model.results",
    "Variants": "arm.variants",
    "Verdict": "model.results",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for: a plain `pytest` run needs none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
