"""A check of each loader that waits."""

from __future__ import annotations

from typing import Any

import pytest
from loaders import LOADERS


@pytest.mark.parametrize("name", LOADERS)
def test_it(loaderperf: Any, name: str) -> None:
    """Check one of them."""
    loaderperf.check(LOADERS[name]())
