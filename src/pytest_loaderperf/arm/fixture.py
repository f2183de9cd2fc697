"""Inside a trial: the object that the fixture ``loaderperf`` gives to a test.

The coordinator leads; a trial only answers. When the test hands over its loader, the trial opens
it and times slices of it as it is told, and unwinds the test when it is told to end. In the last
trial of a check there is nothing left to measure: the test gets the result and asserts on it.
"""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

from ..errors import LoaderError, LoaderPerfError
from ..loaders.kinds import Loader
from ..loaders.recognise import describe
from ..loaders.sample_hashes import deliver
from ..model.metrics import METRICS
from ..model.results import CheckResult
from ..protocol.channel import Channel
from ..protocol.messages import (
    Begin,
    Deliver,
    Deliveries,
    End,
    Examine,
    Finish,
    Handed,
    Message,
    Open,
    Pass,
    Probe,
    RunNode,
    RunSlice,
    Setup,
    Step,
)
from ..reports.explain import explain
from . import isolation, pipeline, ranks
from .driver import Stream
from .isolation import Heap
from .perf import Asked, Perf
from .variants import Factory, Variants, factories, failed, made

SampleCount = Callable[[Any], int]


class TrialDone(BaseException):
    """Ends the test of a trial that has measured enough; no ``except Exception`` stops it."""


class Conversation:
    """A trial's part in the conversation with the coordinator, and what its test has done."""

    def __init__(
        self, channel: Channel, begin: Begin, setup: Setup, links: Sequence[socket.socket] = ()
    ) -> None:
        self._channel = channel
        self._links = links  # with other ranks: of the first one with all, of these with that
        self._begin = begin
        self._setup = setup
        self._asked: Asked | None = None
        self._leader: ranks.Leader | None = None
        self._called = False
        self.unwound = False
        self.built_data = False
        self.misused = False

    def measured(self, loader: object, samples: SampleCount | None) -> Asked:
        """Have a loader measured, or get the result in the last trial."""
        __tracebackhide__ = True
        given = self._given()
        return given or self._measured(describe(loader), samples, ())

    def delivered(
        self, loader: object, samples: SampleCount | None, drops_last: bool | None
    ) -> None:
        """Have a loader checked for what it delivers, if that is not known yet."""
        __tracebackhide__ = True
        if self._given() is None:
            known = describe(loader)
            drops = known.drops if drops_last is None else drops_last
            self._measured(replace(known, drops=drops), samples, (), delivers=True)

    def compared(self, variants: Mapping[str, Factory], samples: SampleCount | None) -> Asked:
        """Have one of the loaders measured that these make, or get the result of all."""
        __tracebackhide__ = True
        if given := self._given():
            return given
        name = self._setup.variant or next(iter(variants))
        try:
            return self._measured(made(variants, name), samples, list(variants))
        except LoaderPerfError as error:
            raise failed(name, error) from None
        except Exception as error:
            raise failed(name, error) from error

    def _given(self) -> Asked | None:
        """The result, in the last trial; LoaderError where a test asks for another one."""
        __tracebackhide__ = True
        if self._called:
            raise LoaderError(
                "loaderperf() was called twice in one test: give each loader a test of its own"
            )
        self._called = True
        if self._begin.result is not None:
            self._asked = Asked(self._begin.result, accepting=self._begin.accepting)
        return self._asked

    def _measured(
        self,
        loader: Loader,
        samples: SampleCount | None,
        variants: Sequence[str],
        *,
        delivers: bool = False,
    ) -> Asked:
        __tracebackhide__ = True
        if samples is not None and not callable(samples):
            raise LoaderError(f"samples={samples!r}: give a callable that counts a batch's samples")
        self._hand(loader, variants, delivers=delivers)
        if self._setup.rank:
            isolation.call_apart(lambda: self._follow(loader, samples))
        elif self._links:
            isolation.call_apart(lambda: self._lead(loader, samples))
        else:
            stream = Stream(loader, samples, self._prepare(), self._setup.injected_loss)
            isolation.call_apart(lambda: self._serve(stream, loader, samples))
        self._asked = Asked.probe()
        return self._asked

    def _follow(self, loader: Loader, samples: SampleCount | None) -> None:
        """Do as the first rank says."""
        __tracebackhide__ = True
        own = partial(deliver, loader, samples, alone=False)
        if not ranks.follow(self._links[0], loader, samples, self._prepare(), own):
            self._unwind()

    def _lead(self, loader: Loader, samples: SampleCount | None) -> None:
        """Do as the coordinator says, and have the other ranks do it in step."""
        __tracebackhide__ = True
        self._leader = leader = ranks.Leader(self._links, self._begin.patience)
        in_step = leader.gathered(loader)
        own = self._prepare()

        def prepare() -> None:
            own()
            leader.prepare()

        stream = Stream(in_step, samples, prepare, self._setup.injected_loss, leader)
        try:
            self._serve(stream, loader, samples)
        except TrialDone:
            leader.leave(rest=False)
            raise
        leader.leave(rest=True)

    @property
    def asserted(self) -> list[str]:
        """The metrics that the test has compared with their baselines."""
        return self._asked.asserted if self._asked else []

    @property
    def used(self) -> list[str]:
        """The metrics that the test has looked at."""
        return self._asked.used if self._asked else []

    def failure(self) -> CheckResult | None:
        """The result of the last trial, if its verdict fails the test by itself."""
        if self._asked is None or not self._begin.fails:
            return None
        return self._asked.result

    def _hand(self, loader: Loader, variants: Sequence[str], *, delivers: bool) -> None:
        self._channel.send(
            Handed(
                kind=loader.kind,
                workers=loader.workers,
                prefetch=loader.prefetch,
                epoch_batches=loader.epoch_batches,
                samples_per_epoch=loader.samples_per_epoch,
                built_data=self.built_data,
                settings=dict(loader.settings),
                note=loader.note,
                scattered=loader.scattered,
                endless=loader.endless,
                variants=list(variants),
                ranks=self._setup.ranks,
                delivers=delivers,
            )
        )

    def _prepare(self) -> Callable[[], None]:
        """What to do before every stretch."""
        heap = Heap()
        heap.shuffle_workers()
        return heap.shuffle_when_due

    def _serve(self, stream: Stream, loader: Loader, samples: SampleCount | None) -> None:
        """Do as the coordinator says, until it lets the test go on or ends it."""
        __tracebackhide__ = True
        while True:
            message = self._channel.next()
            if isinstance(message, Open):
                opened = stream.open(
                    message.warmup, message.drain, message.epoch_batches, follow=message.follow
                )
                self._channel.send(opened)
            elif isinstance(message, RunSlice) and message.epochs:
                taken = stream.run_epochs(
                    message.epochs, message.skip, message.stride, message.longest
                )
                self._channel.send(taken)
            elif isinstance(message, RunSlice):
                self._channel.send(stream.run(message.batches, message.stride))
            elif isinstance(message, Deliver):
                own = partial(deliver, loader, samples, alone=message.alone)
                leader, seconds = self._leader, message.seconds
                of_ranks = leader.deliveries(own, seconds) if leader else [own(seconds)]
                self._channel.send(Deliveries(ranks=of_ranks))
            elif isinstance(message, Finish | Examine | Pass):
                read: Mapping[type, Callable[[float], Message]] = {
                    Finish: stream.finish,
                    Examine: stream.examine,
                    Pass: stream.second_epoch,
                }
                self._channel.send(read[type(message)](message.seconds))
            elif isinstance(message, Step):
                self._channel.send(stream.steps(message.step, message.seconds))
            elif isinstance(message, RunNode):
                self._channel.send(pipeline.run(loader, message))
            elif isinstance(message, Probe):
                return
            else:
                assert isinstance(message, End), message
                self._unwind()

    def _unwind(self) -> NoReturn:
        """End the test where it stands."""
        __tracebackhide__ = True
        self.unwound = True
        # What the test leaves is garbage that hangs together, and nobody needs it freed. A
        # collector ends the queues of a DataLoader's workers before it ends the loader, which then
        # waits five seconds for each of them.
        gc.disable()
        raise TrialDone


class LoaderPerf:
    """The fixture ``loaderperf``: measures a loader and gives the judged result.

    Call it once in a test, with a loader that can be iterated again and again, or with a callable
    without arguments that makes one. ``samples`` counts the samples of a batch, where that cannot
    be told from its arrays.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def __call__(self, loader: object, *, samples: SampleCount | None = None) -> Perf:
        """Measure a loader.

        Raises LoaderError where it cannot be measured; what the loader raises passes through.
        """
        __tracebackhide__ = True
        return Perf(self._conversation.measured(loader, samples))

    def check(self, loader: object, *, samples: SampleCount | None = None) -> Perf:
        """Measure a loader, and assert that what is judged by default did not get worse.

        That is throughput, peak memory and, where whole epochs were timed, the time of an epoch.

        Raises AssertionError if one did, and otherwise as a call does.
        """
        __tracebackhide__ = True
        asked = self._conversation.measured(loader, samples)
        for metric in METRICS.values():
            if metric.judged and asked.has(metric) and not asked.holds(metric):
                raise AssertionError("\n".join(explain(asked.result, asked.comparison(metric))))
        return Perf(asked)

    def check_samples(
        self,
        loader: object,
        *,
        samples: SampleCount | None = None,
        drops_last: bool | None = None,
    ) -> None:
        """Check that an epoch delivers each sample once, from all ranks and workers together.

        Two epochs are read, of all ranks at a time, and beside them those of one process alone.
        Ranks may pad, so that each has as many samples. With ``drops_last`` each worker may drop
        what does not fill its last batch; by default where the loader tells that it does so.

        Raises AssertionError if samples are repeated or missing, or ``set_epoch`` was forgotten,
        and LoaderError where an epoch does not end, or delivers other samples each time.
        """
        __tracebackhide__ = True
        self._conversation.delivered(loader, samples, drops_last)

    def compare(
        self, variants: Mapping[str, Factory], *, samples: SampleCount | None = None
    ) -> Variants:
        """Measure several loaders side by side, each with the first one, without a baseline.

        ``variants`` are functions that make a loader, by name: each trial makes one of them.
        Ratios are those of their throughputs, in samples/s.

        Raises LoaderError where these are no functions by name, two at least, or where one of the
        loaders cannot be measured: the message names it.
        """
        __tracebackhide__ = True
        checked = factories(variants)
        return Variants(list(checked), self._conversation.compared(checked, samples))
