"""The scripts of .ci, as modules: they are no package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).resolve().parents[2] / ".ci"


def script(name: str) -> ModuleType:
    """Import one, such as ``sentences``."""
    known = f"scripts_of_ci_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, FOLDER / f"{name}.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[known] = module  # dataclasses look for it there
        spec.loader.exec_module(module)
    return sys.modules[known]
