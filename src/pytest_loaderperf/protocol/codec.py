"""Messages as lines of JSON, and back."""

from __future__ import annotations

import builtins
import dataclasses
import functools
import json
import math
from typing import Any, get_args, get_origin, get_type_hints

from ..errors import ArmError
from .messages import TYPES, Message


def encode(message: Message) -> bytes:
    """One message as one line of JSON."""
    content = {"type": type(message).__name__, **dataclasses.asdict(message)}
    return json.dumps(content).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message of one line; ArmError if it is none."""
    try:
        content = json.loads(line)
        kind = content.pop("type")
        for name, hint in _hints(kind).items():
            if name in content and not _fits(content[name], hint):
                raise TypeError(f"{name} is not of type {hint}")
        return TYPES[kind](**content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArmError(f"not a message: {line[:200]!r} ({error})") from error


@functools.cache
def _hints(kind: str) -> dict[str, Any]:
    return get_type_hints(TYPES[kind])


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value of JSON is of a type; a list stands for a tuple."""
    inner = get_args(hint)
    fits: bool
    match get_origin(hint):
        case None if hint is float:
            fits = type(value) in (int, float) and not math.isnan(value)
        case None:
            fits = hint is object or type(value) is hint
        case builtins.list:
            fits = type(value) is list and all(_fits(each, inner[0]) for each in value)
        case builtins.tuple:
            whole = type(value) is list and len(value) == len(inner)
            fits = whole and all(map(_fits, value, inner))
        case builtins.dict:
            fits = type(value) is dict and all(_fits(each, inner[1]) for each in value.values())
        case _:
            fits = any(_fits(value, each) for each in inner)
    return fits
