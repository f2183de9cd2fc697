"""Ranks in step: the first one in this thread, each of the others in a thread of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from pytest_loaderperf.arm import ranks
from pytest_loaderperf.arm.driver import Stream
from pytest_loaderperf.arm.ranks import Leader, follow
from pytest_loaderperf.errors import LoaderError
from pytest_loaderperf.loaders.kinds import Loader
from pytest_loaderperf.loaders.sample_hashes import deliver
from pytest_loaderperf.model.workload import Delivered
from pytest_loaderperf.protocol.channel import ChannelClosed

LONG = 60.0


@dataclass
class Rank:
    """A rank that follows: its loader, and how it ended."""

    loader: Loader
    prepared: int = 0
    ended: list[object] = field(default_factory=list)

    def run(self, link: socket.socket) -> None:
        with link:
            try:
                self.ended.append(follow(link, self.loader, None, self._prepare, self._deliver))
            except BaseException as error:  # noqa: BLE001  (whatever it is, it is looked at)
                self.ended.append(error)

    def _deliver(self, seconds: float) -> Delivered:
        return deliver(self.loader, None, seconds, alone=False)

    def _prepare(self) -> None:
        self.prepared += 1


def loader(
    batches: int, samples: int = 2, seconds: float = 0.0, *, tells: bool = True, **options: Any
) -> Loader:
    def epoch() -> Iterator[list[int]]:
        for _ in range(batches):
            time.sleep(seconds)
            yield [0] * samples

    length = batches if tells else None
    return Loader(kind="fake", start=epoch, epoch_batches=length, **options)


@contextmanager
def world(own: Loader, *others: Loader, patience: float = LONG) -> Iterator[tuple[Any, Any, Any]]:
    """The leader, the loader of all ranks, and the ranks that follow."""
    pairs = [socket.socketpair() for _ in others]
    followers = [Rank(each) for each in others]
    threads = [
        threading.Thread(target=rank.run, args=(theirs,), daemon=True)
        for rank, (_, theirs) in zip(followers, pairs, strict=True)
    ]
    for thread in threads:
        thread.start()
    leader = Leader([ours for ours, _ in pairs], patience)
    try:
        yield leader, lambda: leader.gathered(own), followers
    finally:
        for ours, _ in pairs:
            ours.close()
        for thread in threads:
            thread.join(LONG)


def test_a_step_ends_when_every_rank_has_its_batch() -> None:
    with world(loader(3, seconds=0.001), loader(3, seconds=0.05)) as (leader, gathered, _):
        started = time.perf_counter()
        assert list(gathered().start()) == [[0, 0]] * 3
        assert time.perf_counter() - started >= 0.15
        leader.note()
        ((first, second),) = leader.notes()
        assert second >= 0.15 > first
        assert leader.notes() == []


def test_what_comes_before_a_stretch_is_not_noted() -> None:
    with world(loader(9), loader(9, seconds=0.02)) as (leader, gathered, _):
        steps = gathered().start()
        assert [next(steps) for _ in range(4)] == [[0, 0]] * 4
        leader.prepare()
        leader.note()
        assert leader.notes() == [[0.0, 0.0]]


def test_each_epoch_starts_all_ranks_anew() -> None:
    with world(loader(2), loader(2)) as (_, gathered, (rank,)):
        both = gathered()
        assert [len(list(both.start())) for _ in range(3)] == [2, 2, 2]
        assert rank.prepared == 3


def test_samples_of_all_ranks_count() -> None:
    others = loader(9, samples=3), loader(9, samples=5)
    with world(loader(9, samples=2), *others) as (leader, gathered, _):
        count = leader.counting(len, ())
        assert [count(batch) for batch in gathered().start()] == [10] * 9


def test_a_stream_of_several_ranks_is_timed_at_their_pace() -> None:
    with world(loader(50, seconds=0.001), loader(50, seconds=0.003)) as (leader, gathered, _):
        stream = Stream(gathered(), None, leader.prepare, 0.0, leader)
        opened = stream.open(warmup=1, drain=0, epoch_batches=None)
        assert opened.epoch_batches == 50
        taken = stream.run(20)
        assert (taken.batches, taken.samples) == (20, 80)
        assert taken.seconds >= 0.06
        ((noted),) = taken.needed
        assert len(noted) == len(taken.arrivals[0]) == 20
        assert sum(second for _, second in noted) >= 0.06
        whole = stream.run_epochs(2)
        assert (whole.batches, whole.samples) == (100, 400)
        assert [len(each) for each in whole.needed] == [50, 50]


@pytest.mark.parametrize("rest", [True, False])
def test_ranks_go_through_the_rest_of_their_tests_or_end_them(rest: bool) -> None:
    with world(loader(2), loader(2), loader(2)) as (leader, gathered, followers):
        assert len(list(gathered().start())) == 2
        leader.leave(rest=rest)
        wait_for(lambda: all(rank.ended for rank in followers))
        assert [rank.ended for rank in followers] == [[rest], [rest]]


def test_what_all_ranks_deliver_is_read_at_the_same_time() -> None:
    own, other = loader(3, tells=False), loader(2, samples=4, tells=False)
    with world(own, other) as (leader, gathered, _):
        gathered()
        mine, theirs = leader.deliveries(partial(deliver, own, None, alone=False), LONG)
        assert [len(epoch) for epoch in mine.epochs] == [6, 6]
        assert [len(epoch) for epoch in theirs.epochs] == [8, 8]
        assert theirs.largest == 4


def test_samples_per_epoch_are_those_of_all_ranks_if_all_tell() -> None:
    tells = loader(2, samples_per_epoch=4)
    with world(tells, loader(2, samples_per_epoch=3)) as (leader, gathered, _):
        gathered()
        assert leader.samples_per_epoch == 7
    with world(tells, loader(2)) as (leader, gathered, _):
        gathered()
        assert leader.samples_per_epoch is None


def test_lengths_that_differ_are_named_before_anything_is_read() -> None:
    with (
        world(loader(3), loader(3), loader(2)) as (_, gathered, _),
        pytest.raises(LoaderError, match="rank 0 3, rank 1 3, rank 2 2"),
    ):
        gathered()


@pytest.mark.parametrize(
    ("lengths", "says"),
    [
        ((3, 2, 3), "an epoch of rank 1 ended after 2 batches, and rank 0 and rank 2 had more"),
        ((2, 3, 3), "an epoch of rank 0 ended after 2 batches, and rank 1 and rank 2 had more"),
    ],
)
def test_a_rank_that_ends_its_epoch_early_is_named(lengths: Sequence[int], says: str) -> None:
    own, *others = (loader(each, tells=False) for each in lengths)
    with world(own, *others) as (_, gathered, _), pytest.raises(LoaderError, match=says):
        list(gathered().start())


def test_a_rank_that_has_ended_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "_LOST", 0.0)

    def broken() -> Iterator[list[int]]:
        yield [1]
        raise OSError("no such photo")

    other = Loader(kind="fake", start=broken)
    with world(loader(9, tells=False), other) as (_, gathered, (rank,)):
        with pytest.raises(LoaderError, match="rank 1 has ended"):
            list(gathered().start())
        assert [str(each) for each in rank.ended] == ["no such photo"]


def test_a_rank_that_gives_no_batch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "_LOOK", 0.02)
    goes_on = threading.Event()

    def stuck() -> Iterator[list[int]]:
        yield [1]
        goes_on.wait(LONG)

    others = loader(9, tells=False), Loader(kind="fake", start=stuck)
    with world(loader(9, tells=False), *others, patience=0.1) as (_, gathered, _):
        with pytest.raises(LoaderError, match="rank 2 has given no batch for 0 s"):
            list(gathered().start())
        goes_on.set()


def test_a_rank_ends_when_the_first_one_has() -> None:
    with world(loader(2), loader(2)) as (_, gathered, followers):
        gathered()
    (ended,) = followers[0].ended
    assert isinstance(ended, ChannelClosed)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
