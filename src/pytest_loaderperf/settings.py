"""What can be set, read from marker, command line and ini: in this order of precedence."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from .errors import SettingsError
from .model.metrics import METRICS, MemoryLimit, Tolerance
from .model.parameters import Axis, sweep_axes
from .model.ranks import World
from .model.shards import Shard
from .model.units import parse_duration, parse_fraction
from .options import OPTIONS, UPDATES, Option, Update, ValueKind

TrialStart = Literal["auto", "fork", "fresh"]


@dataclass(frozen=True, kw_only=True)
class CheckSettings:
    """How one check is judged."""

    tolerances: Mapping[str, Tolerance] = field(
        default_factory=lambda: {name: metric.tolerance for name, metric in METRICS.items()}
    )
    metrics: tuple[str, ...] = tuple(name for name, metric in METRICS.items() if metric.judged)
    budget: float = 60.0  # seconds
    step_time: float | None = None  # seconds of a training step, for the metric stall
    coverage: float = 0.0  # the share of an epoch to see, as far as the budget allows
    ranks: int = 0  # of a distributed training on this machine; 0: nobody asked
    world_size: int = 0  # of them on all machines

    def __post_init__(self) -> None:
        unknown = [name for name in self.metrics if name not in METRICS]
        if unknown or not self.metrics:
            raise SettingsError(f"metrics are some of {', '.join(METRICS)}, not {unknown}")
        if self.step_time is not None and not 0 < self.step_time < math.inf:
            raise SettingsError(f"a step takes a positive time, not {self.step_time:g} s")
        if not 0 <= self.coverage <= 1:
            raise SettingsError(f"a share of an epoch is 100% at most, not {self.coverage:.0%}")
        _ = self.world
        if not 0 < self.budget < math.inf:
            raise SettingsError(f"a budget is a positive time, not {self.budget:g} s")

    @property
    def world(self) -> World:
        """The processes that measure a check together."""
        return World.of(self.ranks, self.world_size)

    @property
    def asked(self) -> frozenset[str]:
        """The metrics that somebody has asked for, beyond those that are judged anyway."""
        default = {name for name, metric in METRICS.items() if metric.judged}
        return frozenset() if {*self.metrics} == default else frozenset(self.metrics)

    def with_values(self, values: Mapping[str, object], source: str) -> CheckSettings:
        """These settings with some of them replaced; SettingsError names the source."""
        settings = self
        for name, value in values.items():
            try:
                settings = settings._with(name, value)
            except SettingsError as error:
                raise SettingsError(f"{source}: {name}={value!r}: {error}") from error
        return settings

    def _with(self, name: str, value: object) -> CheckSettings:
        if name in METRICS:
            if not isinstance(value, str):
                raise SettingsError("a tolerance is a string such as '10%'")
            tolerance = Tolerance.parse(value, METRICS[name].unit)
            return replace(self, tolerances={**self.tolerances, name: tolerance})
        if name == "metrics":
            return replace(self, metrics=_names(value))
        if name == "budget":
            return replace(self, budget=_seconds(value))
        if name == "step_time":
            return replace(self, step_time=_seconds(value))
        if name == "coverage":
            if not isinstance(value, str):
                raise SettingsError("a share of an epoch is a string such as '100%'")
            return replace(self, coverage=parse_fraction(value))
        if name in ("ranks", "world_size"):
            if not value:
                raise SettingsError("give a number of processes, such as 4")
            return replace(self, **{name: value})  # type: ignore[arg-type]
        accepted = ", ".join((*MARKER_ARGUMENTS,))
        raise SettingsError(f"unknown argument; accepted are {accepted}")


MARKER_ARGUMENTS = (
    "batch_sizes", "metrics", "budget", "step_time", "coverage", "ranks", "world_size", *METRICS,
)  # fmt: skip


def batch_sizes(marker: Mapping[str, object]) -> list[int]:
    """The batch sizes that a marker asks for; an empty list if it names none."""
    sizes = marker.get("batch_sizes", [])
    if not isinstance(sizes, list | tuple) or not all(type(n) is int and n > 0 for n in sizes):
        raise SettingsError(
            f"loaderperf marker: batch_sizes={sizes!r}: give a list of positive integers"
        )
    if len(set(sizes)) < len(sizes):
        raise SettingsError(f"loaderperf marker: batch_sizes={sizes!r}: a size is given twice")
    return list(sizes)


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How a whole run is done."""

    against: str = ""  # "" is the default: accepted inside git, else stored
    tests: str = ""  # "mine", "theirs", or "": mine where another commit than the accepted lacks it
    update: Update | None = None
    init: str = ""  # what makes the loader of a first test, which is then accepted
    strict: bool = False
    always: bool = False
    why: str = ""  # "always", "never", or a file that takes all stacks; "": of what got worse
    build: str = ""
    unused: tuple[str, ...] = ()
    selftest: bool = False
    history: bool = False
    bisect: tuple[str, str] | None = None  # a good revision and a bad one
    exit: str = "pytest"  # or "bisect": whose exit status the run has
    shard: Shard | None = None
    shard_times: str = ""  # a results file of an earlier run
    sweep: tuple[Axis, ...] = ()
    baseline_python: str = ""
    baseline_requirements: str = ""  # a file, "accepted", or "accepted:" and a file of the commit
    blame: bool = False  # whether to find the package that made a check worse
    json: str = ""
    html: str = ""
    summary: str = ""
    trials: TrialStart = "auto"
    # A standard deviation; hosted runners differ by some 20 % between builds (docs/history.md).
    drift: float = 0.25
    share: tuple[str, ...] = ()
    fallback: str = "error"
    memory_limit: MemoryLimit = field(default_factory=MemoryLimit)
    timeout: float = 300.0  # seconds
    check: CheckSettings = field(default_factory=CheckSettings)

    @property
    def beside(self) -> str:
        """The options of a run beside something that was not accepted; empty of any other run."""
        told = {"against": self.against, "baseline-requirements": self.baseline_requirements}
        told |= {"baseline-python": self.baseline_python, "tests": self.tests}
        if self.against in ("", "accepted", "stored") and not self.baseline_requirements:
            return ""
        return " ".join(
            f"--loaderperf-{name}={shlex.quote(told[name])}" for name in told if told[name]
        )

    @classmethod
    def read(
        cls, command_line: Callable[[str], object], ini: Callable[[str], object]
    ) -> RunSettings:
        """Read every option: ``command_line(key)`` gives None where an option is not given."""
        values: dict[str, object] = {}
        check = CheckSettings()
        for option in OPTIONS:
            given = command_line(option.key) if option.command_line else None
            source = option.switch
            if given is None and option.ini:
                given, source = ini(option.key), f"ini {option.key}"
            empty = given in ("", []) and option.kind != "mode"
            if given is None or empty or option.name not in SETTINGS:
                continue
            if option.kind == "check":
                check = check.with_values({option.name: given}, source)
            else:
                values[option.name] = _converted(option, given, source)
        if "init" in values:  # it is accepted as any other
            values.setdefault("update", "changed")
        return cls(**values, check=check)  # type: ignore[arg-type]


# --loaderperf and --loaderperf-prune ask for something, and set nothing.
SETTINGS = {*MARKER_ARGUMENTS, *RunSettings.__dataclass_fields__}


def _converted(option: Option, value: object, source: str) -> object:
    if option.flag:
        return bool(value)
    if option.kind == "list":
        return tuple(value) if isinstance(value, list) else tuple(str(value).split())
    try:
        return _PARSERS.get(option.kind, str)(str(value))
    except SettingsError as error:
        raise SettingsError(f"{source}={value}: {error}") from error


def _one_of(*allowed: str) -> Callable[[str], str]:
    """A parser that takes one of these words."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise SettingsError(f"give {', '.join(allowed[:-1])} or {allowed[-1]}")
        return text

    return parse


def _drift(text: str) -> float:
    drift = parse_fraction(text)
    if drift >= 1:
        raise SettingsError("give a share below 100%, such as '10%'")
    return drift


def _timeout(text: str) -> float:
    seconds = _seconds(text)
    if not 0 < seconds < math.inf:
        raise SettingsError(f"a timeout is a positive time, not {seconds:g} s")
    return seconds


def _span(text: str) -> tuple[str, str]:
    good, dots, bad = text.partition("..")
    if not good or not dots or bad.startswith("."):
        raise SettingsError(f"{text!r} is no span of commits: give two, such as v2.2..main")
    return good, bad or "HEAD"


def _reason(text: str) -> str:
    if text.lower() in ("1", "true", "yes", "on"):
        return "always"
    return "never" if text.lower() in ("0", "false", "no", "off") else text


def _names(value: object) -> tuple[str, ...]:
    names = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise SettingsError("give a list of metric names")
    return tuple(dict.fromkeys(names))


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if value < math.inf and abs(value) < 1e300 else math.inf
    if isinstance(value, str):
        return parse_duration(f"{value}s" if value.replace(".", "", 1).isdecimal() else value)
    raise SettingsError("give a number of seconds, or a duration such as '60s'")


_PARSERS: Mapping[ValueKind, Callable[[str], object]] = {
    "mode": _one_of(*UPDATES),
    "duration": _timeout,
    "fraction": _drift,
    "size": MemoryLimit.parse,
    "range": sweep_axes,
    "start": _one_of("auto", "fork", "fresh"),
    "fallback": _one_of("error", "stored"),
    "whose": _one_of("mine", "theirs"),
    "span": _span,
    "reason": _reason,
    "exit": _one_of("pytest", "bisect"),
    "shard": Shard.parse,
}
