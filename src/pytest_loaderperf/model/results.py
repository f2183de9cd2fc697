"""The values that all other modules speak in: frozen, validated, without behaviour of their own."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any, Literal

from ..errors import SettingsError
from ..options import TOLERANCES
from . import signatures
from .units import PARSERS, format_percent, format_value, parse_fraction, parse_size

Better = Literal["higher", "lower"]
Shipped = dict[str, object]  # a value as it crosses to another process: JSON types only


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
    MEASURED = "measured"  # in a sweep, which judges nothing

    def __str__(self) -> str:
        return self.value

    @property
    def fails(self) -> bool:
        """Whether a check with this verdict fails (``inconclusive`` only when strict)."""
        return self in _SEVERITY[:4]


# The verdict of a check is the first of these that any of its judged metrics has.
_SEVERITY = (
    Verdict.ERROR,
    Verdict.INCOMPARABLE,
    Verdict.NO_BASELINE,
    Verdict.REGRESSED,
    Verdict.INCONCLUSIVE,
    Verdict.IMPROVED,
    Verdict.UNCHANGED,
    Verdict.MEASURED,
)


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict of a check whose judged metrics have these verdicts."""
    return min(verdicts, key=_SEVERITY.index, default=Verdict.MEASURED)


@dataclass(frozen=True)
class Tolerance:
    """How much worse a metric may get: a share of the baseline, an amount, or both.

    Of both, the larger one counts: ``5%+8MiB`` allows 8 MiB on a loader of 50 MiB, and 5 % on one
    of 10 GiB.
    """

    relative: float = 0.0
    absolute: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.relative < 1 and 0 <= self.absolute < math.inf):
            raise SettingsError(f"a tolerance lies between 0% and 100%, not {self.relative:.0%}")
        if self.relative == self.absolute == 0:
            raise SettingsError("a tolerance of nothing: every measurement has noise")

    @classmethod
    def parse(cls, text: str, unit: str) -> Tolerance:
        """Read ``"10%"``, ``"8MiB"``, ``"100ms"`` or a sum of a share and an amount."""
        amount = PARSERS.get(unit)
        example = "'10%'"
        if amount is not None:
            examples = {"s": "'25%+100ms'", "of time": "'0.02'"}
            example = examples.get(unit, "'5%+8MiB'")
        relative = absolute = 0.0
        parts = text.split("+")
        try:
            for part in parts:
                if part.strip().endswith("%") and unit != "of time":
                    relative = parse_fraction(part)
                elif amount is None:
                    raise SettingsError(part)
                else:
                    absolute = amount(part)
                    if unit == "of time" and absolute >= 1:
                        raise SettingsError(part)
        except SettingsError:
            parts = []
        if len(parts) != (relative > 0) + (absolute > 0) or not parts:
            raise SettingsError(f"{text!r} is not a tolerance such as {example}")
        return cls(relative, absolute)

    def relative_to(self, baseline: float) -> float:
        """The loss that must be exceeded, as a fraction of a baseline value."""
        if not self.absolute:
            return self.relative
        return max(self.relative, self.absolute / baseline if baseline > 0 else math.inf)

    def describe(self, unit: str) -> str:
        """The tolerance as text, for example ``"5 % + 8 MiB"``."""
        parts = [format_percent(self.relative)] if self.relative else []
        parts += [format_value(self.absolute, unit)] if self.absolute else []
        return " + ".join(parts)


@dataclass(frozen=True)
class MemoryLimit:
    """How much a trial may use: a share of what is available when it starts, or bytes."""

    share: float = 0.8
    bytes: float = 0.0

    @classmethod
    def parse(cls, text: str) -> MemoryLimit:
        """Read ``"80%"`` or ``"12 GiB"``."""
        try:
            limit = cls(parse_fraction(text)) if "%" in text else cls(0.0, parse_size(text))
        except SettingsError:
            limit = cls(0.0)
        if not (0 < limit.share <= 1 or limit.bytes > 0):
            raise SettingsError(f"{text!r} is not a limit such as '12 GiB' or '80%'")
        return limit

    def of(self, available: float) -> float:
        """Bytes that a trial may use which starts when so many are available."""
        return self.bytes or self.share * available


@dataclass(frozen=True)
class Metric:
    """Something that is measured, with its unit and the direction that is better."""

    name: str
    unit: str
    better: Better
    tolerance: Tolerance
    judged: bool = False  # by default; otherwise only where a test or a setting asks for it

    @property
    def is_share(self) -> bool:
        """Whether it is a share of time: then ratios are those of the time that is left."""
        return self.unit == "of time"

    @property
    def better_ratio(self) -> Better:
        """Which candidate / baseline ratio is better."""
        return "higher" if self.is_share else self.better

    def loss(self, ratio: float) -> float:
        """How much worse a candidate / baseline ratio is, as a fraction; negative is a gain."""
        return 1 - ratio if self.better_ratio == "higher" else ratio - 1


def _metric(name: str, unit: str, better: Better, *, judged: bool = False) -> Metric:
    return Metric(name, unit, better, Tolerance.parse(TOLERANCES[name], unit), judged)


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        _metric("throughput", "samples/s", "higher", judged=True),
        _metric("peak_memory", "bytes", "lower", judged=True),
        _metric("first_batch", "s", "lower"),
        _metric("cpu_time", "s/sample", "lower"),
        _metric("memory_growth", "bytes/1000 samples", "lower"),
        _metric("epoch_overhead", "s", "lower"),
        _metric("stall", "of time", "lower"),
    )
}


# The signature of batches that are all of one size: no dimension but the first varies, and there
# is no text in them. Others have as many bytes as their samples happen to need.
_FIXED = re.compile(r"(?!.*(,\*|\b(str|bytes|object|string)\b)).*")


@dataclass(frozen=True)
class Workload:
    """What a loader delivers; two versions of a loader are compared only if it is the same.

    ``batch`` is the signature of a batch (``"tuple[float32[*,3,256,256], int64[*]]"``; ``*`` is
    the batch dimension or one that varies), ``samples_per_epoch`` is None where it is unknown.
    """

    batch: str
    bytes_per_sample: float
    samples_per_epoch: int | None = None

    def difference(self, baseline: Workload) -> str:
        """What changed since the baseline, in words; empty if the two are comparable."""
        changes = []
        if self.batch != baseline.batch:
            changes.append(signatures.difference(baseline.batch, self.batch))
        elif _FIXED.fullmatch(self.batch) and not math.isclose(
            self.bytes_per_sample, baseline.bytes_per_sample, rel_tol=0.01
        ):
            before, after = baseline.bytes_per_sample, self.bytes_per_sample
            changes.append(f"bytes per sample: {before:.0f} -> {after:.0f}")
        epochs = baseline.samples_per_epoch, self.samples_per_epoch
        if None not in epochs and epochs[0] != epochs[1]:
            changes.append(f"samples per epoch: {epochs[0]} -> {epochs[1]}")
        return "; ".join(changes)


@dataclass(frozen=True)
class Comparison:
    """One metric of one check: the candidate's value against its baseline.

    ``ratio`` is candidate / baseline with its 95 % ``interval``; ``tolerance`` is the fraction
    in force; ``detectable`` is the smallest loss that this many pairs would have shown.
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
    detectable: float | None = None
    pairs: int = 0
    source: str = ""  # what the baseline is: "commit 1a2b3c4d5e6f" or STORED
    spread: float = 0.0
    ratios: tuple[float, ...] = ()


@dataclass(frozen=True)
class MemoryLook:
    """What a trial used at a moment, in bytes, ``seconds`` after the first look.

    ``added`` is what the whole tree used more than at first. Each of the ``processes`` ("main",
    "child 1", ...) has its share of the pages that it has in common with others.
    """

    seconds: float
    added: int
    processes: Mapping[str, int]


@dataclass(frozen=True)
class Noise:
    """What else the machine did during a pair.

    ``candidate`` and ``baseline`` are the shares of the CPUs that others took while this side
    ran, ``stolen`` that which another virtual machine took. ``pressure`` is the share of the time
    in which some task had to wait for CPUs, memory or disks (None where the system does not
    tell). A ``spoiled`` pair was hit on one side alone, and repeated.
    """

    seconds: float  # that the pair took
    candidate: float
    baseline: float
    stolen: float
    pressure: Mapping[str, float | None]
    spoiled: bool

    @property
    def others(self) -> float:
        """The share of the CPUs that others took."""
        return (self.candidate + self.baseline) / 2


@dataclass(frozen=True)
class CheckResult:
    """All that is known of one check when it ends."""

    nodeid: str
    verdict: Verdict
    batch_size: int | None = None
    outcome: str = ""
    seconds: float = 0.0
    pairs: int = 0
    workload: Workload | None = None
    message: str = ""
    notes: tuple[str, ...] = ()
    metrics: Mapping[str, Comparison] = field(default_factory=dict)
    noise: tuple[Noise, ...] = ()  # of each pair, in order
    sweep: str = ""  # the test without its batch size; empty where it has none
    loader: str = ""  # its kind
    settings: Mapping[str, str | int | bool] = field(default_factory=dict)  # as the loader has them
    memory_source: str = ""  # what its peak memory comes from
    memory: tuple[MemoryLook, ...] = ()  # of the candidate's memory trial, in order
    batch_seconds: tuple[float, ...] = ()  # what a batch took in each slice of the candidate
    file: str = ""  # of the test, below the root
    line: int = 0  # where it begins

    def dump(self) -> Shipped:
        """The result as JSON types, for another process."""
        return asdict(self)

    @classmethod
    def load(cls, fields: Shipped) -> CheckResult:
        """The result that ``dump`` made these fields of."""
        values: dict[str, Any] = dict(fields)
        workload = values["workload"]
        values["verdict"] = Verdict(values["verdict"])
        values["workload"] = workload and Workload(**workload)
        values["notes"] = tuple(values["notes"])
        values["batch_seconds"] = tuple(values["batch_seconds"])
        values["noise"] = tuple(Noise(**noise) for noise in values["noise"])
        values["memory"] = tuple(MemoryLook(**look) for look in values["memory"])
        values["metrics"] = {
            name: Comparison(
                **{
                    **metric,
                    "verdict": Verdict(metric["verdict"]),
                    "interval": metric["interval"] and tuple(metric["interval"]),
                    "ratios": tuple(metric["ratios"]),
                }
            )
            for name, metric in values["metrics"].items()
        }
        return cls(**values)


@dataclass(frozen=True)
class Run:
    """All that is known of a run when it ends: every report is made of it."""

    results: Sequence[CheckResult]
    plugin: str  # the version of this package
    machine: Mapping[str, str | int]
    mode: str  # what it was compared with
    commits: Sequence[str]  # that were measured beside the candidate
    memory_limit: float  # that a loader may use, in bytes
