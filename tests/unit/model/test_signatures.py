"""Signatures of batches: which parts of two of them differ."""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.model.batch_kinds import Named, Node, Parts, key_text
from pytest_loaderperf.model.signatures import difference, parsed, same_size

IMAGES = "dict[image: float32[*,3,224,224], label: int64[*]]"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (IMAGES, IMAGES, ""),
        (
            IMAGES,
            IMAGES.replace("224", "256"),
            "image: float32[*,3,224,224] -> float32[*,3,256,256]",
        ),
        (IMAGES, "dict[image: float32[*,3,224,224]]", "label: int64[*] -> absent"),
        ("dict[a: str]", "dict[a: str, b: x[*]]", "b: absent -> x[*]"),
        ("float32[*,3]", "float32[*,4]", "batch: float32[*,3] -> float32[*,4]"),
        (
            "tuple[float32[*,3], int64[*]]",
            "tuple[float32[*,3], int32[*]]",
            "batch[1]: int64[*] -> int32[*]",
        ),
        ("tuple[a[*], b[*]]", "list[a[*], b[*]]", "batch: tuple[a[*], b[*]] -> list[a[*], b[*]]"),
        (
            "dict[meta: dict[id: int64[*], more: tuple[a[*], b[*]]]]",
            "dict[meta: dict[id: int32[*], more: tuple[a[*], c[*]]]]",
            "meta.id: int64[*] -> int32[*]; meta.more[1]: b[*] -> c[*]",
        ),
        (
            "list[dict[x: int, y: str], ...]",
            "list[dict[x: float, y: str], ...]",
            "batch[*].x: int -> float",
        ),
        ("list[a[*,2], a[*,2]]", "list[a[*,2], a[*,2], a[*,2]]", "batch[2]: absent -> a[*,2]"),
        ("a[*] | b[*]", "c[*] | d[*]", "batch: a|b[*] -> c|d[*]"),
        ("list[a[*], ...]", "list[b[*], ...]", "batch[*]: a[*] -> b[*]"),
        (
            f"dict[{', '.join(f'c{i}: int64[*]' for i in range(7))}]",
            f"dict[{', '.join(f'c{i}: int32[*]' for i in range(7))}]",
            "; ".join(f"c{i}: int64[*] -> int32[*]" for i in range(4)) + "; and 3 more parts",
        ),
    ],
)
def test_a_difference_names_the_parts(before: str, after: str, told: str) -> None:
    assert difference(before, after) == told


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # What varies on one side may be any size on the other.
        ("float32[*,3,64]", "float32[*,3,*]"),
        ("tuple[a[*,*], b[*]]", "tuple[a[*,7], b[*]]"),
        # Batches of two kinds in turns, of which the other side has shown one.
        ("dict[image: absent | a[*], x: b[*]]", "dict[image: a[*], x: b[*]]"),
        ("dict[image: absent | a[*], x: b[*]]", "dict[x: b[*]]"),
        ("a[*] | dict[x: b[*]]", "a[*]"),
        ("float32|uint8[*,3]", "uint8[*,3]"),
        ("list[NoneType|str, ...]", "list[str, ...]"),
    ],
)
def test_what_varies_on_a_side_is_no_difference(one: str, other: str) -> None:
    assert difference(one, other) == difference(other, one) == ""


@pytest.mark.parametrize(
    ("older", "now"),
    [
        # Like elements were listed one by one, and each number of them was a kind of its own.
        ("list[int64[*], int64[*], int64[*]]", "list[int64[*], ...]"),
        ("list[a[*]] | list[a[*], a[*]]", "list[a[*], ...]"),
        ("dict[x: list[a[*]]] | dict[x: list[a[*], a[*]]]", "dict[x: list[a[7], ...]]"),
        ("list[list[int, ...], list[int, ...]]", "list[list[int, ...], ...]"),
        ("tuple[a[*,8,8], a[*,8,8]]", "tuple[a[3,8,8], ...]"),
        ("list[dict[x: float64[*]], ...]", "list[dict[x: float64[4]], ...]"),
        # The first one stood for all others.
        ("dict[x: list[NoneType, ...]]", "dict[x: list[NoneType|str, ...]]"),
        # Nothing was known of what is in an object, or of the columns of a table.
        ("DataBatch", "DataBatch[x: float32[*,3]]"),
        ("list[Image, Image]", "list[Image[RGB: uint8[8,*,3]], ...]"),
        ("None[*,3]", "RecordBatch[a: double[*]]"),
        ("None[*]", "TensorDict[x: float32[*,4]]"),
        # Sparse arrays looked like dense ones; a dimension that varies had a name.
        ("float32[*,7]", "sparse_float32[*,7]"),
        ("float32[*,j1]", "float32[*,*]"),
        # Keys were not quoted, and merged where batches took turns.
        ("dict[f[0]: a[*], d, e: b[*]]", 'dict["f[0]": a[*], "d, e": b[*]]'),
        ("dict[image:|tokens: a[*], label: a[*]]", "dict[image: absent | a[*], label: a[*]]"),
    ],
)
def test_signatures_of_older_versions_go_on_comparing(older: str, now: str) -> None:
    assert difference(older, now) == ""


@pytest.mark.parametrize(
    ("older", "now"),
    [
        ("list[int64[*], int64[*]]", "list[int32[*], ...]"),
        ("dict[x: list[a[*]]] | dict[x: list[a[*], a[*]]]", "dict[y: list[a[7], ...]]"),
        ("DataBatch", "OtherBatch[x: float32[*,3]]"),
        ("float32[*,7]", "sparse_float32[*,8]"),
    ],
)
def test_changes_since_older_versions_show(older: str, now: str) -> None:
    assert difference(older, now)


@pytest.mark.parametrize(
    ("signature", "fixed"),
    [
        ("tuple[float32[*,3,8,8], int64[*]]", True),
        ("list[int, ...]", True),
        ("list[float32[3,8,8], ...]", True),
        ("list[tuple[int, ...], ...]", True),
        ("list[float32[*], float32[*]]", True),
        ("dict[x: float32[*,*]]", False),
        ("list[str, ...]", False),
        ("str[*]", False),
        ("string[*]", False),
        ("DataFrame[a: List(Int64)[*]]", False),
        ("sparse_float32[*,7]", False),
        ("list[float32[3,*,8], ...]", False),
        ("list[int64[*], ...]", False),
        ("list[list[int, ...], ...]", False),
        ("dict[a: absent | int64[*]]", False),
    ],
)
def test_batches_of_one_size_show(signature: str, fixed: bool) -> None:
    assert same_size(signature, signature) is fixed


leaves = st.sampled_from(["int64[*]", "float32[*,3]", "str", "NoneType", "list[str, ...]"])
keys = st.sampled_from(["a", "b c", "d, e", "f[0]", "", 'g"', "h: i", " ", "[*]"])
nested = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"tuple[{', '.join(parts)}]"),
        st.lists(st.tuples(keys, inner), max_size=3, unique_by=lambda field: field[0]).map(
            lambda parts: f"dict[{', '.join(f'{key_text(key)}: {part}' for key, part in parts)}]"
        ),
    ),
    max_leaves=8,
)


@given(nested)
@settings(deadline=None)
def test_what_a_signature_says_is_read_again(text: str) -> None:
    assert str(parsed(text)) == text


@given(nested, nested)
@settings(deadline=None)
def test_a_difference_is_told_if_and_only_if_there_is_one(before: str, after: str) -> None:
    # In signatures in which nothing varies; the order of fields is no difference.
    assert bool(difference(before, after)) == (in_order(before) != in_order(after))


def in_order(text: str) -> Node:
    return _in_order(parsed(text))


def _in_order(kind: Node | None) -> Node:
    assert kind is not None
    if isinstance(kind, Named):
        fields = [(name, _in_order(part)) for name, part in kind.fields]
        return replace(kind, fields=tuple(sorted(fields, key=itemgetter(0))))
    if isinstance(kind, Parts):
        return replace(kind, parts=tuple(map(_in_order, kind.parts)))
    return kind
