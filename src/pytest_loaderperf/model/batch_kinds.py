"""Kinds of batches: a tree of what they are made of, in which what varies is left open.

What one batch shows by chance is no part of its kind, so the kinds of several batches are merged:
where they differ, the kind varies.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

VARIES = "*"
SPARSE = "sparse_"  # before the type of an array that stores only some of its elements
# Types of arrays whose values have sizes of their own.
_TEXTS = re.compile(
    r"str|bytes|object|utf8|binary|list|struct|map|dict|categor|json|extension|None", re.IGNORECASE
)
# Keys that need no quotes: nothing in them could be taken for a part of a signature.
KEY = re.compile(r"[^\[\]:,|\"\s](?:[^\[\]:,|\"\n]*[^\[\]:,|\"\s])?")


@dataclass(frozen=True, kw_only=True)
class Array:
    """An array: the first dimension is that of the batch, and ``*``, as others that vary."""

    dtypes: frozenset[str]
    dims: tuple[str, ...]

    def __str__(self) -> str:
        return f"{'|'.join(sorted(self.dtypes))}[{','.join(self.dims)}]"


@dataclass(frozen=True, kw_only=True)
class Plain:
    """A value of which only the type is known: ``int``, ``NoneType``, ``int|str``."""

    names: frozenset[str]

    def __str__(self) -> str:
        return "|".join(sorted(self.names))


@dataclass(frozen=True, kw_only=True)
class Named:
    """What has parts by name: a mapping, a table, a dataclass."""

    name: str
    fields: tuple[tuple[str, Node], ...]

    def __str__(self) -> str:
        return f"{self.name}[{', '.join(f'{key_text(key)}: {part}' for key, part in self.fields)}]"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A list or tuple of parts of a batch, each of a kind of its own."""

    name: str
    parts: tuple[Node, ...]

    def __str__(self) -> str:
        return f"{self.name}[{', '.join(map(str, self.parts))}]"


@dataclass(frozen=True, kw_only=True)
class Alike:
    """A list or tuple of like elements; None stands for those of an empty one.

    ``count`` says how many one batch had: it is no part of the kind.
    """

    name: str
    element: Node | None
    count: int | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.name}[{'' if self.element is None else self.element}, ...]"


@dataclass(frozen=True, kw_only=True)
class Either:
    """Batches, or parts of them, that are of several kinds in turns."""

    kinds: tuple[Node, ...]

    def __str__(self) -> str:
        return " | ".join(map(str, self.kinds))


ABSENT = Plain(names=frozenset({"absent"}))  # a field that other records have
Node = Array | Plain | Named | Parts | Alike | Either


def key_text(key: str) -> str:
    """A key as a signature shows it: quoted where it could be taken for something else."""
    return key if KEY.fullmatch(key) else json.dumps(key)


# --- several batches ----------------------------------------------------------------------------


def merge(kinds: Iterable[Node]) -> Node:
    """The kind of which all of these are."""
    merged: list[Node] = []
    for kind in dict.fromkeys(itertools.chain.from_iterable(map(kinds_of, kinds))):
        place = next((i for i, each in enumerate(merged) if _mergeable(each, kind)), None)
        if place is None:
            merged.append(kind)
        else:
            merged[place] = _merged(merged[place], kind)
    merged.sort(key=str)
    return merged[0] if len(merged) == 1 else Either(kinds=tuple(merged))


def are_alike(kinds: Sequence[Node]) -> bool:
    """Whether parts of a list can be its elements, one for each sample."""
    return all(_alike(a, b) for a, b in itertools.pairwise(kinds))


def kinds_of(kind: Node) -> Sequence[Node]:
    return kind.kinds if isinstance(kind, Either) else (kind,)


def _mergeable(a: Node, b: Node) -> bool:
    """Whether two kinds are one that varies, rather than two."""
    if isinstance(a, Plain) and isinstance(b, Plain):
        return True
    if isinstance(a, Array) and isinstance(b, Array):
        return len(a.dims) == len(b.dims)
    if isinstance(a, Named) and isinstance(b, Named):
        return a.name == b.name
    if not (isinstance(a, Parts | Alike) and isinstance(b, Parts | Alike)) or a.name != b.name:
        return False
    if isinstance(a, Parts) and isinstance(b, Parts):
        return len(a.parts) == len(b.parts) or are_alike([*a.parts, *b.parts])
    return True


def _merged(a: Node, b: Node) -> Node:
    if isinstance(a, Plain) and isinstance(b, Plain):
        return Plain(names=a.names | b.names)
    if isinstance(a, Array) and isinstance(b, Array):
        dims = zip(a.dims, b.dims, strict=True)
        return Array(
            dtypes=a.dtypes | b.dtypes,
            dims=tuple(one if one == other else VARIES for one, other in dims),
        )
    if isinstance(a, Named) and isinstance(b, Named):
        return _merged_records(a, b)
    assert isinstance(a, Parts | Alike), a
    assert isinstance(b, Parts | Alike), b
    if isinstance(a, Parts) and isinstance(b, Parts) and len(a.parts) == len(b.parts):
        pairs = zip(a.parts, b.parts, strict=True)
        return Parts(name=a.name, parts=tuple(merge(pair) for pair in pairs))
    return Alike(name=a.name, element=merge_all([*elements(a), *elements(b)]))


def _merged_records(a: Named, b: Named) -> Named:
    """A record with the fields of both; of a field that only one has, it may be absent."""
    one, other = dict(a.fields), dict(b.fields)
    names = list(one) if list(one) == list(other) else sorted({*one, *other})
    merged = ((name, merge([one.get(name, ABSENT), other.get(name, ABSENT)])) for name in names)
    return Named(name=a.name, fields=tuple(merged))


def merge_all(kinds: Sequence[Node]) -> Node | None:
    """The kind of all elements of a list, if it has any."""
    return merge(kinds) if kinds else None


def elements(kind: Parts | Alike) -> Sequence[Node]:
    if isinstance(kind, Parts):
        return kind.parts
    return () if kind.element is None else (kind.element,)


def _alike(a: Node, b: Node) -> bool:
    if isinstance(a, Array) and isinstance(b, Array):
        return a.dtypes == b.dtypes and len(a.dims) == len(b.dims)
    if not (isinstance(a, Parts | Alike) and isinstance(b, Parts | Alike)) or a.name != b.name:
        return _mergeable(a, b)
    if isinstance(a, Parts) and isinstance(b, Parts) and len(a.parts) == len(b.parts):
        return all(map(_alike, a.parts, b.parts))
    return are_alike([*elements(a), *elements(b)])


def normal(kind: Node) -> Node:
    """The same without what may be otherwise in a signature of an older version.

    That one listed like elements one by one, and each number of them as a kind of its own.
    """
    if isinstance(kind, Either):
        return merge(map(normal, kind.kinds))
    if isinstance(kind, Named):
        return replace(kind, fields=tuple((name, normal(part)) for name, part in kind.fields))
    if isinstance(kind, Alike):
        return replace(kind, element=normal(kind.element) if kind.element else None)
    if isinstance(kind, Parts):
        return replace(kind, parts=tuple(map(normal, kind.parts)))
    return kind


def is_fixed(kind: Node, *, element: bool = False) -> bool:
    """Whether batches of this kind are all of one size for each sample.

    That is so if no dimension but the first varies, and there is no text in them.
    """
    if isinstance(kind, Plain):
        return kind.names.isdisjoint({"str", "bytes", "object"})
    if isinstance(kind, Array):
        dims = kind.dims if element else kind.dims[1:]
        of_one_size = not any(
            _TEXTS.search(each) or each.startswith(SPARSE) for each in kind.dtypes
        )
        return of_one_size and VARIES not in dims
    if isinstance(kind, Named):
        return all(is_fixed(part, element=element) for _, part in kind.fields)
    if isinstance(kind, Parts):
        return all(is_fixed(part, element=element) for part in kind.parts)
    if isinstance(kind, Alike):
        # Lists that are samples, or parts of them, are of lengths of their own; tuples are not.
        return not (element and kind.name == "list") and (
            kind.element is None or is_fixed(kind.element, element=True)
        )
    return False
