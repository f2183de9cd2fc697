"""What is measured: the metrics, their tolerances, and the limit of memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..errors import SettingsError
from ..options import TOLERANCES
from .units import PARSERS, format_percent, format_value, parse_fraction, parse_size

# Why ``epoch_time`` is not among the metrics of a result.
NO_EPOCH = (
    "epoch_time was not measured: an epoch must end, and a budget hold eight of them. Give this "
    "check a larger budget='...', or a loader with shorter epochs"
)
Better = Literal["higher", "lower"]


@dataclass(frozen=True, kw_only=True)
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
        return cls(relative=relative, absolute=absolute)

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


@dataclass(frozen=True, kw_only=True)
class MemoryLimit:
    """How much a trial may use: a share of what is available when it starts, or bytes."""

    share: float = 0.8
    bytes: float = 0.0

    @classmethod
    def parse(cls, text: str) -> MemoryLimit:
        """Read ``"80%"`` or ``"12 GiB"``."""
        try:
            limit = (
                cls(share=parse_fraction(text))
                if "%" in text
                else cls(share=0.0, bytes=parse_size(text))
            )
        except SettingsError:
            limit = cls(share=0.0)
        if not (0 < limit.share <= 1 or limit.bytes > 0):
            raise SettingsError(f"{text!r} is not a limit such as '12 GiB' or '80%'")
        return limit

    def of(self, available: float) -> float:
        """Bytes that a trial may use which starts when so many are available."""
        return self.bytes or self.share * available


@dataclass(frozen=True, kw_only=True)
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
    return Metric(
        name=name,
        unit=unit,
        better=better,
        tolerance=Tolerance.parse(TOLERANCES[name], unit),
        judged=judged,
    )


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
        _metric("epoch_time", "s", "lower", judged=True),
        _metric("wait_p99", "s", "lower"),
        _metric("stalled", "of time", "lower"),
    )
}
