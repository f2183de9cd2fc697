"""Which machine measures which shard."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_loaderperf.cluster.dispatch import Dispatch


def test_each_machine_gets_a_shard() -> None:
    dispatch = Dispatch(3, ["a", "b", "c"], tries=2)
    assert dispatch.starts() == [(1, "a"), (2, "b"), (3, "c")]
    assert dispatch.starts() == []
    assert not dispatch.waiting
    assert not dispatch.idle


def test_a_lost_shard_is_measured_by_the_next_machine_that_is_done() -> None:
    dispatch = Dispatch(2, ["a", "b"], tries=2)
    dispatch.starts()
    assert dispatch.lost("a") == (1, True)
    assert dispatch.starts() == []
    assert dispatch.waiting == [1]
    assert dispatch.ended("b") == 2
    assert dispatch.starts() == [(1, "b")]


def test_a_machine_that_joins_takes_what_waits() -> None:
    dispatch = Dispatch(1, ["a"], tries=2)
    dispatch.starts()
    dispatch.lost("a")
    dispatch.joined("b")
    assert dispatch.starts() == [(1, "b")]


def test_a_shard_that_is_lost_again_and_again_is_given_up() -> None:
    dispatch = Dispatch(1, ["a", "b"], tries=2)
    dispatch.starts()
    assert dispatch.lost("a") == (1, True)
    assert dispatch.starts() == [(1, "b")]
    assert dispatch.lost("b") == (1, False)
    dispatch.joined("c")
    assert dispatch.starts() == []
    assert dispatch.waiting == []


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3), st.randoms())
def test_every_shard_ends_once_or_was_tried_often_enough(
    shards: int, machines: int, tries: int, random: object
) -> None:
    draw = getattr(random, "random")  # noqa: B009  (hypothesis gives it no type)
    dispatch = Dispatch(shards, [f"m{i}" for i in range(machines)], tries)
    done: list[int] = []
    begun: list[int] = []
    at_work: dict[str, int] = {}
    while started := dispatch.starts() or at_work:
        if isinstance(started, list):
            begun += [shard for shard, _ in started]
            at_work |= {machine: shard for shard, machine in started}
        machine = next(iter(at_work))
        shard = at_work.pop(machine)
        if draw() < 0.4:
            again = begun.count(shard) < tries
            assert dispatch.lost(machine) == (shard, again)
        else:
            assert dispatch.ended(machine) == shard
            done.append(shard)
    assert len(done) == len(set(done))
    left = set(range(1, shards + 1)) - set(done)
    # Either there is no machine any more, or it was tried as often as it may be.
    assert all(begun.count(each) == tries for each in left) or not dispatch.idle
