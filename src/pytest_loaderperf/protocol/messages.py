"""The messages of coordinator, arms and trials: frozen dataclasses of plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ..model.parameters import Parameter
from ..model.results import CheckResult
from ..model.workload import Delivered, Workload

# --- coordinator -> arm


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How an arm configures its pytest: as the coordinator's, but in its own tree."""

    args: list[str]
    module: str  # the only one to collect
    options: dict[str, object]
    typed: dict[str, list[str]]  # arguments of options whose values are no plain data, by name
    sys_path: list[str]
    more_path: list[str]  # that conftests have added: it comes last
    keeps_path: bool  # after `sys_path` comes the interpreter's own: it is another one
    data_root: str
    fresh: bool  # the arm runs one trial itself, instead of forking one for each request
    injected_loss: float  # the share of samples that timing leaves out: a known loss
    variant: str  # which loader to build of those that a test compares; "": the first
    rank: int = 0  # of the processes that measure one check together
    ranks: int = 1


@dataclass(frozen=True, kw_only=True)
class StartTrial:
    """Start a trial of one check; a file descriptor for the trial's channel comes along.

    Of several ranks, descriptors for those that the first one leads follow, or for the first one.
    """

    nodeid: str
    ran: str  # the folder in which its processes write down what they have run
    port: int = 0  # on which ranks may meet


@dataclass(frozen=True, kw_only=True)
class Reap:
    """Wait for a trial's process to end, and say how it did."""

    pid: int


# --- arm -> coordinator


@dataclass(frozen=True, kw_only=True)
class Hello:
    """The first message of an arm: the version of its plugin, whose messages it understands."""

    plugin: str


@dataclass(frozen=True, kw_only=True)
class CollectedCheck:
    """One loader check that an arm has collected."""

    names: list[str]  # the node id below the module: classes, then the test with its parameters
    location: tuple[str, int | None, str]  # file, line (from 0), domain, as pytest has them
    keywords: list[str]  # that plugins have given it and its parents, for -k
    attributes: list[str]  # the names of those of its function, likewise
    fixturenames: list[str]  # as pytest has them, for hooks that look for some
    # Name, arguments and named arguments of those that JSON can carry.
    markers: list[tuple[str, list[object], dict[str, object]]]
    settings: dict[str, object]  # the arguments of the loaderperf marker
    # Those by which the checks of one test differ that are put together: of a sweep, or batch_size.
    parameters: dict[str, Parameter]
    sweep: str  # the test without those, below the module; empty where it has none
    benchmark: bool  # whether it also asks for the fixture of pytest-benchmark

    @property
    def key(self) -> str:
        """Its name in the store, and in the node id after that of the module."""
        return "::".join(self.names)


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What an arm found in its module; exactly one of checks and error counts."""

    checks: list[CollectedCheck]
    error: str
    usage_error: bool
    versions: dict[str, str]
    fork_hazard: str  # why a fork would be unsafe; "" if it is not


@dataclass(frozen=True, kw_only=True)
class Started:
    """A trial runs as the leader of its own process group."""

    pid: int
    output: str  # the file that takes what the trial prints


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a trial's process ended: exit status, negative for a signal."""

    status: int


# --- coordinator -> trial


@dataclass(frozen=True, kw_only=True)
class Begin:
    """Set up the fixtures and run the test until it hands over its loader.

    With a ``result`` the trial is the last one: the test's own assertions run on it.
    ``accepting``: comparisons with the baseline pass, since the result becomes the baseline.
    ``fails``: the verdict fails the test, even if no assertion of its own does.
    ``timed``: a trial without a result measures time; else memory. ``watched``: it writes down
    which files are opened, and takes somewhat more time. ``stacks``: the folder in which its
    processes write down where they are, whenever they are asked. ``allocations``: the one in which
    memray writes down what they allocate. ``copies``: the one in which they write down what they
    copy of the memory that they share. ``others`` are the processes of the other ranks, and
    ``patience`` is how long a batch of theirs may take (s).
    """

    result: CheckResult | None = None
    accepting: bool = False
    fails: bool = False
    timed: bool = False
    watched: bool = False
    stacks: str = ""
    allocations: str = ""
    copies: str = ""
    others: list[int] = field(default_factory=list)
    patience: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Open:
    """Start iterating; discard ``warmup`` batches after the first one."""

    warmup: int
    drain: int
    epoch_batches: int | None  # as far as an earlier trial has learned it
    follow: bool = False  # workers, for what they make ahead


@dataclass(frozen=True, kw_only=True)
class RunSlice:
    """Time ``batches`` batches of the steady state, or whole epochs if so many are asked for.

    Of a whole epoch the steady state begins after ``skip`` batches; 0 if it has none. It must end
    within ``longest`` seconds. The time is noted after every ``stride`` batches.
    """

    batches: int
    epochs: int = 0
    skip: int = 0
    longest: float = 1e9
    stride: int = 1


@dataclass(frozen=True, kw_only=True)
class Finish:
    """Take what is left of the epoch, if it ends before it has taken so many seconds in all."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class Deliver:
    """Say what each rank delivers; each of its epochs may take so many seconds.

    ``alone``: without workers, where the loader can do that.
    """

    seconds: float
    alone: bool = False


@dataclass(frozen=True, kw_only=True)
class Examine:
    """Say what many batches are like, of as many epochs as so many seconds hold."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class Pass:
    """Go through two whole epochs; each may take so many seconds."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class Step:
    """Take batches for so many seconds, with a training step of ``step`` seconds after each."""

    step: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class RunNode:
    """Iterate a pipeline up to one of its nodes, counted from its source, for so many seconds."""

    node: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Go through the rest of the test once, to learn which metrics it asserts, then end."""


@dataclass(frozen=True, kw_only=True)
class End:
    """Unwind: tear the fixtures down and report."""


# --- trial -> coordinator


@dataclass(frozen=True, kw_only=True)
class NodeRun:
    """What one of so many ``nodes`` is, and how many samples came of it in how many seconds."""

    nodes: int
    name: str
    file: str  # of its function, if it has one
    line: int
    samples: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Handed:
    """The test has called ``loaderperf(loader)``, or compares ``variants`` of which this is one."""

    kind: str
    workers: int
    prefetch: int
    epoch_batches: int | None
    samples_per_epoch: int | None
    built_data: bool  # a data folder was built in this trial: its memory says nothing
    settings: dict[str, str | int | bool] = field(default_factory=dict)  # that the loader tells
    note: str = ""  # what the report has to say of this kind of loader
    scattered: bool = False  # its processes are in groups of their own
    endless: bool = False  # its epochs have no end, as it says itself
    ranks: int = 1  # that have such a loader each
    delivers: bool = False  # it is to be checked for what it delivers, and for nothing else
    variants: list[str] = field(default_factory=list)

    @property
    def hands(self) -> int:
        """How many processes make batches at a time, of all ranks."""
        return self.ranks * max(self.workers, 1)


@dataclass(frozen=True, kw_only=True)
class Opened:
    """The first batch has arrived, and the warm-up is over."""

    first_batch: float
    workload: Workload
    epoch_batches: int | None  # now known, if the loader ended during the warm-up


Mark = tuple[int, float]  # a worker, and its CPU time (s) when it had made a batch
Span = tuple[int, float, float]  # a worker, and its CPU time (s) when a stretch began and ended
Stretch = tuple[float, float]  # when a stretch of time began and ended, in seconds


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Timed batches; none, if an epoch turned out to be too short for a steady state.

    ``stretches`` say when each stretch of time that it took began and ended, by a clock that all
    processes share: whole epochs, or as much of one as has a steady state. ``arrivals`` say of each
    when the batches were there, as often as it was asked for; ``steady`` when its steady state
    began and ended, in whole epochs that have one, with the batches and samples of all
    of them, and the CPU time where there is one epoch.
    """

    epoch_batches: int | None
    stretches: list[Stretch] = field(default_factory=list)
    samples: int = 0
    batches: int = 0
    cpu_seconds: float = 0.0
    # Of workers that are followed. Marks are all that are new.
    spans: list[Span] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    arrivals: list[list[float]] = field(default_factory=list)
    steady: list[Stretch] = field(default_factory=list)
    steady_batches: int = 0
    steady_samples: int = 0
    steady_cpu_seconds: float = 0.0
    # Of several ranks: how long each needed for its batches before each of the arrivals.
    needed: list[list[list[float]]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return sum(ended - began for began, ended in self.stretches)

    @property
    def steady_seconds(self) -> float:
        """How long the steady states of whole epochs took."""
        return sum(ended - began for began, ended in self.steady)

    @property
    def worker_seconds(self) -> float:
        """CPU time of the workers that are followed."""
        return sum(ended - began for _, began, ended in self.spans)


@dataclass(frozen=True, kw_only=True)
class EpochEnd:
    """How many batches an epoch has, and how long they took; None if it did not end in time."""

    batches: int | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Deliveries:
    """What each rank has delivered."""

    ranks: list[Delivered]


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What many batches are like."""

    workload: Workload


@dataclass(frozen=True, kw_only=True)
class Passed:
    """When each batch of the second epoch came, and when it had ended, in seconds since its start.

    Without ``arrivals`` an epoch did not end in time.
    """

    arrivals: list[float]
    ended: float


@dataclass(frozen=True, kw_only=True)
class Stepped:
    """How long the batches were waited for, and how long the steps took, in seconds."""

    waited: float
    stepped: float


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The test is over, its fixtures torn down; ``reports`` as pytest serialises them."""

    reports: list[dict[str, object]]
    text: str  # of the first report that did not pass
    asserted: list[str]  # metrics that the test compared with a baseline
    used: list[str]  # metrics that it looked at
    misused: bool  # what failed is the test's use of this package, not its loader
    benchmark: dict[str, object]  # what the test has set of the fixture of pytest-benchmark


Message = (
    Setup | Hello | StartTrial | Reap | Collected | Started | Ended | Begin | Open | RunSlice
    | Finish | Deliver | Examine | Pass | Step | RunNode | Probe | End | Handed | Opened
    | Slice | EpochEnd | Deliveries | Examined | Passed | Stepped | NodeRun | Finished
)  # fmt: skip
TYPES: dict[str, type[Message]] = {
    kind.__name__: kind
    for kind in (
        Setup, Hello, StartTrial, Reap, Collected, Started, Ended, Begin, Open, RunSlice,
        Finish, Deliver, Examine, Pass, Step, RunNode, Probe, End, Handed, Opened, Slice,
        EpochEnd, Deliveries, Examined, Passed, Stepped, NodeRun, Finished,
    )
}  # fmt: skip
