"""Signatures of batches: which parts of two of them differ."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.model.signatures import difference

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
        ("a[*] | b[*]", "a[*]", "batch: a[*] | b[*] -> a[*]"),
        ("dict[a: x, a: y]", "dict[a: x, a: z]", "batch: dict[a: x, a: y] -> dict[a: x, a: z]"),
        (
            f"dict[{', '.join(f'c{i}: int64[*]' for i in range(7))}]",
            f"dict[{', '.join(f'c{i}: int32[*]' for i in range(7))}]",
            "; ".join(f"c{i}: int64[*] -> int32[*]" for i in range(4)) + "; and 3 more parts",
        ),
    ],
)
def test_a_difference_names_the_parts(before: str, after: str, told: str) -> None:
    assert difference(before, after) == told


leaves = st.sampled_from(["int64[*]", "float32[*,3]", "str", "NoneType", "list[str, ...]"])
nested = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"tuple[{', '.join(parts)}]"),
        st.lists(
            st.tuples(st.sampled_from(["a", "b c", "d, e", "f[0]", ""]), inner), max_size=3
        ).map(lambda parts: f"dict[{', '.join(f'{key}: {part}' for key, part in parts)}]"),
    ),
    max_leaves=8,
)


@given(nested, nested)
@settings(deadline=None)
def test_a_difference_is_told_if_and_only_if_there_is_one(before: str, after: str) -> None:
    assert bool(difference(before, after)) == (before != after)
