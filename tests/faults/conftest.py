"""Fault tests: no process that one starts may be left."""

from __future__ import annotations

from integration import conftest

_nothing_is_left = conftest._nothing_is_left
