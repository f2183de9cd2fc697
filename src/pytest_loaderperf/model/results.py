"""Verdicts, and what is known of a metric, a check and a run when they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from .parameters import Parameter, batch_size_among
from .ranks import Paces
from .shards import Share
from .workload import Workload

STORED = "stored numbers"  # the source of a baseline that is not measured side by side


class Verdict(str, Enum):
    """What is known of one metric, or of one check, after measuring.

    ``str`` as well, so that it goes into JSON as it is.
    """

    UNCHANGED = "unchanged"
    IMPROVED = "improved"
    REGRESSED = "regressed"
    INCONCLUSIVE = "inconclusive"
    NO_BASELINE = "no_baseline"
    INCOMPARABLE = "incomparable"
    ERROR = "error"
    INCOMPLETE = "incomplete"  # ranks and workers do not deliver each sample once
    COMPLETE = "complete"  # they do
    IDENTICAL = "identical"  # nothing that it uses differs: there was nothing to compare
    COMPARED = "compared"  # of a test that compares its own loaders, and judges none
    MEASURED = "measured"  # in a sweep, which judges nothing

    def __str__(self) -> str:
        return self.value

    @property
    def fails(self) -> bool:
        """Whether a check with this verdict fails (``inconclusive`` only when strict)."""
        return self in _SEVERITY[:5]


# The verdict of a check is the first of these that any of its judged metrics has.
_SEVERITY = (
    Verdict.ERROR,
    Verdict.INCOMPARABLE,
    Verdict.NO_BASELINE,
    Verdict.INCOMPLETE,
    Verdict.REGRESSED,
    Verdict.INCONCLUSIVE,
    Verdict.IMPROVED,
    Verdict.UNCHANGED,
    Verdict.COMPLETE,
    Verdict.IDENTICAL,
    Verdict.COMPARED,
    Verdict.MEASURED,
)


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict of a check whose judged metrics have these verdicts."""
    return min(verdicts, key=_SEVERITY.index, default=Verdict.MEASURED)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One metric of one check: the candidate's value against its baseline.

    ``ratio`` is candidate / baseline with its 95 % ``interval``; ``tolerance`` is the fraction
    in force; ``minimum_detectable`` is the smallest loss that this many pairs would have shown.
    All of them are None where there is no baseline. ``pairs`` counts the values of the candidate,
    ``spread`` is the standard deviation of their logarithms, ``ratios`` are those of each pair.
    """

    metric: str
    value: float
    judged: bool
    verdict: Verdict
    baseline: float | None = None
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    tolerance: float | None = None
    minimum_detectable: float | None = None
    pairs: int = 0
    source: str = ""  # what the baseline is: "commit 1a2b3c4d5e6f" or STORED
    spread: float = 0.0
    ratios: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MemorySample:
    """What a trial used at a moment, in bytes, ``seconds`` after the first sample.

    ``added`` is what the whole tree used more than at first. Each of the ``processes`` ("main",
    "child 1", ...) has its share of the pages that it has in common with others.
    """

    seconds: float
    added: int
    processes: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What else the machine did during a pair.

    ``candidate`` and ``baseline`` are the shares of the CPUs that others took while this side
    ran, ``steal`` that which another virtual machine took. ``pressure`` is the share of the time
    in which some task had to wait for CPUs, memory or disks (None where the system does not
    tell). A ``spoiled`` pair was hit on one side alone, and repeated.
    """

    seconds: float  # that the pair took
    candidate: float
    baseline: float
    steal: float
    pressure: Mapping[str, float | None]
    spoiled: bool

    @property
    def external_load(self) -> float:
        """The share of the CPUs that others took, as the mean of both sides."""
        return (self.candidate + self.baseline) / 2


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How much of an epoch each timing trial has seen: so many of its batches, or the ``whole``.

    ``epoch_batches`` is None where its end was not reached.
    """

    batches: int
    epoch_batches: int | None = None
    whole: bool = False

    @property
    def share(self) -> float | None:
        """The share of an epoch that was seen; None where nobody knows how long it is."""
        return None if self.epoch_batches is None else self.batches / self.epoch_batches


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A commit that a search has tried: its verdict beside the good one.

    ``why`` says why it was skipped, if it was. ``ratio`` is that of the metric that decides; None
    where nothing was measured.
    """

    commit: str
    subject: str
    verdict: Verdict
    ratio: float | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search through the commits from a good one (not among them) to a bad one.

    ``suspects`` are the commits of which one made the check worse, with their subjects, oldest
    first: one where the search has found it, none where the bad one is not worse.
    """

    good: str
    bad: str
    commits: int
    steps: tuple[Tried, ...] = ()
    suspects: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Blame:
    """A search for the package that made a check worse, and what came of it as ``text``.

    In ``search`` packages stand where commits do, with their versions for subjects: each for the
    working tree in which it and those before it are as they are now. ``lost`` are the metrics that
    got worse by the suspects alone: ratio and 95 % interval.
    """

    search: Search
    text: str
    lost: Mapping[str, tuple[float, tuple[float, float]]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Culprit:
    """A function that takes ``more`` than it did, with its 95 % ``interval``.

    ``line`` is that of it which takes the most more (0: nobody knows), ``inner`` what is called
    from there last, ``stage`` what the loader does there. ``waits``: most of it is spent waiting.
    """

    function: str
    file: str
    line: int
    more: float
    interval: tuple[float, float]
    inner: str = ""
    stage: str = ""
    waits: bool = False


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A chain of calls, outermost first, and what its last one takes by itself."""

    calls: tuple[str, ...]
    candidate: float
    baseline: float


@dataclass(frozen=True, kw_only=True)
class Why:
    """Where time was ``lost``, or memory is held, by all processes; with its 95 % ``interval``.

    Time is in ms a sample, memory in MiB. All of it ``took`` so much. Of what was lost, ``waited``
    used no CPU. It is ``clear`` if the same code hardly differs by as much. ``culprits`` begin with
    the one that takes the most. ``stacks`` are all that take more than next to nothing.
    ``in_flight``: how many batches more workers hold ahead, and what these take.
    """

    took: float
    lost: float
    clear: bool
    interval: tuple[float, float]
    waited: float
    culprits: tuple[Culprit, ...] = ()
    stacks: tuple[Stack, ...] = ()
    in_flight: tuple[int, float] = (0, 0.0)


class Relation(str, Enum):
    """What is known of the throughput of one variant beside another one.

    Of two that are alike, a difference as large as the tolerance is ruled out.
    """

    FASTER = "faster"
    SLOWER = "slower"
    ALIKE = "alike"
    INCONCLUSIVE = "inconclusive"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One of the loaders that a test compares.

    ``throughput`` has that of the first one as its baseline; ``relation`` says what came of that,
    and is None for the first one itself. ``coverage`` is what of an epoch that comparison has seen.
    ``peak_memory`` (bytes) is that of a single trial, and ``batch_samples`` the mean number of
    samples in a batch.
    """

    name: str
    throughput: Comparison
    peak_memory: float
    batch_samples: float
    workload: Workload
    loader: str  # its kind
    settings: Mapping[str, str | int | bool] = field(default_factory=dict)
    relation: Relation | None = None
    coverage: Coverage | None = None


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """All that is known of one check when it ends."""

    nodeid: str
    verdict: Verdict
    # Those by which the checks of one test differ that are put together: of a sweep, or batch_size.
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    outcome: str = ""
    seconds: float = 0.0
    phases: Mapping[str, float] = field(default_factory=dict)  # what of the seconds went where
    pairs: int = 0
    workload: Workload | None = None
    message: str = ""
    notes: tuple[str, ...] = ()
    reason: str = ""  # why it was measured, or was not; empty where it is always measured
    metrics: Mapping[str, Comparison] = field(default_factory=dict)
    noise: tuple[Noise, ...] = ()  # of each pair, in order
    sweep: str = ""  # the test without those parameters; empty where it has none
    loader: str = ""  # its kind
    settings: Mapping[str, str | int | bool] = field(default_factory=dict)  # as the loader has them
    memory_source: str = ""  # what its peak memory comes from
    memory: tuple[MemorySample, ...] = ()  # of the candidate's memory trial, in order
    batch_seconds: tuple[float, ...] = ()  # what a batch took in each slice of the candidate
    coverage: Coverage | None = None  # of an epoch; None where nothing was timed
    # Whose versions differ between the two sides: the baseline's, the candidate's.
    packages: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    # All that differ, where the baseline was given packages of its own: "" where one has none.
    distributions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    ranks: Paces | None = None  # of several, in step
    variants: tuple[Variant, ...] = ()  # that it compares with the first of them
    search: Search | None = None  # through the history, where that was asked for
    blame: Blame | None = None  # which package did it, where that was asked for
    # Why it is slower ("time") or larger ("memory"), where that was asked for.
    why: Mapping[str, Why] = field(default_factory=dict)
    file: str = ""  # of the test, below the root
    line: int = 0  # where it begins

    @property
    def batch_size(self) -> int | None:
        """The batch size that its test is parametrized with."""
        return batch_size_among(self.parameters)

    @property
    def is_measured(self) -> bool:
        """Whether it was: what is identical only where its test looks at numbers."""
        return bool(self.metrics) or self.verdict is not Verdict.IDENTICAL


@dataclass(frozen=True, kw_only=True)
class Run:
    """All that is known of a run when it ends: every report is made of it.

    ``commit`` is the one that was checked out, empty outside of git, and ``changes`` stands for
    all that differs from it, empty if nothing does. ``alpha`` is the risk that a metric which did
    not get worse is called regressed. A shard has a ``share``. A run that was merged
    has those of its ``shares``, and ``problems`` if they do not make it whole.
    """

    results: Sequence[CheckResult]
    plugin: str  # the version of this package
    machine: Mapping[str, str | int]
    mode: str  # what it was compared with
    commits: Sequence[str]  # that were measured beside the candidate
    memory_limit: float  # that a loader may use, in bytes
    root: str = ""  # the root folder of pytest, below the top folder of the repository
    commit: str = ""
    changes: str = ""
    alpha: float = 0.0
    share: Share | None = None
    shares: tuple[Share, ...] = ()
    problems: tuple[str, ...] = ()
