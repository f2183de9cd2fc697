"""Loaders that one test compares: how they are made, and what the test sees of the result."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import LoaderError, LoaderPerfError, SettingsError
from ..loaders.kinds import Loader
from ..loaders.recognise import describe
from ..model.results import Relation, Variant, Verdict
from .perf import Asked

Factory = Callable[[], object]

__tracebackhide__ = True  # pytest shows a failure from the test on, and in the factory itself

_EXAMPLE = 'loaderperf.compare({"one": make_one, "other": make_other})'
_OTHER_WAY = {Relation.FASTER: Relation.SLOWER, Relation.SLOWER: Relation.FASTER}


def factories(variants: Any) -> Mapping[str, Factory]:
    """What a test wants to compare; LoaderError says what is wrong with it, and what to do."""
    if not isinstance(variants, Mapping):
        raise LoaderError(
            f"loaderperf.compare() got a {type(variants).__name__}: give functions that make a "
            f"loader, by name: {_EXAMPLE}"
        )
    for name, make in variants.items():
        if not isinstance(name, str) or not name.strip():
            raise LoaderError(
                f"loaderperf.compare(): {name!r} is no name of a variant: give a text, such as "
                f"{_EXAMPLE}"
            )
        if not callable(make):
            raise LoaderError(
                f"variant {name!r} is a {type(make).__name__}, and no function: give one that "
                f"makes the loader, such as {{{name!r}: lambda: loader}}: a trial makes no other"
            )
    if len(variants) < 2:
        raise LoaderError(
            f"loaderperf.compare() got {len(variants) or 'no'} variant{'s' * (not variants)}: give "
            f"two at least: {_EXAMPLE}. For a single loader there is loaderperf.check(loader)"
        )
    return dict(variants)


def made(variants: Mapping[str, Factory], name: str) -> Loader:
    """The loader of one variant; of a function that makes an iterator, each epoch is a new one."""
    if name not in variants:
        raise LoaderError(f"it was there in an earlier trial, and now there are {list(variants)}")
    loader = variants[name]()
    return describe(variants[name] if isinstance(loader, Iterator) else loader)


def failed(name: str, error: Exception) -> LoaderError:
    """The error that says which variant another one is of."""
    if isinstance(error, LoaderPerfError):
        return LoaderError(f"variant {name!r}: {error}")
    return LoaderError(f"variant {name!r} cannot be measured: {type(error).__name__}: {error}")


class Ratio:
    """How many times as fast one variant is as another one: the ratio of their throughputs.

    ``float()`` gives the estimate, and it is the estimate that is compared with a number.
    """

    def __init__(
        self,
        names: tuple[str, str],
        value: float,
        interval: tuple[float, float],
        verdict: Relation | None,
        *,
        probing: bool = False,
    ) -> None:
        self._names = names
        self._value = value
        self._interval = interval
        self._verdict = verdict
        self._probing = probing  # every comparison holds: only misuse counts

    @property
    def value(self) -> float:
        """The estimate: above 1 the first one is faster."""
        return self._value

    @property
    def interval(self) -> tuple[float, float]:
        """Its bounds, with 95 % confidence; 0 and infinity where nothing is known of the noise."""
        return self._interval

    @property
    def verdict(self) -> Relation | None:
        """Whether the first one is faster, slower, or alike within the tolerance.

        None where both were compared with a third one alone.
        """
        return self._verdict

    def __float__(self) -> float:
        return self._value

    def __repr__(self) -> str:
        low, high = self._interval
        return f"{self._value:.3f} [{low:.3f}, {high:.3f}]"

    def __ge__(self, other: object) -> bool:
        return self._holds(self._value >= self._limit(other))

    def __le__(self, other: object) -> bool:
        return self._holds(self._value <= self._limit(other))

    def __gt__(self, other: object) -> bool:
        return self._holds(self._value > self._limit(other))

    def __lt__(self, other: object) -> bool:
        return self._holds(self._value < self._limit(other))

    def __eq__(self, other: object) -> bool:
        raise SettingsError("a ratio is measured, and equals no number: compare it with >= or <=")

    __hash__ = None  # type: ignore[assignment]

    def explain(self, operator: str, other: object) -> list[str]:
        """Why a comparison was false, as lines for pytest's assertion report."""
        first, second = self._names
        verdict = f", {self._verdict}" if self._verdict else ""
        return [
            f"throughput of {first} / {second}: {self._value:.3f} {operator} "
            f"{self._limit(other):g} is false",
            f"  95 % interval {self._interval[0]:.3f} to {self._interval[1]:.3f}{verdict}",
        ]

    def _holds(self, true: bool) -> bool:
        return self._probing or true

    def _limit(self, other: object) -> float:
        if isinstance(other, int | float):
            return float(other)
        raise SettingsError(f"a ratio is compared with a number such as 1.2, not with {other!r}")


class Variants:
    """The result of ``loaderperf.compare``."""

    def __init__(self, names: Sequence[str], asked: Asked) -> None:
        self._names = names
        self._asked = asked

    @property
    def verdict(self) -> Verdict:
        """``compared``, or ``inconclusive`` where that holds for one of the variants."""
        return self._asked.result.verdict

    def ratio(self, one: str, other: str) -> Ratio:
        """How many times as fast one variant is as another one.

        Each was measured beside the first one. Of two others the ratio follows from theirs, with
        an interval as much wider, and without a verdict.

        Raises LoaderError for a name that is none of a variant, or twice the same.
        """
        for name in (one, other):
            if name not in self._names:
                raise LoaderError(
                    f"there is no variant {name!r} to compare, only {', '.join(self._names)}"
                )
        if one == other:
            raise LoaderError(f"a ratio is one of two variants, not of {one!r} alone")
        variants = {each.name: each for each in self._asked.result.variants}
        if self._asked.probing or not variants:  # a run that looks at the first one alone
            return Ratio((one, other), 1.0, (0.0, math.inf), None, probing=True)
        return between(variants[one], variants[other])


def between(one: Variant, other: Variant) -> Ratio:
    """The ratio of two variants that were compared with the first one, or of one with that."""
    value = _log_ratio(one) - _log_ratio(other)
    # Each was measured with pairs of its own, so that their errors are independent.
    half = math.hypot(_half_width(one), _half_width(other))
    bounds = math.exp(value - half), math.exp(value + half) if half < math.inf else math.inf
    verdict = None
    if other.relation is None:
        verdict = one.relation
    elif one.relation is None:
        verdict = _OTHER_WAY.get(other.relation, other.relation)
    return Ratio((one.name, other.name), math.exp(value), bounds, verdict)


def _log_ratio(variant: Variant) -> float:
    """Of its throughput to that of the first one."""
    ratio = variant.throughput.ratio
    return 0.0 if ratio is None else math.log(ratio)


def _half_width(variant: Variant) -> float:
    """Of the interval of that, which is as wide to both sides."""
    if variant.throughput.interval is None:
        return 0.0
    low, high = variant.throughput.interval
    return math.log(high / low) / 2 if low > 0 and high < math.inf else math.inf
