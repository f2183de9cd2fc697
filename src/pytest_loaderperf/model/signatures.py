"""Signatures of batches as text, ``tuple[float32[*,3,256,256], int64[*]]``: merged, compared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_DIMS = re.compile(r"[\d*|,]+")
_SHOWN = 4  # changes of a batch: a table with hundreds of columns may change altogether


def merge(signatures: Sequence[str]) -> str:
    """One signature for several batches: where a dimension differs, it varies."""
    if len(set(signatures)) == 1:
        return signatures[0]
    columns = [_tokens(one) for one in signatures]
    if len({len(column) for column in columns}) > 1:
        return " | ".join(sorted(set(signatures)))
    return "".join(_one_of(set(parts)) for parts in zip(*columns, strict=True))


def difference(before: str, after: str) -> str:
    """Which parts of a batch changed, and how; empty if none did."""
    changes = list(_changes(before, after, ""))
    if not changes and before != after:
        changes = [("", before, after)]
    texts = [f"{place or 'batch'}: {old} -> {new}" for place, old, new in changes[:_SHOWN]]
    more = len(changes) - _SHOWN
    return "; ".join([*texts, *([f"and {more} more parts"] if more > 0 else [])])


def _changes(before: str, after: str, place: str) -> Iterator[tuple[str, str, str]]:
    """The smallest parts that differ: place, before, after."""
    if before == after:
        return
    old, new = _parsed(before), _parsed(after)
    if old is None or new is None or old[0] != new[0]:
        yield place, before, after
        return
    names = list(dict.fromkeys([*old[1], *new[1]]))
    for name in names:
        inner = f"{place}.{name}" if place else name
        if name.startswith("["):
            inner = f"{place or 'batch'}{name}"
        yield from _changes(old[1].get(name, "absent"), new[1].get(name, "absent"), inner)


def _parsed(signature: str) -> tuple[str, dict[str, str]] | None:
    """What contains parts, and its parts by name or index; None if this has none, or is unclear."""
    head, bracket, rest = signature.partition("[")
    inside = rest.removesuffix("]")
    if not bracket or inside == rest or _DIMS.fullmatch(inside) or " | " in head:
        return None
    parts = list(_split(inside))
    if parts[-1] == "...":
        return head, {"[*]": parts[0]}
    named = [re.fullmatch(r"([^\[\]:]+): (.+)", part) for part in parts]
    found = {
        (match[1] if match else f"[{index}]"): (match[2] if match else part)
        for index, (part, match) in enumerate(zip(parts, named, strict=True))
    }
    return (head, found) if len(found) == len(parts) else None


def _split(inside: str) -> Iterator[str]:
    """The parts between commas that are in no brackets of their own."""
    depth = begin = 0
    for place, char in enumerate(inside):
        depth += (char == "[") - (char == "]")
        if depth == 0 and inside.startswith(", ", place):
            yield inside[begin:place]
            begin = place + 2
    yield inside[begin:]


def _one_of(parts: set[str]) -> str:
    if len(parts) == 1:
        return parts.pop()
    return "*" if all(map(_is_dim, parts)) else "|".join(sorted(parts))


def _tokens(text: str) -> list[str]:
    tokens = [""]
    for char in text:
        if char in "[], ":
            tokens += [char, ""]
        else:
            tokens[-1] += char
    return tokens


def _is_dim(part: str) -> bool:
    return part.isdigit() or part == "*"
