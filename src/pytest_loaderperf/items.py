"""What is asked of pytest's items and nodes, in a plain run, in the coordinator and in arms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from .errors import SettingsError

ARM = "loaderperf-arm"  # the name of the plugin object of a process that measures
# Of pytest, before it has loaded a conftest: its environment, its path, and its arguments, with
# those of the ini file.
ENVIRONMENT = pytest.StashKey[Mapping[str, str]]()
SEARCHED = pytest.StashKey[list[str]]()
ARGUMENTS = pytest.StashKey[list[str]]()
MARKER = "loaderperf"  # and of the fixture
BENCHMARK = "benchmark"  # the fixture of pytest-benchmark
NEEDS_OPTION = "a loader check: run pytest --loaderperf"


def is_check(item: pytest.Item) -> bool:
    """Whether a test is a loader check: it has the marker, or asks for the fixture."""
    return MARKER in getattr(item, "fixturenames", ()) or bool(item.get_closest_marker(MARKER))


def marker_arguments(node: pytest.Item) -> dict[str, object]:
    """The arguments of all loaderperf markers of a test, the closest one winning."""
    merged: dict[str, object] = {}
    for marker in node.iter_markers(MARKER):
        if marker.args:
            raise SettingsError(
                f"loaderperf marker: {marker.args[0]!r} is given without a name; write "
                "@pytest.mark.loaderperf(batch_sizes=[32, 64])"
            )
        merged = {**marker.kwargs, **merged}
    return merged


def take_batch_sizes(definition: pytest.Item) -> bool:
    """Take away the mark that parametrizes a test by batch size alone; whether there was one."""
    marks = [
        mark
        for mark in definition.own_markers
        if mark.name == "parametrize" and mark.args[:1] in (("batch_size",), (["batch_size"],))
    ]
    for mark in marks:
        definition.own_markers.remove(mark)
    return bool(marks)


def batch_size_of(item: pytest.Item) -> int | None:
    """The batch size that a test is parametrized with."""
    callspec = getattr(item, "callspec", None)
    size = callspec.params.get("batch_size") if callspec else None
    return size if type(size) is int else None


def names_below_module(item: pytest.Item) -> list[str]:
    """The names of the nodes between the module and a test: a parameter may contain '::'."""
    chain = item.listchain()
    below = next(i for i, node in enumerate(chain) if isinstance(node, pytest.File)) + 1
    return [node.name for node in chain[below:]]


def sweep_of(item: pytest.Item) -> str:
    """The name of a parametrized test without its batch size, with its other parameters."""
    callspec: Any = getattr(item, "callspec", None)
    others = [
        f"{name}={value}"
        if isinstance(value, str | int | float)
        else f"{name}#{callspec.indices[name]}"
        for name, value in callspec.params.items()
        if name != "batch_size"
    ]
    parameters = f"[{', '.join(others)}]" if others else ""
    test = getattr(item, "originalname", item.name)
    return "::".join([*names_below_module(item)[:-1], test + parameters])
