"""What a merge tells to type; what it makes of shards is tested with these."""

from __future__ import annotations

import pytest

from pytest_loaderperf import merge


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("accepted", ""),
        ("stored", ""),
        ("itself", ""),
        ("nothing", ""),
        ("v2.3", "--loaderperf-against=v2.3"),
        ("HEAD@{1}", "--loaderperf-against='HEAD@{1}'"),
    ],
)
def test_what_shards_were_measured_beside_is_kept(mode: str, told: str) -> None:
    assert merge._beside(mode) == told
