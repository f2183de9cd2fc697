"""Several ranks in step: the first one leads, and the others do as it says.

A step ends when every rank has its batch, as the exchange of gradients makes it. Each rank iterates
its own loader, in a process of its own; links between them are private socket pairs.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ..errors import LoaderError
from ..loaders import counting
from ..loaders.kinds import Loader
from ..model.workload import Delivered
from ..protocol.channel import ChannelClosed

__tracebackhide__ = True  # pytest shows a failure from the test on, and in the loader itself

_NEXT, _START, _DROP, _PREPARE, _COUNT, _DELIVER, _REST, _LEAVE = b"nsdpcvrl"
_GOT, _OVER = b"bo"
_ANSWER = struct.Struct("<Bdq")  # what came, how long it took (s), how many samples it has
Deliver = Callable[[float], Delivered]  # of epochs that may take so many seconds each
_LENGTH = struct.Struct("<I")
_LOOK = 1.0  # seconds: for so long one that is suspended counts as waiting
_LOST = 30.0  # seconds, for whoever started a rank that has ended to tell of it


class Leader:
    """What the first rank knows of the others.

    LoaderError where they are not in step, or one does not answer for longer than ``patience`` (s).
    """

    def __init__(self, links: Sequence[socket.socket], patience: float) -> None:
        self._links = links
        self._patience = patience
        self._samples = 0  # of the others' last batches
        self._needed = [0.0] * (len(links) + 1)
        self._notes: list[list[float]] = []
        self.samples_per_epoch: int | None = None  # of all ranks
        for link in links:
            link.settimeout(_LOOK)

    def gathered(self, loader: Loader) -> Loader:
        """A loader whose batches are there when those of all ranks are; waits for their loaders."""
        told = [(loader.epoch_batches, loader.samples_per_epoch)]
        told += [self._value(rank) for rank in range(1, len(self._links) + 1)]
        lengths = [batches for batches, _ in told if batches is not None]
        if len({*lengths}) > 1:
            named = ", ".join(f"rank {rank} {batches}" for rank, (batches, _) in enumerate(told))
            raise LoaderError(
                f"epochs have different numbers of batches: {named}. Training would wait for ever "
                "at the end of the shortest: let each rank have as many"
            )
        samples = [each for _, each in told if each is not None]
        self.samples_per_epoch = sum(samples) if len(samples) == len(told) else None
        # What workers make ahead cannot be told of all ranks.
        return replace(loader, start=lambda: self._steps(loader), follow=lambda _: None)

    def counting(self, own: counting.SampleCounter, path: counting.Path) -> counting.SampleCounter:
        """Counts the samples of all ranks in a step, given a batch of the first one."""
        self._tell(_COUNT, _packed(path))
        return lambda batch: own(batch) + self._samples

    def deliveries(self, own: Deliver, seconds: float) -> list[Delivered]:
        """What each rank delivers, which all read at the same time."""
        self._tell(_DELIVER, _packed(seconds))
        return [own(seconds), *(self._value(rank) for rank in range(1, len(self._links) + 1))]

    def prepare(self) -> None:
        """Have the others do what is to be done before a stretch; warm-ups are not noted."""
        self._needed = [0.0] * len(self._needed)
        self._tell(_PREPARE)

    def note(self) -> None:
        """Note how long each rank needed for its batches since the last note."""
        self._notes.append(self._needed)
        self._needed = [0.0] * len(self._needed)

    def notes(self) -> list[list[float]]:
        """The notes since they were asked for."""
        taken, self._notes = self._notes, []
        return taken

    def leave(self, *, rest: bool) -> None:
        """Have the others unwind their tests, or go through the ``rest`` of them."""
        self._tell(_REST if rest else _LEAVE)

    def _steps(self, loader: Loader) -> Iterator[Any]:
        self._tell(_START)
        iterator = loader.start()
        steps = 0
        batch: Any = None
        try:
            while True:
                self._tell(_NEXT)
                began = time.perf_counter()
                batch = next(iterator, _NOTHING)
                self._needed[0] += time.perf_counter() - began
                over = self._answers(over=batch is _NOTHING)
                if all(over):
                    return
                if any(over):
                    raise _uneven(over, steps)
                steps += 1
                yield batch
        finally:
            batch = None
            self._tell(_DROP)

    def _answers(self, *, over: bool) -> list[bool]:
        """Which ranks are at the end of their epochs; waits for all of them."""
        ends, self._samples = [over], 0
        for rank in range(1, len(self._links) + 1):
            what, seconds, samples = _ANSWER.unpack(self._read(rank, _ANSWER.size))
            self._needed[rank] += seconds
            self._samples += samples
            ends.append(what == _OVER)
        return ends

    def _value(self, rank: int) -> Any:
        return _unpacked(partial(self._read, rank))

    def _read(self, rank: int, size: int) -> bytes:
        data, waited = b"", 0.0
        while len(data) < size:
            try:
                part = self._links[rank - 1].recv(size - len(data))
            except TimeoutError:
                waited += _LOOK
                if waited >= self._patience:
                    raise LoaderError(
                        f"rank {rank} has given no batch for {waited:.0f} s, and the other ranks "
                        "wait for it"
                    ) from None
                continue
            except OSError:
                part = b""
            if not part:
                raise _lost(rank)
            data += part
        return data

    def _tell(self, command: int, more: bytes = b"") -> None:
        message = bytes([command]) + more
        for rank, link in enumerate(self._links, 1):
            try:
                link.sendall(message)
            except OSError:
                if command != _DROP:
                    raise _lost(rank) from None


def follow(
    link: socket.socket,
    loader: Loader,
    samples: counting.SampleCounter | None,
    prepare: Callable[[], None],
    deliver: Deliver,
) -> bool:
    """Do as the first rank says, until it lets the rest of the test go on (True), or ends it.

    ChannelClosed if it has ended.
    """
    link.sendall(_packed((loader.epoch_batches, loader.samples_per_epoch)))
    count = samples or loader.count
    iterator: Iterator[Any] = iter(())
    batch: Any = None
    while True:
        command = _exactly(link, 1)[0]
        if command == _NEXT:
            began = time.perf_counter()
            batch = next(iterator, _NOTHING)
            seconds = time.perf_counter() - began
            over = batch is _NOTHING
            counted = 0 if over or count is None else int(count(batch))
            link.sendall(_ANSWER.pack(_OVER if over else _GOT, seconds, counted))
        elif command == _START:
            iterator, batch = iter(()), None  # the old one ends its workers first
            prepare()
            iterator = loader.start()
        elif command == _DROP:
            iterator, batch = iter(()), None
        elif command == _DELIVER:
            iterator, batch = iter(()), None
            link.sendall(_packed(deliver(_unpacked(partial(_exactly, link)))))
        elif command == _PREPARE:
            prepare()
        elif command == _COUNT:
            path = _unpacked(partial(_exactly, link))
            count = count or counting.counter(path)
        else:
            return command == _REST


_NOTHING = object()  # at the end of an epoch


def _packed(value: object) -> bytes:
    """A value with its length before it."""
    import pickle  # noqa: PLC0415  (here: few loaders have ranks)

    payload = pickle.dumps(value)
    return _LENGTH.pack(len(payload)) + payload


def _unpacked(read: Callable[[int], bytes]) -> Any:
    """Such a value of another process of this trial, of which ``read`` gives so many bytes."""
    import pickle  # noqa: PLC0415

    (length,) = _LENGTH.unpack(read(_LENGTH.size))
    return pickle.loads(read(length))  # noqa: S301


def _exactly(link: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = link.recv(size - len(data))
        if not part:
            raise ChannelClosed("the first rank has ended")
        data += part
    return data


def _lost(rank: int) -> LoaderError:
    """That a rank has ended; whoever has started it knows how, and ends this process meanwhile."""
    time.sleep(_LOST)
    return LoaderError(f"rank {rank} has ended")


def _uneven(over: Sequence[bool], steps: int) -> LoaderError:
    ended = [f"rank {rank}" for rank, each in enumerate(over) if each]
    more = [f"rank {rank}" for rank, each in enumerate(over) if not each]
    return LoaderError(
        f"an epoch of {' and '.join(ended)} ended after {steps} batches, and {' and '.join(more)} "
        "had more: training would wait for ever. Let each rank have as many batches, by padding, "
        "or by dropping the last ones"
    )
