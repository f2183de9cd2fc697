"""Worlds of ranks, and what their paces say."""

from __future__ import annotations

import pytest

from pytest_loaderperf.errors import SettingsError
from pytest_loaderperf.model.ranks import Paces, World, mean


@pytest.mark.parametrize(
    ("ranks", "size", "world"),
    [(0, 0, (1, 1)), (1, 0, (1, 1)), (4, 0, (4, 4)), (8, 64, (8, 64)), (0, 8, (1, 8))],
)
def test_a_world_is_what_a_marker_asks_for(ranks: int, size: int, world: tuple[int, int]) -> None:
    found = World.of(ranks, size)
    assert (found.ranks, found.size) == world
    assert found.is_alone is (world == (1, 1))


@pytest.mark.parametrize(
    ("ranks", "size", "says"),
    [
        (-1, 0, "ranks=-1"),
        ("4", 0, "ranks='4'"),
        (True, 0, "ranks=True"),
        (2.0, 0, "ranks=2.0"),
        (5000, 0, "ranks=5000"),
        (4, 2, "a multiple of ranks"),
        (4, 6, "a multiple of ranks"),
        (1, None, "world_size=None"),
    ],
)
def test_what_is_no_world_is_named(ranks: object, size: object, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        World.of(ranks, size)


def test_each_rank_is_told_what_torchrun_tells() -> None:
    assert World.of(0, 0).environment(0, 1) == {}
    told = World.of(2, 4).environment(1, 29500)
    assert told == {
        "RANK": "1",
        "LOCAL_RANK": "1",
        "GROUP_RANK": "0",
        "WORLD_SIZE": "4",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29500",
    }


def test_the_slowest_rank_is_the_one_that_is_waited_for() -> None:
    paces = Paces(candidate=(0.01, 0.012, 0.01), step=0.0125, baseline=(0.01, 0.01, 0.011))
    assert paces.slowest == 1
    assert paces.skew == pytest.approx(0.16)
    assert paces.more == pytest.approx((0.0, 0.002, -0.001))


def test_the_mean_of_each_rank() -> None:
    assert mean([(1.0, 2.0), (3.0, 6.0)]) == (2.0, 4.0)
