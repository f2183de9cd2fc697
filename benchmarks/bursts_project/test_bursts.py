"""A check of each loader whose loss lives in a part of an epoch."""

from __future__ import annotations

from typing import Any

import pytest
from loaders import LOADERS


@pytest.mark.parametrize("name", LOADERS)
def test_burst(loaderperf: Any, name: str) -> None:
    """Check one of them."""
    loaderperf.check(LOADERS[name](), samples=len)
