"""What is asked of pytest's items and nodes, in a plain run, in the coordinator and in arms."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any

import pytest

from .errors import SettingsError

if TYPE_CHECKING:
    from .model.parameters import Axis, Parameter

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


def take_parametrization(definition: pytest.Item, name: str) -> None:
    """Take away the marks that parametrize a test by one parameter alone."""
    for mark in [*definition.own_markers]:
        if mark.name == "parametrize" and _parametrized(mark) == [name]:
            definition.own_markers.remove(mark)


def declares(definition: pytest.Item, fixturenames: Sequence[str], name: str) -> bool:
    """Whether a test, or one of its fixtures, has a parameter that a sweep can set.

    It cannot where a mark of its class sets it, one for several parameters together, or one whose
    values are for a fixture to read.
    """
    marks = [mark for mark in definition.iter_markers("parametrize") if name in _parametrized(mark)]
    fixed = [
        mark
        for mark in marks
        if _parametrized(mark) != [name]
        or mark not in definition.own_markers
        or mark.kwargs.get("indirect")
    ]
    return name in fixturenames and not fixed


def _parametrized(mark: pytest.Mark) -> list[str]:
    names = mark.args[0] if mark.args else mark.kwargs.get("argnames", "")
    return [each.strip() for each in names.split(",")] if isinstance(names, str) else [*names]


def parameters_of(item: pytest.Item, axes: Sequence[Axis]) -> dict[str, Parameter]:
    """The parameters by which checks of one test are put together: of a sweep, or batch_size.

    Empty if it does not have them all.
    """
    callspec: Any = getattr(item, "callspec", None)
    params = callspec.params if callspec else {}
    names = [axis.name for axis in axes] or ["batch_size"]
    if not {*names} <= {*params}:
        return {}
    values = {name: params[name] for name in names}
    if axes:
        plain = all(type(value) in (str, int, float, bool, NoneType) for value in values.values())
        swept = plain and all(values[axis.name] in axis.values for axis in axes)
    else:
        swept = type(values["batch_size"]) is int
    return values if swept else {}


def names_below_module(item: pytest.Item) -> list[str]:
    """The names of the nodes between the module and a test: a parameter may contain '::'."""
    chain = item.listchain()
    below = next(i for i, node in enumerate(chain) if isinstance(node, pytest.File)) + 1
    return [node.name for node in chain[below:]]


def sweep_of(item: pytest.Item, without: Collection[str]) -> str:
    """The name of a parametrized test without some of its parameters, with its other ones."""
    callspec: Any = getattr(item, "callspec", None)
    others = [
        f"{name}={value}"
        if isinstance(value, str | int | float)
        else f"{name}#{callspec.indices[name]}"
        for name, value in callspec.params.items()
        if name not in without
    ]
    parameters = f"[{', '.join(others)}]" if others else ""
    test = getattr(item, "originalname", item.name)
    return "::".join([*names_below_module(item)[:-1], test + parameters])
