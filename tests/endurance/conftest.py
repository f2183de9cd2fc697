"""Long tests, run by name: `pytest tests/endurance --hours=2 --checks=500`."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long, and how much; short by default."""
    group = parser.getgroup("endurance")
    group.addoption("--hours", type=float, default=0.02, help="of runs with random faults")
    group.addoption("--seed", type=int, default=None, help="of the first of these runs")
    group.addoption("--checks", type=int, default=30, help="in one run")
