"""Streams of batches, from loaders that log what is taken of them and set the clock themselves."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import Empty
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.arm.driver import Stream
from pytest_loaderperf.errors import LoaderError
from pytest_loaderperf.loaders.kinds import Loader
from pytest_loaderperf.loaders.recognise import describe
from pytest_loaderperf.measure.in_flight import made_in
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.protocol.codec import decode, encode
from pytest_loaderperf.protocol.messages import EpochEnd, Slice

no_deadline = settings(deadline=None)
SIZE = 8  # samples of a batch
START = 1000.0  # seconds that an iterator takes to start


@dataclass
class Fake:
    """A loader of a known length, whose every step takes a known time by its own clock."""

    length: int | None
    cost: Callable[[int], float] = lambda _: 1.0  # seconds, by the position in the epoch
    end: float = 0.0  # seconds that it takes until an epoch has ended after its last batch
    now: float = 0.0
    log: list[str] = field(default_factory=list)
    taken: int = 0

    def stream(self, *, knows_length: bool = True, **options: Any) -> Stream:
        length = self.length if knows_length else None
        samples, prepare = options.pop("samples", None), options.pop("prepare", lambda: None)
        loader = Loader(kind="fake", start=self._epoch, epoch_batches=length, **options)
        return Stream(loader, samples, prepare)

    def _epoch(self) -> Iterator[list[int]]:
        self.log.append("start")
        self.now += START
        return self._batches()

    def _batches(self) -> Iterator[list[int]]:
        try:
            position = 0
            while position != self.length:
                self.now += self.cost(position)
                self.taken += 1
                yield [0] * SIZE
                position += 1
        finally:
            self.now += self.end
            self.log.append("end")

    def __enter__(self) -> Fake:
        self._patch = mock.patch("time.perf_counter", self._clock)
        self._patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.stop()

    def _clock(self) -> float:
        return self.now


def timed(taken: Slice) -> tuple[int, int, float]:
    return taken.batches, taken.samples, taken.seconds


# --- opening ------------------------------------------------------------------------------------


@pytest.mark.parametrize("warmup", [0, 1, 2, 7])
def test_opening_takes_the_first_batch_and_the_warm_up(warmup: int) -> None:
    fake = Fake(100)
    fake.stream().open(warmup, 0, None)
    assert fake.taken == 1 + warmup


def test_the_first_batch_is_timed_from_the_start_of_the_iterator() -> None:
    with Fake(100, cost=lambda position: 7.0 if position == 0 else 50.0) as fake:
        assert fake.stream().open(2, 0, None).first_batch == START + 7


def test_opening_tells_the_workload() -> None:
    opened = Fake(100).stream(samples_per_epoch=1234).open(2, 0, None)
    assert opened.workload == Workload(
        batch="list[int, ...]", bytes_per_sample=8.0, samples_per_epoch=1234
    )


def test_the_workload_is_that_of_several_batches() -> None:
    sizes = [5, 3, 9]
    loader = [np.zeros((4, size), np.int64) for size in sizes]
    opened = Stream(describe(loader), None).open(2, 0, None)
    assert opened.workload.batch == "int64[*,*]"


@pytest.mark.parametrize("knows_length", [True, False])
@pytest.mark.parametrize(("length", "warmup"), [(1, 1), (1, 2), (3, 3), (3, 50)])
def test_an_epoch_that_ends_in_the_warm_up_tells_its_length(
    length: int, warmup: int, knows_length: bool
) -> None:
    opened = Fake(length).stream(knows_length=knows_length).open(warmup, 0, None)
    assert opened.epoch_batches == length


def test_an_epoch_that_is_longer_than_the_warm_up_has_an_unknown_length() -> None:
    assert Fake(10).stream(knows_length=False).open(9, 0, None).epoch_batches is None
    assert Fake(10).stream(knows_length=True).open(9, 0, None).epoch_batches == 10


# --- the steady state ---------------------------------------------------------------------------


def test_a_run_takes_as_many_batches_as_it_is_asked_to() -> None:
    with Fake(100) as fake:
        stream = fake.stream()
        stream.open(2, 0, None)
        assert timed(stream.run(5)) == (5, 5 * SIZE, 5.0)
        assert timed(stream.run(1)) == (1, SIZE, 1.0)
        assert fake.taken == 3 + 5 + 1
        assert fake.log == ["start"]


def test_an_endless_loader_is_never_started_again() -> None:
    with Fake(None) as fake:
        stream = fake.stream()
        stream.open(2, 0, None)
        assert timed(stream.run(500)) == (500, 500 * SIZE, 500.0)
        assert fake.log == ["start"]


@given(
    length=st.integers(1, 30),
    warmup=st.integers(0, 8),
    drain=st.integers(0, 8),
    wanted=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    learned=st.sampled_from(["from the loader", "from an earlier trial", "by itself"]),
)
@no_deadline
def test_only_the_steady_state_is_timed(
    length: int, warmup: int, drain: int, wanted: list[int], learned: str
) -> None:
    def cost(position: int) -> float:
        # Where the length is still to be learned, what drains cannot be told from the rest.
        last = length if learned == "by itself" else length - drain
        return 1.0 if 1 + warmup <= position < last else 1e6

    with Fake(length, cost) as fake:
        stream = fake.stream(knows_length=learned == "from the loader")
        stream.open(warmup, drain, length if learned == "from an earlier trial" else None)
        for count in wanted:
            taken = stream.run(count)
            if taken.batches:
                assert timed(taken) == (count, count * SIZE, float(count))
            else:
                assert length - 1 - warmup - drain < 1
                assert timed(taken) == (0, 0, 0.0)


def test_a_length_that_was_not_known_is_learned_at_the_end() -> None:
    with Fake(10) as fake:
        stream = fake.stream(knows_length=False)
        stream.open(1, 3, None)
        assert stream.run(6).epoch_batches is None
        # Two batches are left of the first epoch; they were timed in vain.
        assert timed(stream.run(6)) == (6, 6 * SIZE, 6.0)
        assert stream.run(1).epoch_batches == 10
        # From now on the last three batches of an epoch are left alone.
        fake.cost = lambda position: 1e6 if position >= 7 else 1.0
        assert stream.run(20).seconds < 1e6


def test_an_earlier_trial_knows_the_length_better_than_the_loader() -> None:
    fake = Fake(10)
    stream = fake.stream(knows_length=True)
    stream.open(0, 0, 4)
    stream.run(6)
    assert fake.log.count("start") == 2


def test_a_loader_that_promises_more_than_it_gives_is_timed_all_the_same() -> None:
    with Fake(10) as fake:
        stream = fake.stream(knows_length=False)
        stream.open(0, 0, 50)
        taken = stream.run(25)
        assert timed(taken) == (25, 25 * SIZE, 25.0)
        assert taken.epoch_batches == 10


def test_an_old_iterator_ends_before_a_new_one_starts() -> None:
    fake = Fake(10)
    stream = fake.stream()
    stream.open(1, 4, None)
    stream.run(10)
    stream.run_epochs(2)
    assert fake.log[:4] == ["start", "end", "start", "end"]
    assert fake.log == ["start", "end"] * (len(fake.log) // 2)


@pytest.mark.parametrize(
    ("stride", "noted"), [(1, [1.0, 2.0, 3.0, 4.0, 5.0]), (2, [2.0, 4.0, 5.0]), (9, [5.0])]
)
def test_the_time_is_noted_after_every_stride_and_at_the_end(
    stride: int, noted: list[float]
) -> None:
    with Fake(100) as fake:
        stream = fake.stream()
        stream.open(2, 0, None)
        began = fake.now
        taken = stream.run(5, stride)
        assert taken.arrivals == [[began + each for each in noted]]
        assert timed(taken) == (5, 5 * SIZE, 5.0)


def test_every_stretch_has_arrivals_of_its_own() -> None:
    with Fake(10) as fake:
        stream = fake.stream()
        stream.open(2, 1, None)
        taken = stream.run(14, 4)
    # An epoch has six steady batches.
    assert [ended - began for began, ended in taken.stretches] == [6.0, 6.0, 2.0]
    for (began, ended), arrivals, count in zip(
        taken.stretches, taken.arrivals, (2, 2, 1), strict=True
    ):
        assert len(arrivals) == count
        assert began < arrivals[0]
        assert arrivals[-1] == ended


def test_a_stretch_that_was_timed_in_vain_has_no_arrivals() -> None:
    with Fake(10) as fake:
        stream = fake.stream(knows_length=False)
        stream.open(1, 0, None)
        assert [len(came) for came in stream.run(9).arrivals] == [8, 1]


def test_a_long_stretch_is_prepared_now_and_then() -> None:
    prepared: list[int] = []
    fake = Fake(100)
    stream = fake.stream(prepare=lambda: prepared.append(fake.taken))
    stream.open(2, 0, None)
    stream.run(6, 2)
    assert prepared == [0, 3, 5, 7, 9]
    stream.run_epochs(1, 10, 30)
    assert prepared[5:] == [9, 39, 69, 99, 109]


@pytest.mark.parametrize("knows_length", [True, False])
@pytest.mark.parametrize(("length", "warmup", "drain"), [(1, 0, 0), (3, 2, 0), (6, 2, 4)])
def test_an_epoch_without_a_steady_state_gives_nothing(
    length: int, warmup: int, drain: int, knows_length: bool
) -> None:
    stream = Fake(length).stream(knows_length=knows_length)
    stream.open(warmup, drain, None)
    for _ in range(3):
        taken = stream.run(4)
        if taken.batches == 0:
            break
    assert taken == Slice(stretches=[], samples=0, batches=0, cpu_seconds=0.0, epoch_batches=length)


# --- whole epochs -------------------------------------------------------------------------------


def test_whole_epochs_count_from_start_to_end() -> None:
    with Fake(5) as fake:
        stream = fake.stream()
        stream.open(0, 0, None)
        assert timed(stream.run_epochs(1)) == (5, 5 * SIZE, START + 5)
        assert timed(stream.run_epochs(3)) == (15, 15 * SIZE, 3 * START + 15)


def test_the_end_of_an_epoch_belongs_to_it_and_to_no_batch() -> None:
    with Fake(5, end=70.0) as fake:
        stream = fake.stream()
        stream.open(0, 0, None)
        began = fake.now + 70.0  # the end of what was opened
        taken = stream.run_epochs(2)
    first, second = began, began + START + 75
    assert taken.stretches == [(first, first + START + 75), (second, second + START + 75)]
    assert taken.arrivals == [
        [epoch + START + batch for batch in (1.0, 2.0, 3.0, 4.0, 5.0)] for epoch in (first, second)
    ]


def test_the_steady_state_of_an_epoch_begins_after_some_batches() -> None:
    with Fake(10, cost=lambda position: 50.0 if position < 4 else 1.0, end=70.0) as fake:
        stream = fake.stream()
        stream.open(0, 0, None)
        taken = stream.run_epochs(3, skip=4)
    assert [ended - began for began, ended in taken.steady] == [6.0] * 3
    assert taken.steady_samples == 3 * 6 * SIZE
    assert (taken.batches, taken.samples) == (30, 30 * SIZE)


@given(length=st.integers(1, 40), skip=st.integers(0, 40), stride=st.integers(1, 12))
@no_deadline
def test_the_steady_state_begins_after_whole_strides(length: int, skip: int, stride: int) -> None:
    with Fake(length) as fake:
        stream = fake.stream()
        stream.open(0, 0, None)
        taken = stream.run_epochs(2, skip, stride)
    skipped = -(-skip // stride) * stride
    left = length - skipped if skip else 0
    assert [ended - began for began, ended in taken.steady] == [float(left)] * 2 * (left > 0)
    assert taken.steady_samples == 2 * max(left, 0) * SIZE
    for (began, _), arrivals in zip(taken.stretches, taken.arrivals, strict=True):
        noted = [*range(stride, length, stride), length]
        assert [came - began for came in arrivals] == [START + batch for batch in noted]


def test_an_old_batch_is_gone_before_a_new_epoch_begins() -> None:
    fake = Fake(10)
    stream = fake.stream()
    stream.open(2, 0, None)
    assert stream._batch is not None
    fake.cost = lambda position: float(position > 0 or stream._batch is None)
    fake.now = 0.0
    stream.run_epochs(1)
    assert fake.now == START + 10


# --- the end of an epoch ------------------------------------------------------------------------


@pytest.mark.parametrize("knows_length", [True, False])
@pytest.mark.parametrize("taken", [0, 1, 4])
def test_an_epoch_is_read_to_its_end(taken: int, knows_length: bool) -> None:
    with Fake(10, end=3.0) as fake:
        stream = fake.stream(knows_length=knows_length)
        stream.open(2, 0, None)
        if taken:
            stream.run(taken)
        fake.now += 500.0  # what others do meanwhile
        assert stream.finish(1e6) == EpochEnd(batches=10, seconds=START + 13)
        assert fake.log == ["start", "end"]


@pytest.mark.parametrize(("seconds", "taken"), [(START + 8.5, 9), (START, 6), (0.0, 6)])
def test_an_epoch_that_takes_too_long_is_left(seconds: float, taken: int) -> None:
    with Fake(100) as fake:
        stream = fake.stream()
        stream.open(2, 0, None)
        stream.run(2)
        assert stream.finish(seconds) == EpochEnd(batches=None, seconds=0.0)
        assert fake.taken == taken


def test_an_endless_loader_is_left_when_its_time_is_over() -> None:
    with Fake(None) as fake:
        stream = fake.stream()
        stream.open(2, 0, None)
        assert stream.finish(START + 50.0).batches is None
        assert fake.taken == 51


def test_only_the_last_epoch_is_read_to_its_end() -> None:
    with Fake(10) as fake:
        stream = fake.stream()
        stream.open(2, 1, None)
        stream.run(8)  # six of them in the first epoch
        assert stream.finish(1e6) == EpochEnd(batches=10, seconds=START + 10)
        assert fake.log == ["start", "end"] * 2


@pytest.mark.parametrize(("length", "warmup"), [(10, 2), (3, 2), (2, 5)])
def test_after_whole_epochs_one_more_is_read(length: int, warmup: int) -> None:
    with Fake(length) as fake:
        stream = fake.stream()
        stream.open(warmup, 0, None)
        stream.run_epochs(2)
        assert stream.finish(1e6) == EpochEnd(batches=length, seconds=START + length)


def test_a_loader_that_is_used_up_has_no_epoch_to_read() -> None:
    stream = Stream(describe([0] * SIZE for _ in range(3)), None)
    stream.open(5, 0, None)
    with pytest.raises(LoaderError, match="one-shot iterator"):
        stream.finish(1e6)


# --- counting samples ---------------------------------------------------------------------------


def test_samples_are_counted_as_the_test_says() -> None:
    stream = Fake(100).stream(samples=lambda batch: len(batch) * 10)
    assert stream.open(2, 0, None).workload.bytes_per_sample == 0.8
    assert stream.run(3).samples == 3 * SIZE * 10
    assert stream.run_epochs(1).samples == 100 * SIZE * 10


@pytest.mark.parametrize("kind", [np.int64, np.uint8])
def test_samples_may_be_numbers_of_numpy(kind: Callable[[int], Any]) -> None:
    stream = Fake(100).stream(samples=lambda batch: kind(len(batch)))
    opened = stream.open(2, 0, None)
    assert decode(encode(opened)) == opened
    for taken in (stream.run(3), stream.run_epochs(1)):
        assert taken.samples == taken.batches * SIZE
        assert encode(decode(encode(taken))) == encode(taken)


@pytest.mark.parametrize("given", [None, 1.5, "8", -1, [8]])
def test_samples_that_are_no_number_are_refused(given: Any) -> None:
    stream = Fake(100).stream(samples=lambda _: given)
    with pytest.raises(LoaderError, match="samples="):
        stream.open(2, 0, None)


def test_a_loader_without_any_samples_is_refused() -> None:
    with pytest.raises(LoaderError, match="no samples"):
        Fake(100).stream(samples=lambda _: 0).open(2, 0, None)


def test_batches_of_different_size_are_counted_one_by_one() -> None:
    loader = [list(range(size)) for size in (4, 4, 1, 2, 3, 4)]
    stream = Stream(describe(loader), None)
    stream.open(1, 0, None)
    assert stream.run(3).samples == 1 + 2 + 3


def test_batches_that_cannot_be_counted_are_refused_with_the_remedy() -> None:
    with pytest.raises(LoaderError, match=r"samples=lambda batch"):
        Stream(describe([object()]), None).open(0, 0, None)


def test_a_batch_may_be_none() -> None:
    stream = Stream(describe([None] * 10), lambda _: 1)
    assert stream.open(2, 0, None).epoch_batches == 10
    assert stream.run(4).samples == 4


# --- loaders that are used up -------------------------------------------------------------------


def test_an_empty_loader_or_a_spent_iterator_is_refused() -> None:
    loaders: tuple[object, ...] = [], iter(())
    for loader in loaders:
        with pytest.raises(LoaderError, match=r"gave no batch.* one-shot iterator pass a callable"):
            Stream(describe(loader), None).open(2, 0, None)


@pytest.mark.parametrize("work", [lambda s: s.run(50), lambda s: (s.run(6), s.run(1), s.run(50))])
def test_a_one_shot_generator_is_refused_with_its_length_when_it_ends(
    work: Callable[[Stream], object],
) -> None:
    stream = Stream(describe([0] * SIZE for _ in range(10)), None)
    stream.open(2, 0, None)
    with pytest.raises(LoaderError, match=r"ended after 10 batches(.|\n)*one-shot(.|\n)*lambda"):
        work(stream)


def test_a_short_one_shot_generator_is_refused_by_whole_epochs() -> None:
    stream = Stream(describe([0] * SIZE for _ in range(3)), None)
    stream.open(5, 0, None)
    with pytest.raises(LoaderError, match=r"ended after 3 batches(.|\n)*one-shot"):
        stream.run_epochs(1)


def test_a_callable_that_makes_generators_is_not_used_up() -> None:
    stream = Stream(describe(lambda: ([0] * SIZE for _ in range(10))), None)
    stream.open(2, 0, None)
    assert stream.run(50).batches == 50
    assert stream.run_epochs(2).batches == 20


# --- what a loader raises -----------------------------------------------------------------------


class BrokenLoaderError(Exception):
    pass


@pytest.mark.parametrize("at", [0, 1, 3, 8])
def test_what_a_loader_raises_passes_through(at: int) -> None:
    def fail(position: int) -> float:
        if position == at:
            raise BrokenLoaderError
        return 1.0

    stream = Fake(100, fail).stream()

    def work() -> None:
        stream.open(1, 0, None)
        stream.run(4)
        stream.run_epochs(1)

    with pytest.raises(BrokenLoaderError):
        work()


def test_what_starting_raises_passes_through() -> None:
    def start() -> Iterator[object]:
        raise BrokenLoaderError

    with pytest.raises(BrokenLoaderError):
        Stream(Loader(kind="fake", start=start), None).open(1, 0, None)


# --- side effects and costs ---------------------------------------------------------------------


def test_the_random_numbers_of_the_test_stay_as_they_were_seeded() -> None:
    random.seed(5)
    expected = random.random()
    random.seed(5)
    stream = Fake(10).stream()
    stream.open(1, 0, None)
    stream.run(20)
    stream.run_epochs(2)
    assert random.random() == expected


def spin(seconds: float) -> None:
    """Use CPU time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


@pytest.mark.parametrize("where", ["warm-up", "steady state"])
def test_cpu_time_is_that_of_the_steady_state(where: str) -> None:
    def work(position: int) -> float:
        if (position < 3) == (where == "warm-up"):
            spin(0.02)
        return 1.0

    stream = Fake(100, work).stream()
    stream.open(2, 0, None)
    used = stream.run(3).cpu_seconds
    assert used >= 0
    assert (used >= 3 * 0.02) == (where == "steady state")


@pytest.mark.parametrize("where", ["start", "steady state"])
def test_the_cpu_time_of_an_epoch_is_that_of_its_start_and_of_its_steady_state(where: str) -> None:
    def work(position: int) -> float:
        if position < 5 and (position < 3) == (where == "start"):
            spin(0.02)
        return 1.0

    stream = Fake(10, work).stream()
    stream.open(0, 0, None)
    taken = stream.run_epochs(1, skip=3)
    assert taken.cpu_seconds >= 2 * 0.02
    assert 0 <= taken.steady_cpu_seconds <= taken.cpu_seconds
    assert (taken.steady_cpu_seconds >= 2 * 0.02) == (where == "steady state")


def test_the_cpu_time_of_whole_epochs_includes_workers_that_ended_with_theirs() -> None:
    spent: list[float] = []
    code = "import time\nwhile time.process_time() < 0.1: pass\nprint(time.process_time())"

    def epoch() -> Iterator[list[int]]:
        run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=True)
        spent.append(float(run.stdout))
        yield [0] * SIZE

    stream = Stream(Loader(kind="fake", start=epoch, workers=1), None)
    stream.open(0, 0, None)
    spent.clear()
    used = stream.run_epochs(2).cpu_seconds
    assert used > 0.9 * sum(spent)


class Forked:
    """A loader with one forked worker an epoch, which makes 12 batches of 5 ms CPU time each."""

    def __init__(self) -> None:
        self.collate: Callable[[Any], Any] = list

    def describe(self) -> Loader:
        """As `loaders` would."""
        return Loader(
            kind="forked",
            start=self.start,
            workers=1,
            prefetch=2,
            epoch_batches=12,
            follow=self.follow,
        )

    def follow(self, by: Callable[[Callable[[Any], Any]], Callable[[Any], Any]]) -> None:
        """Put another function in the place of ``list``."""
        self.collate = by(self.collate)

    def start(self) -> Iterator[list[int]]:
        """Fork a worker, and give what it makes."""
        context = multiprocessing.get_context("fork")
        queue = context.Queue(2)
        worker = context.Process(target=self._work, args=(queue,), daemon=True)
        worker.start()
        try:
            for _ in range(12):
                yield queue.get()
        finally:  # like torch's, no worker outlives its epoch
            while worker.is_alive():
                with contextlib.suppress(Empty):
                    queue.get(timeout=0.01)
            worker.join()

    def _work(self, queue: Any) -> None:
        for _ in range(12):
            end = time.process_time() + 0.005
            while time.process_time() < end:
                pass
            queue.put(self.collate([0] * SIZE))


@pytest.mark.skipif(sys.platform != "linux", reason="the clock of another process")
def test_workers_are_followed_over_epochs() -> None:
    stream = Stream(Forked().describe(), None)
    stream.open(2, 1, 12, follow=True)
    first = stream.run(4)
    taken = stream.run(8)  # 4 more of this epoch, 4 of the next one
    assert taken.batches == 8
    assert len({worker for worker, _, _ in taken.spans}) == 2
    assert taken.worker_seconds >= (8 - 2 * 3) * 0.005  # as many may have been ready before
    marks = [*first.marks, *taken.marks]
    assert 12 + 3 + 4 <= len(marks) <= 24
    assert 4 - 3 <= made_in(first.spans, marks) <= 4 + 3
    assert 8 - 2 * 3 <= made_in(taken.spans, marks) <= 8 + 2 * 3


def test_workers_are_followed_on_demand_only() -> None:
    stream = Stream(Forked().describe(), None)
    stream.open(2, 1, 12)
    taken = stream.run(4)
    assert (taken.spans, taken.marks, taken.worker_seconds) == ([], [], 0.0)


# --- whole epochs, and training steps -----------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """Epochs of ten batches, and a training step that takes time by their clock as well."""
    with Fake(10) as fake:

        def step(seconds: float) -> None:
            fake.now += seconds

        monkeypatch.setattr(time, "sleep", step)
        yield fake


def test_a_second_epoch_is_timed_from_its_start_to_its_end(clock: Fake) -> None:
    passed = clock.stream().second_epoch(10_000.0)
    assert passed.arrivals == [START + n + 1 for n in range(10)]
    assert passed.ended == START + 10
    assert clock.log.count("start") == 2


def test_an_epoch_that_takes_too_long_has_no_arrivals(clock: Fake) -> None:
    assert clock.stream().second_epoch(START + 5.5).arrivals == []
    assert clock.taken == 6  # of the first epoch


def test_a_loader_that_is_used_up_has_no_second_epoch() -> None:
    used_up = iter([[0], [0]])
    with pytest.raises(LoaderError, match="one-shot iterator"):
        Stream(describe(used_up), None).second_epoch(10.0)


def test_steps_wait_for_batches_but_not_for_epochs(clock: Fake) -> None:
    stream = clock.stream()
    stream.open(2, 1, None)
    stepped = stream.steps(4.0, 100.0)
    # A batch takes 1 s to come and is worked on for 4 s, in as many epochs as it takes.
    assert stepped.waited == 20.0
    assert stepped.stepped == 80.0
    assert clock.log.count("start") > 2


def test_an_epoch_that_is_too_short_for_steps_is_told(clock: Fake) -> None:
    clock.length = 3
    stream = clock.stream()
    stream.open(2, 1, None)
    with pytest.raises(LoaderError, match="an epoch of 3 batches is too short"):
        stream.steps(4.0, 100.0)


class Once:
    """An iterator that fails whoever asks it again after its end."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def __iter__(self) -> Once:
        return self

    def __next__(self) -> list[int]:
        self.left -= 1
        if self.left < 0:
            assert self.left == -1, "asked again"
            raise StopIteration
        return [0]


@pytest.mark.parametrize(("batches", "skip", "stride"), [(10, 0, 4), (10, 3, 4), (3, 5, 1)])
def test_an_epoch_that_has_ended_is_not_asked_again(batches: int, skip: int, stride: int) -> None:
    stream = Stream(Loader(kind="own", start=lambda: Once(batches)), len)
    stream.open(1, 0, None)
    assert stream.run_epochs(2, skip, stride).batches == 2 * batches


# --- many batches -------------------------------------------------------------------------------


def padded(sizes: list[int]) -> list[Any]:
    return [np.zeros((4, size), np.int64) for size in sizes]


def test_what_varies_late_in_an_epoch_shows_if_many_batches_are_examined() -> None:
    loader = describe(padded([64] * 50 + [80]))
    assert Stream(loader, None).open(20, 0, None).workload.batch == "int64[*,64]"
    assert Stream(loader, None).examine(60.0).workload.batch == "int64[*,*]"


def test_what_varies_from_epoch_to_epoch_shows_if_many_batches_are_examined() -> None:
    epochs = itertools.cycle([[64, 64], [64, 64], [64, 80]])  # of which the first one is looked at
    examined = Stream(describe(lambda: iter(padded(next(epochs)))), None).examine(60.0)
    assert examined.workload.batch == "int64[*,*]"


def test_examined_batches_are_counted_as_the_test_says() -> None:
    examined = Stream(describe(padded([64] * 9)), lambda _: 2).examine(60.0)
    assert examined.workload == Workload(batch="int64[*,64]", bytes_per_sample=4 * 64 * 8 / 2)


def test_no_more_batches_are_examined_than_time_allows() -> None:
    fake = Fake(None)
    fake.stream().examine(0.0)
    assert fake.taken < 20
