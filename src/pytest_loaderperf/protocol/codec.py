"""Messages as lines of JSON, and back: strictly by the types of their fields.

Values in them are dataclasses, enumerations, tuples and mappings of JSON's own types; a float may
be infinite, and never NaN.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

from ..errors import ArmError
from .messages import TYPES, Message

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

V = TypeVar("V")
# What goes wrong with a value that is not what it is taken for.
DAMAGE = (
    ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError,
)  # fmt: skip


def encode(message: Message) -> bytes:
    """One message as one line of JSON."""
    content = {"type": type(message).__name__, **dataclasses.asdict(message)}
    return json.dumps(content).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message of one line; ArmError if it is none."""
    try:
        content = json.loads(line)
        kind = TYPES[content.pop("type")]
        message: Message = _value(content, kind)
    except DAMAGE as e:
        raise ArmError(f"not a message: {line[:200]!r} ({e})") from e
    return message


def to_text(value: DataclassInstance) -> str:
    """A value that is no message: JSON, but for numbers that are infinite."""
    return json.dumps(dataclasses.asdict(value))


def from_text(text: str, kind: type[V]) -> V:
    """The value of a text; ValueError if it is none of its kind."""
    try:
        return from_json(json.loads(text), kind)
    except DAMAGE as error:
        raise ValueError(f"not a {kind.__name__}: {error}") from error


def from_json(content: object, kind: type[V]) -> V:
    """The value of what JSON holds; one of ``DAMAGE`` is raised if it is none of its kind."""
    value: V = _value(content, kind)
    return value


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(value: Any, hint: Any) -> Any:
    """A value of JSON as one of a type; TypeError or ValueError if it is none."""
    inner = get_args(hint)
    kind = get_origin(hint)
    if kind is None:
        return _single(value, hint)
    if kind in (dict, Mapping):
        _check(type(value) is dict, value, hint)
        return {name: _value(each, inner[1]) for name, each in value.items()}
    if kind is types.UnionType:
        return _one_of(value, inner)
    _check(type(value) is list, value, hint)
    if kind is not tuple:
        return [_value(each, inner[0]) for each in value]
    if inner[-1] is ...:
        return tuple(_value(each, inner[0]) for each in value)
    return tuple(_value(each, one) for each, one in zip(value, inner, strict=True))


def _single(value: Any, hint: Any) -> Any:
    if hint is object:
        return value
    if hint is float:
        _check(type(value) in (int, float) and not math.isnan(value), value, hint)
        return float(value)
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        _check(type(value) is dict, value, hint)
        hints = _hints(hint)
        return hint(**{name: _value(each, hints[name]) for name, each in value.items()})
    if issubclass(hint, Enum):
        return hint(value)
    _check(type(value) is hint, value, hint)
    return value


def _one_of(value: Any, hints: Sequence[Any]) -> Any:
    for hint in hints:
        try:
            return _value(value, hint)
        except (TypeError, ValueError, KeyError):
            continue
    raise TypeError(f"{value!r:.50} is none of {hints}")


def _check(fits: bool, value: Any, hint: Any) -> None:
    if not fits:
        raise TypeError(f"{value!r:.50} is not of type {hint}")
