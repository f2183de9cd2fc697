"""A check of each wrapper."""

from __future__ import annotations

from typing import Any

import pytest
from loaders import LOADERS, samples


@pytest.mark.parametrize("name", LOADERS)
def test_it(loaderperf: Any, name: str) -> None:
    """Check one of them."""
    loaderperf.check(LOADERS[name](), samples=samples)
