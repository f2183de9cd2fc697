"""One loader as a stream of batches: its first batch, its steady state, its epochs."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from ..errors import LoaderError
from ..loaders import batches, counting
from ..loaders.kinds import Loader
from ..protocol.messages import (
    EpochEnd,
    Examined,
    Opened,
    Passed,
    Slice,
    Span,
    Stepped,
    Stretch,
)
from ..system.cpus import cpu_seconds
from .batch_marks import Workers, spans
from .ranks import Leader

__tracebackhide__ = True  # pytest shows a failure from the test on, and in the loader itself


class Stream:
    """Iterates a loader epoch after epoch, and times stretches of it.

    Raises LoaderError where the loader is empty, cannot be started again, or its samples cannot
    be counted; what the loader itself raises passes through. ``prepare`` is called before every
    stretch, and now and then in one. Of the samples that are timed, the share ``injected_loss``
    does not count.
    """

    def __init__(
        self,
        loader: Loader,
        samples: counting.SampleCounter | None,
        prepare: Callable[[], None] = lambda: None,
        injected_loss: float = 0.0,
        leader: Leader | None = None,
    ) -> None:
        self._loader = loader
        self._injected_loss = injected_loss
        self._count = self._given = samples or loader.count
        self._prepare = prepare
        self._leader = leader
        self._iterator: Iterator[Any] | None = None
        self._batch: Any = None  # the last one: like a user's, it lives until the next is there
        self._position = 0  # batches taken from this epoch
        self._spent = 0.0  # seconds that they took
        self._warmup = self._drain = 0
        self._workers: Workers | None = None
        self._epoch_batches = loader.epoch_batches

    def open(
        self, warmup: int, drain: int, epoch_batches: int | None, *, follow: bool = False
    ) -> Opened:
        """Start, take the first batch, discard the warm-up; look at the first batches.

        With ``follow`` slices say what workers have made ahead.
        """
        self._warmup, self._drain = warmup, drain
        self._epoch_batches = epoch_batches if epoch_batches is not None else self._epoch_batches
        if follow:
            self._workers = Workers()
            self._loader.follow(self._workers.marking)
        self._prepare()
        started = time.perf_counter()
        self._iterator = self._loader.start()
        batch = self._next()
        first_batch = time.perf_counter() - started
        self._spent = first_batch
        if batch is None:
            raise LoaderError(
                "the loader gave no batch: it is empty, or an iterator that was used up before. "
                "For a one-shot iterator pass a callable that makes one"
            )
        given = counting.checked(self._given) if self._given else None
        looks = [batches.look(batch[0], given)]
        for _ in range(warmup):
            started = time.perf_counter()
            batch = self._next()
            self._spent += time.perf_counter() - started
            if batch is None:
                break
            if len(looks) < batches.LOOKS:
                looks.append(batches.look(batch[0], given, first=False))
        path = batches.settled_path(looks, self._loader)
        if not any(each.counted(path) for each in looks):
            raise _no_samples(len(looks))
        counter = self._count or counting.counter(path)
        samples = (self._leader or self._loader).samples_per_epoch
        if self._leader:
            counter = self._leader.counting(counter, path)
        self._count = counting.without(self._injected_loss, counter)
        workload = batches.workload(looks, path, samples)
        return Opened(
            first_batch=first_batch,
            workload=workload,
            epoch_batches=self._epoch_batches,
        )

    def run(self, wanted: int, stride: int = 1) -> Slice:
        """Time so many batches of the steady state, over as many epochs as that takes.

        An epoch that is too short to have a steady state ends this, with nothing timed. The time is
        noted after every ``stride`` batches.
        """
        timed = samples = 0
        cpu = 0.0
        stretches: list[Stretch] = []
        arrivals: list[list[float]] = []
        needed: list[list[list[float]]] = []
        worked: list[Span] = []
        while timed < wanted:
            count = min(wanted - timed, self._steady_left())
            if count < 1:
                self._restart()
                if self._steady_left() < 1:
                    return Slice(epoch_batches=self._epoch_batches)
                continue
            self._prepare()
            used, began = cpu_seconds(os.getpid()), self._worker_seconds()
            stretch, counted, noted = self._stretch(count, stride)
            if stretch is None:  # the epoch ended in it: now its length is known
                continue
            stretches.append(stretch)
            arrivals.append(noted)
            needed += self._needed()
            samples += counted
            worked += spans(began, self._worker_seconds())
            cpu += cpu_seconds(os.getpid()) - used
            timed += count
        if not samples:
            raise _no_samples(timed)
        marks = self._workers.new_marks() if self._workers else []
        return Slice(
            stretches=stretches,
            samples=samples,
            batches=timed,
            cpu_seconds=cpu,
            epoch_batches=self._epoch_batches,
            spans=worked,
            marks=marks,
            arrivals=arrivals,
            needed=needed,
        )

    def run_epochs(
        self, epochs: int, skip: int = 0, stride: int = 1, longest: float = math.inf
    ) -> Slice:
        """Time whole epochs, from the start of each to the end of its iteration.

        The steady state of each begins after ``skip`` batches, or so many strides; 0: it has none.
        LoaderError if an epoch takes more than ``longest`` seconds.
        """
        assert self._count is not None
        self._iterator = self._batch = None
        self._prepare()
        taken = samples = steady_batches = steady_samples = 0
        stretches: list[Stretch] = []
        arrivals: list[list[float]] = []
        needed: list[list[list[float]]] = []
        steady: list[Stretch] = []
        skipped = math.ceil(skip / stride) * stride
        steady_cpu = 0.0
        used = cpu_seconds(os.getpid())
        for _ in range(epochs):
            noted: list[float] = []
            began = time.perf_counter()
            self._position = 0
            iterator = self._loader.start()
            first = self._pass(iterator, skipped, stride, noted)
            cpu = cpu_seconds(os.getpid()) if epochs == 1 else 0.0
            counts: list[int] = []
            if self._position == skipped:
                counts = self._pass(iterator, sys.maxsize, stride, noted, began + longest)
            stretches.append((began, time.perf_counter()))
            del iterator  # which may wait for threads of its own, now longer, now shorter
            arrivals.append(noted)
            needed += self._needed()
            taken += self._position
            samples += sum(first) + sum(counts)
            if skip and counts:
                steady.append((noted[len(first) - 1], noted[-1]))
                steady_batches += self._position - skipped
                steady_samples += sum(counts)
                if epochs == 1:  # it takes some 0.2 ms to read, which short epochs would notice
                    steady_cpu = cpu_seconds(os.getpid()) - cpu
        if not taken:
            raise self._spent_up()
        if not samples:
            raise _no_samples(taken)
        return Slice(
            stretches=stretches,
            samples=samples,
            batches=taken,
            cpu_seconds=cpu_seconds(os.getpid()) - used,
            epoch_batches=self._epoch_batches,
            arrivals=arrivals,
            steady=steady,
            steady_batches=steady_batches,
            steady_samples=steady_samples,
            steady_cpu_seconds=steady_cpu,
            needed=needed,
        )

    def finish(self, seconds: float) -> EpochEnd:
        """Take what is left of this epoch, unless all of it takes more than so many seconds."""
        if self._iterator is None:
            self._restart()
        started = time.perf_counter() - self._spent
        while self._iterator is not None and self._next() is not None:
            if time.perf_counter() - started > seconds:
                return EpochEnd(batches=None, seconds=0.0)
        return EpochEnd(batches=self._epoch_batches, seconds=time.perf_counter() - started)

    def second_epoch(self, seconds: float) -> Passed:
        """Time a second epoch from its start to its end, if it and the first end in time."""
        self._iterator = None
        count = self._count or self._settling_counter()
        arrivals: list[float] = []
        ended = 0.0
        for _ in range(2):
            self._prepare()
            arrivals, started = [], time.perf_counter()
            for batch in self._loader.start():
                count(batch)
                arrivals.append(time.perf_counter() - started)
                if arrivals[-1] > seconds:
                    return Passed(arrivals=[], ended=0.0)
            ended = time.perf_counter() - started
            if not arrivals:
                raise self._spent_up()
        return Passed(arrivals=arrivals, ended=ended)

    def steps(self, step: float, seconds: float) -> Stepped:
        """Wait for batches between training steps, which take no CPU time here.

        Each epoch begins with a step, in which queues fill: starts are not what is asked for.
        """
        waited = stepped = 0.0
        while waited + stepped < seconds:
            if self._steady_left() < 1:
                self._restart()
                time.sleep(step)
                if self._steady_left() < 1:
                    raise LoaderError(
                        f"an epoch of {self._epoch_batches} batches is too short to tell how long "
                        "its batches are waited for: give this check a loader with longer ones"
                    )
            asked = time.perf_counter()
            batch = self._next()
            came = time.perf_counter()
            if batch is None:  # the epoch ended: now its length is known
                continue
            time.sleep(step)
            waited += came - asked
            stepped += time.perf_counter() - came
        return Stepped(waited=waited, stepped=stepped)

    def examine(self, seconds: float) -> Examined:
        """What many batches are like."""
        self._iterator = None
        return Examined(workload=batches.examined(self._loader, self._given, seconds))

    def _stretch(self, count: int, stride: int) -> tuple[Stretch | None, int, list[float]]:
        """Time so many batches; no stretch if the epoch ends before.

        Also returns how many samples they had, and the times that were noted.
        """
        assert self._iterator is not None
        noted: list[float] = []
        position = self._position
        started = time.perf_counter()
        counts = self._pass(self._iterator, count, stride, noted)
        stretch = started, time.perf_counter()
        self._spent += stretch[1] - started
        if self._position < position + count:
            self._epoch_ended()
            self._needed()
            return None, 0, []
        return stretch, sum(counts), noted

    def _pass(
        self,
        iterator: Iterator[Any],
        at_most: int,
        stride: int,
        noted: list[float],
        until: float = math.inf,
    ) -> list[int]:
        """Take batches, and note the time after every ``stride`` of them, and at the end.

        Returns how many samples each of these strides had. LoaderError after the time ``until``.
        """
        assert self._count is not None
        counted = self._count
        taken, counts = 0, []
        batch, self._batch = self._batch, None
        while taken < at_most:
            before, samples, wanted = taken, 0, min(stride, at_most - taken)
            for batch in islice(iterator, wanted):  # the loop of users
                samples += counted(batch)
                taken += 1
            if taken == before:
                break
            noted.append(time.perf_counter())
            if self._leader:
                self._leader.note()
            counts.append(int(samples))
            self._prepare()  # an epoch may be long
            if noted[-1] > until:
                raise LoaderError(
                    f"an epoch has not ended after {self._position + taken:,} batches, and takes "
                    "more than ten times as long as that of the working tree: the two are no "
                    "versions of one loader, or one of them never ends"
                )
            if taken - before < wanted:  # it has ended, and may not be asked again
                break
        self._batch = batch
        self._position += taken
        return counts

    def _needed(self) -> list[list[list[float]]]:
        return [self._leader.notes()] if self._leader else []

    def _worker_seconds(self) -> dict[int, float]:
        return self._workers.cpu_seconds() if self._workers else {}

    def _next(self) -> tuple[Any] | None:
        """The next batch (in a tuple: it may be None itself), or None at the end of the epoch."""
        assert self._iterator is not None
        try:
            batch = next(self._iterator)
        except StopIteration:
            self._epoch_ended()
            return None
        self._position += 1
        self._batch = batch
        return (batch,)

    def _epoch_ended(self) -> None:
        self._epoch_batches = self._position or self._epoch_batches
        self._iterator = self._batch = None

    def _steady_left(self) -> int:
        """Batches left in this epoch before its queue drains."""
        if self._iterator is None:
            return 0
        if self._epoch_batches is None:
            return 2**62
        return self._epoch_batches - self._drain - self._position

    def _restart(self) -> None:
        self._iterator = None  # the old one ends its workers before the new one starts its own
        self._position = 0
        started = time.perf_counter()
        self._iterator = self._loader.start()
        for taken in range(1 + self._warmup):
            if self._next() is None:
                if not taken:
                    raise self._spent_up()
                break
        self._spent = time.perf_counter() - started

    def _settling_counter(self) -> counting.SampleCounter:
        told = self._loader.batch_size, self._loader.samples_per_epoch
        return counting.settling_counter(*told)

    def _spent_up(self) -> LoaderError:
        return LoaderError(
            f"the loader ended after {self._epoch_batches} batches and gave nothing when it was "
            "started again: it is a one-shot iterator. Pass a callable that makes a new one each "
            "time: loaderperf(lambda: make_loader())"
        )


def _no_samples(count: int) -> LoaderError:
    return LoaderError(
        f"{count} batches held no samples, so that no throughput can be told: let the loader give "
        "batches that are not empty, or say how to count: loaderperf(loader, samples=...)"
    )
