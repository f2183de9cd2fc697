"""Signatures: kinds of batches as text, ``tuple[float32[*,3,256,256], int64[*]]``; compared, read.

Two of them differ only in what both sides show in all of their batches.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Iterator

from .batch_kinds import (
    ABSENT,
    KEY,
    SPARSE,
    VARIES,
    Alike,
    Array,
    Either,
    Named,
    Node,
    Parts,
    Plain,
    elements,
    is_fixed,
    kinds_of,
    merge_all,
    normal,
)

_SHOWN = 4  # changes of a batch: a table with hundreds of columns may change altogether
_WORD = re.compile(r"[^\[\],|\s]+(?:\|[^\[\],|\s]+)*")
_DIMS = re.compile(r"[\d*|][\w*|]*(?:,[\w*|]+)*")  # a first one has no name, as types have


def difference(before: str, after: str) -> str:
    """Which parts of all batches changed, and how; empty if none did."""
    old, new = parsed(before), parsed(after)
    if old is None or new is None:  # of an older version, which did not quote its keys
        return ""
    changes = list(_changes(old, new, ""))
    texts = [f"{place or 'batch'}: {one} -> {other}" for place, one, other in changes[:_SHOWN]]
    more = len(changes) - _SHOWN
    return "; ".join([*texts, *([f"and {more} more parts"] if more > 0 else [])])


def same_size(before: str, after: str) -> bool:
    """Whether two signatures are of batches that have as many bytes for each sample."""
    old, new = parsed(before), parsed(after)
    if old is None or new is None:
        return False
    return old == new and is_fixed(old)


def _changes(old: Node, new: Node, place: str) -> Iterator[tuple[str, str, str]]:
    """The smallest parts that differ: place, before, after."""
    pairs = list(itertools.product(kinds_of(old), kinds_of(new)))
    if len(pairs) > 1:
        # One kind that comes on both sides is enough: what is left may come on both, too.
        if not any(next(_changes(*pair, place), None) is None for pair in pairs):
            yield place, str(old), str(new)
    elif isinstance(old, Named) and isinstance(new, Named) and old.name == new.name:
        yield from _changes_by_name(
            dict(old.fields), dict(new.fields), f"{place}." if place else ""
        )
    elif isinstance(old, Parts | Alike) and isinstance(new, Parts | Alike) and old.name == new.name:
        yield from _changes_by_place(old, new, place)
    elif not _overlap(old, new):
        yield place, str(old), str(new)


def _changes_by_name(
    old: dict[str, Node], new: dict[str, Node], prefix: str
) -> Iterator[tuple[str, str, str]]:
    for name in dict.fromkeys([*old, *new]):
        yield from _changes(old.get(name, ABSENT), new.get(name, ABSENT), prefix + name)


def _changes_by_place(
    old: Parts | Alike, new: Parts | Alike, place: str
) -> Iterator[tuple[str, str, str]]:
    place = place or "batch"
    if isinstance(old, Parts) and isinstance(new, Parts):
        before, after = _by_place(old), _by_place(new)
        yield from _changes_by_name(before, after, place)
        return
    element, other = merge_all(elements(old)), merge_all(elements(new))
    if element is not None and other is not None:
        yield from _changes(element, other, f"{place}[*]")


def _by_place(kind: Parts) -> dict[str, Node]:
    return {f"[{index}]": part for index, part in enumerate(kind.parts)}


def _overlap(a: Node, b: Node) -> bool:
    """Whether a batch may be of both kinds, neither of which has parts that could tell."""
    if isinstance(a, Array) and isinstance(b, Array):
        dtypes = [{each.removeprefix(SPARSE) for each in kind.dtypes} for kind in (a, b)]
        return (
            len(a.dims) == len(b.dims)
            and not dtypes[0].isdisjoint(dtypes[1])
            and all(map(_may_be_equal, a.dims, b.dims))
        )
    if isinstance(a, Plain) and isinstance(b, Plain):
        return not a.names.isdisjoint(b.names)
    return _is_older_form(a, b) or _is_older_form(b, a)


def _is_older_form(old: Node, new: Node) -> bool:
    """Whether an older version may have described so what is described with its parts now."""
    if isinstance(old, Plain) and isinstance(new, Named):
        return new.name in old.names
    # A table, or tensors by name: they have a shape, and no type.
    return isinstance(old, Array) and old.dtypes == {"None"} and isinstance(new, Named)


def _may_be_equal(one: str, other: str) -> bool:
    """Whether two dimensions may be equal; what is no number is a name of one that varies."""
    return one == other or not (one.isdigit() and other.isdigit())


# --- text ---------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def parsed(text: str) -> Node | None:
    """The kind that a text describes; None if that is not clear, as in those of older versions."""
    try:
        reader = _Reader(text)
        kind = reader.kind()
    except ValueError:
        return None
    return normal(kind) if reader.at_end else None


class _Reader:
    """Reads a signature from its start to its end; ValueError where it is none."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._text)

    def kind(self) -> Node:
        kinds = [self._single()]
        while self._skip(" | "):
            kinds.append(self._single())
        return kinds[0] if len(kinds) == 1 else Either(kinds=tuple(kinds))

    def _single(self) -> Node:
        names = self._match(_WORD)
        if not self._skip("["):
            return Plain(names=frozenset(names.split("|")))
        dims = _DIMS.match(self._text, self._at)
        if dims is None or not self._text.startswith("]", dims.end()):
            return self._compound(names)
        self._at = dims.end() + 1
        shape = tuple(VARIES if "|" in each else each for each in dims[0].split(","))
        return Array(dtypes=frozenset(names.split("|")), dims=shape)

    def _compound(self, name: str) -> Node:
        if self._skip(", ...]"):
            return Alike(name=name, element=None)
        if self._skip("]"):  # of nothing
            return Named(name=name, fields=()) if name == "dict" else Parts(name=name, parts=())
        fields: list[tuple[str, Node]] = []
        parts: list[Node] = []
        while True:
            key = self._key()
            if key is None:
                parts.append(self.kind())
            else:
                fields.append((key, self.kind()))
            if len(parts) == 1 and not fields and self._skip(", ...]"):
                return Alike(name=name, element=parts[0])
            if self._skip("]"):
                break
            self._expect(", ")
        if fields and (parts or len(dict(fields)) < len(fields)):
            raise ValueError(self._text)
        if fields:
            return Named(name=name, fields=tuple(fields))
        return Parts(name=name, parts=tuple(parts))

    def _key(self) -> str | None:
        """A key, if one comes next."""
        start = self._at
        if self._text.startswith('"', start):
            key, self._at = json.JSONDecoder().raw_decode(self._text, start)
            self._expect(": ")
            return str(key)
        match = KEY.match(self._text, start)
        if match and self._text.startswith(": ", match.end()):
            self._at = match.end() + 2
            return match[0]
        return None

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(self._text)
        self._at = match.end()
        return match[0]

    def _skip(self, expected: str) -> bool:
        found = self._text.startswith(expected, self._at)
        self._at += len(expected) * found
        return found

    def _expect(self, expected: str) -> None:
        if not self._skip(expected):
            raise ValueError(self._text)
