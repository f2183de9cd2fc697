"""Fault tests: no process that one starts may be left."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _nothing_is_left(nothing_is_left: None) -> None:
    """Of any test here."""
