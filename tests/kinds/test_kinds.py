"""Loaders of all kinds: they are counted and described, and a slowed one fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kinds.harness import assert_guarded, guard, look, needs
from kinds.kind import Expected, Slowed
from kinds.table import KINDS

LOADERS = [
    pytest.param(name, loader, expected, id=f"{name}: {loader}", marks=needs(*kind.needs))
    for name, kind in KINDS.items()
    for loader, expected in kind.loaders.items()
]
SLOWED = [
    pytest.param(name, loader, slowed, id=f"{name}: {loader}", marks=needs(*kind.needs))
    for name, kind in KINDS.items()
    for loader, slowed in kind.slowed.items()
]
Look = Callable[[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Look:
    """What is found of a loader: all of a kind are looked at in one process, when first asked."""
    found: dict[str, dict[str, Any]] = {}

    def of(name: str, loader: str) -> dict[str, Any]:
        if name not in found:
            kind = KINDS[name]
            found[name] = look(tmp_path_factory.mktemp("kind"), kind.source, list(kind.loaders))
        return dict(found[name][loader])

    return of


@pytest.mark.parametrize(("name", "loader", "expected"), LOADERS)
def test_samples_are_counted(facts: Look, name: str, loader: str, expected: Expected) -> None:
    found = facts(name, loader)
    for part in expected.error:
        assert part in found["error"]
    if not expected.error:
        assert found.get("epochs") == [[*expected.epoch]] * 2, found.get("error")


@pytest.mark.parametrize(("name", "loader", "expected"), LOADERS)
def test_it_tells_what_it_is(facts: Look, name: str, loader: str, expected: Expected) -> None:
    found = facts(name, loader)
    if expected.kind:
        assert found["kind"] == expected.kind
    assert {fact: found[fact] for fact in expected.tells} == expected.tells
    if expected.settings is not None:
        assert found["settings"] == expected.settings
    for setting, value in expected.among_settings.items():
        assert found["settings"][setting] == value
    if expected.batch:
        assert found["workload"]["batch"] == expected.batch
    if expected.bytes_per_sample is not None:
        assert found["workload"]["bytes_per_sample"] == expected.bytes_per_sample


@pytest.mark.parametrize(("name", "loader", "slowed"), SLOWED)
def test_a_slowed_loader_fails(tmp_path: Path, name: str, loader: str, slowed: Slowed) -> None:
    guarded = guard(tmp_path, KINDS[name].source, loader, slowed.rows, slowed.budget)
    assert_guarded(guarded)
    slowed.also(guarded)
