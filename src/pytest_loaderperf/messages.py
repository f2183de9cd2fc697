"""What coordinator, arms and trials say to one another, and the channel that carries it.

Every message is a frozen dataclass of JSON types, sent as one line. A channel is one end of an
anonymous socket pair that the child inherits: it has no name or address that another process
could connect to, and no user output ever shares it.
"""

from __future__ import annotations

import dataclasses
import json
import select
import socket
from dataclasses import dataclass, field
from typing import TypeVar

from .errors import ArmError

# --- coordinator -> arm


@dataclass(frozen=True)
class Setup:
    """How an arm configures its pytest: as the coordinator's, but in its own tree."""

    args: list[str]
    options: dict[str, object]
    sys_path: list[str]
    keeps_path: bool  # after `sys_path` comes the interpreter's own: it is another one
    tree: str  # the project's root, in the version that this arm measures
    data_root: str
    foreign_root: str  # a tree of which nothing may be imported; "" if there is none
    fresh: bool  # the arm runs one trial itself, instead of forking one for each request
    in_vain: float  # the share of samples that timing leaves out: a known loss


@dataclass(frozen=True)
class StartTrial:
    """Start a trial of one check; a file descriptor for the trial's channel comes along."""

    nodeid: str


@dataclass(frozen=True)
class Reap:
    """Wait for a trial's process to end, and say how it did."""

    pid: int


# --- arm -> coordinator


@dataclass(frozen=True)
class Check:
    """One loader check that an arm has collected."""

    names: list[str]  # the node id below the module: classes, then the test with its parameters
    location: list[object]  # file, line (from 0), domain, as pytest has them
    keywords: list[str]
    markers: list[list[object]]  # [name, args, kwargs] of those that JSON can carry
    settings: dict[str, object]  # the arguments of the loaderperf marker
    batch_size: int | None
    sweep: str  # the test without its batch size, below the module; empty where it has none
    benchmark: bool  # whether it also asks for the fixture of pytest-benchmark


@dataclass(frozen=True)
class Collected:
    """What an arm found in its module; exactly one of checks and error counts."""

    checks: list[dict[str, object]]
    error: str
    usage_error: bool
    versions: dict[str, str]
    foreign: list[str]  # modules imported from `foreign_root`
    shadowed: list[str]  # project packages that were imported from somewhere else
    fork_hazard: str  # why a fork would be unsafe; "" if it is not


@dataclass(frozen=True)
class Started:
    """A trial runs as the leader of its own process group."""

    pid: int
    output: str  # the file that takes what the trial prints


@dataclass(frozen=True)
class Ended:
    """How a trial's process ended: exit status, negative for a signal."""

    status: int


# --- coordinator -> trial


@dataclass(frozen=True)
class Begin:
    """Set up the fixtures and run the test until it hands over its loader.

    With a ``result`` the trial is the last one: the test's own assertions run on it.
    ``accepting``: comparisons with the baseline pass, since the result becomes the baseline.
    ``fails``: the verdict fails the test, even if no assertion of its own does.
    ``timed``: a trial without a result measures time; else memory.
    """

    result: dict[str, object] | None = None
    accepting: bool = False
    fails: bool = False
    timed: bool = False


@dataclass(frozen=True)
class Open:
    """Start iterating; discard ``warmup`` batches after the first one."""

    warmup: int
    drain: int
    epoch_batches: int | None  # as far as an earlier trial has learned it
    follow: bool = False  # workers, for what they make ahead


@dataclass(frozen=True)
class Run:
    """Time ``batches`` batches of the steady state, or whole epochs if so many are asked for."""

    batches: int
    epochs: int = 0


@dataclass(frozen=True)
class Read:
    """Say which samples an epoch delivers; it may take so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Probe:
    """Go through the rest of the test once, to learn which metrics it asserts, then end."""


@dataclass(frozen=True)
class End:
    """Unwind: tear the fixtures down and report."""


# --- trial -> coordinator


@dataclass(frozen=True)
class Handed:
    """The test has called ``loaderperf(loader)``."""

    kind: str
    workers: int
    prefetch: int
    epoch_batches: int | None
    samples_per_epoch: int | None
    built_data: bool  # a data folder was built in this trial: its memory says nothing
    settings: dict[str, str | int | bool] = field(default_factory=dict)  # that the loader tells
    note: str = ""  # what the report has to say of this kind of loader
    scattered: bool = False  # its processes are in groups of their own


@dataclass(frozen=True)
class Opened:
    """The first batch has arrived, and the warm-up is over."""

    first_batch: float
    workload: dict[str, object]
    epoch_batches: int | None  # now known, if the loader ended during the warm-up


Stretch = tuple[float, float]  # when a stretch of time began and ended, in seconds


@dataclass(frozen=True)
class Slice:
    """Timed batches; none, if an epoch turned out to be too short for a steady state.

    ``stretches`` say when each stretch of time that it took began and ended, by a clock that all
    processes share.
    """

    stretches: list[Stretch]
    samples: int
    batches: int
    cpu_seconds: float
    epoch_batches: int | None
    # Of workers that are followed, as `ahead` has them. Marks are all that are new.
    spans: list[tuple[int, float, float]] = field(default_factory=list)
    marks: list[tuple[int, float]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return sum(ended - began for began, ended in self.stretches)

    @property
    def worker_seconds(self) -> float:
        """CPU time of the workers that are followed."""
        return sum(ended - began for _, began, ended in self.spans)


@dataclass(frozen=True)
class Contents:
    """Which samples an epoch delivers, if it is ``complete``; the next one ``repeats`` them."""

    hashes: str
    complete: bool
    repeats: bool


@dataclass(frozen=True)
class Finished:
    """The test is over, its fixtures torn down; ``reports`` as pytest serialises them."""

    reports: list[dict[str, object]]
    text: str  # of the first report that did not pass
    asserted: list[str]  # metrics that the test compared with a baseline
    used: list[str]  # metrics that it looked at
    misused: bool  # what failed is the test's use of this package, not its loader
    foreign: list[str]  # as in Collected: a trial may have imported more
    shadowed: list[str]
    benchmark: dict[str, object]  # what the test has set of the fixture of pytest-benchmark


Message = (
    Setup | StartTrial | Reap | Collected | Started | Ended | Begin | Open | Run | Read | Probe
    | End | Handed | Opened | Slice | Contents | Finished
)  # fmt: skip
_TYPES: dict[str, type[Message]] = {
    kind.__name__: kind
    for kind in (
        Setup, StartTrial, Reap, Collected, Started, Ended, Begin, Open, Run, Read, Probe,
        End, Handed, Opened, Slice, Contents, Finished,
    )
}  # fmt: skip
M = TypeVar("M", bound=Message)


def encode(message: Message) -> bytes:
    """One message as one line of JSON."""
    content = {"type": type(message).__name__, **dataclasses.asdict(message)}
    return json.dumps(content).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message of one line; ArmError if it is none."""
    try:
        content = json.loads(line)
        return _TYPES[content.pop("type")](**content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArmError(f"not a message: {line[:200]!r} ({error})") from error


class ChannelClosed(ArmError):  # noqa: N818  (it is how every conversation ends)
    """The other end is gone."""


class Channel:
    """One end of a socket pair; sends and receives messages."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._lines: list[bytes] = []
        self._rest = b""

    @classmethod
    def pair(cls) -> tuple[Channel, socket.socket]:
        """A channel, and the end for a child to inherit."""
        ours, theirs = socket.socketpair()
        return cls(ours), theirs

    def send(self, message: Message, descriptor: int | None = None) -> None:
        """Send a message, and with it a file descriptor if one is given."""
        line = encode(message)
        try:
            if descriptor is not None:
                sent = socket.send_fds(self._socket, [line], [descriptor])
                line = line[sent:]
            self._socket.sendall(line)
        except OSError as error:
            raise ChannelClosed("the other process has ended") from error

    def receive(self, expected: type[M], timeout: float | None = None) -> M:
        """The next message, which must be of the expected type; ChannelClosed at the end."""
        message = self.next(timeout)
        if not isinstance(message, expected):
            raise ArmError(f"expected {expected.__name__}, got {message}")
        return message

    def next(self, timeout: float | None = None) -> Message | None:
        """The next message of any type, or None if none has come after ``timeout`` seconds."""
        while not self._lines:
            if timeout is not None and not self.wait(timeout):
                return None
            self._fill(self._read()[0])
        return decode(self._lines.pop(0))

    def wait(self, seconds: float) -> bool:
        """Whether there is something to read, or the end, within so many seconds."""
        return bool(self._lines or select.select([self._socket], [], [], seconds)[0])

    def receive_with_descriptor(self) -> tuple[Message, int]:
        """The next message and the file descriptor that came with it (-1 if none)."""
        descriptors: list[int] = []
        while not self._lines:
            data, received = self._read(descriptors=1)
            descriptors += received  # a long message comes in parts, its descriptor with the first
            self._fill(data)
        return decode(self._lines.pop(0)), descriptors[0] if descriptors else -1

    def fileno(self) -> int:
        """The descriptor, for ``select``."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close this end; the other one reads an end of file."""
        self._socket.close()

    def _read(self, descriptors: int = 0) -> tuple[bytes, list[int]]:
        try:
            return socket.recv_fds(self._socket, 65536, descriptors)[:2]
        except ConnectionError:
            return b"", []

    def _fill(self, data: bytes) -> None:
        if not data:
            raise ChannelClosed("the other process has ended")
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._lines += lines
