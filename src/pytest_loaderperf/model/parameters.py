"""Parameters of a test by which its checks differ, and that are looked at together."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import SettingsError

Parameter = str | int | float | bool | None
BATCH_SIZE = "batch_size"
_CONSTANTS = {"true": True, "false": False, "none": None}
_DIGITS = 12  # of an end of a range: more are a slip


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A parameter of a sweep, and the values at which it is measured, in order."""

    name: str
    values: tuple[Parameter, ...]


def sweep_axes(text: str) -> tuple[Axis, ...]:
    """What a sweep is over: ``"8:1024"``, or ``"num_workers=0:8 prefetch_factor=2,4"``.

    A range stands for the powers of two in it, and for 0 where it begins with that. Values without
    a name are batch sizes.
    """
    axes = []
    for part in text.split():
        name, equals, values = part.rpartition("=")
        if equals and not name.isidentifier():
            raise SettingsError(f"{part!r} names no parameter: write num_workers=0:8")
        name = name or BATCH_SIZE
        found = tuple(map(_parameter, values.split(",")))
        if ":" in values:
            found = tuple(each for each in _range(values) if each or name != BATCH_SIZE)
        sizes = name != BATCH_SIZE or all(type(each) is int and each > 0 for each in found)
        if not found or "" in found or not sizes or (values.isdecimal() and not equals):
            what = "batch sizes" if name == BATCH_SIZE else "values"
            raise SettingsError(
                f"{part!r} is no range of {what}: give the smallest and the largest, with a power "
                "of two between them, such as 8:1024, or several as 16,48,96"
            )
        if len(set(found)) < len(found):
            raise SettingsError(f"{part!r} gives a value twice")
        axes.append(Axis(name=name, values=found))
    if len({axis.name for axis in axes}) < len(axes) or not axes:
        raise SettingsError(f"{text!r} gives a parameter twice, or none")
    return tuple(axes)


def _range(text: str) -> tuple[Parameter, ...]:
    low, _, high = text.partition(":")
    if not (low.isdecimal() and high.isdecimal() and max(len(low), len(high)) < _DIGITS):
        return ()
    powers = (2**n for n in range(64) if int(low) <= 2**n <= int(high))
    return (0, *powers) if int(low) == 0 else tuple(powers)


def _parameter(text: str) -> Parameter:
    """A value as Python writes it, if it is a number, a truth value or None; else the text."""
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            if math.isfinite(value := kind(text)):
                return value
    return text


def batch_size_among(parameters: Mapping[str, Parameter]) -> int | None:
    """The batch size, if a test is parametrized with one."""
    size = parameters.get(BATCH_SIZE)
    return size if type(size) is int else None


def titled(names: Sequence[str]) -> str:
    """``["num_workers", "batch_size"]`` as ``"num_workers and batch size"``."""
    return " and ".join("batch size" if name == BATCH_SIZE else name for name in names)


def described(parameters: Mapping[str, Parameter]) -> str:
    """``{"batch_size": 8}`` as ``"batch size 8"``, others as ``"num_workers=2, shuffle=True"``."""
    if [*parameters] == [BATCH_SIZE]:
        return f"batch size {parameters[BATCH_SIZE]}"
    return ", ".join(f"{name}={value}" for name, value in parameters.items())


def valued(value: Parameter) -> str:
    """A value as people read it: ``1024`` as ``"1,024"``."""
    return f"{value:,}" if type(value) is int else str(value)
