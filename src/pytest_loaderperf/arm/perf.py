"""What a test sees of its result: values that can be compared and that explain themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..errors import ComparisonError, LoaderError, SettingsError
from ..model.metrics import METRICS, NO_EPOCH, Metric
from ..model.results import CheckResult, Comparison, Verdict
from ..model.units import PARSERS, format_value
from ..reports.explain import explain, explain_budget


class Measured:
    """One metric of the candidate; ``float()`` gives the estimate in the metric's unit.

    Against the baseline's metric, ``>=`` (better when higher) or ``<=`` (better when lower) is
    false when the metric is proven worse beyond its tolerance. Against a number, or a text with a
    unit such as ``"1.5 GiB"``, it is a budget on the estimate itself.
    """

    def __init__(self, metric: Metric, asked: Asked) -> None:
        self.metric = metric
        self._asked = asked

    @property
    def value(self) -> float:
        """The estimate, in the metric's unit."""
        return self._asked.comparison(self.metric).value

    @property
    def verdict(self) -> Verdict:
        """What is known of this metric against the baseline."""
        return _as_asked(self._asked.comparison(self.metric).verdict)

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return format_value(self.value, self.metric.unit)

    def __ge__(self, other: object) -> bool:
        return self._compare(">=", other, lambda limit: self.value >= limit)

    def __le__(self, other: object) -> bool:
        return self._compare("<=", other, lambda limit: self.value <= limit)

    def __gt__(self, other: object) -> bool:
        return self._compare(">", other, lambda limit: self.value > limit)

    def __lt__(self, other: object) -> bool:
        return self._compare("<", other, lambda limit: self.value < limit)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, BaselineValue):
            self._check_baseline("==", other)
        return NotImplemented

    def __hash__(self) -> int:
        return id(self)

    def explain(self, operator: str, other: object) -> list[str]:
        """Why a comparison was false, as lines for pytest's assertion report."""
        if isinstance(other, BaselineValue):
            return explain(self._asked.result, self._asked.comparison(self.metric))
        return explain_budget(self.metric, self.value, operator, self._limit(other))

    def _compare(self, operator: str, other: object, within: Callable[[float], bool]) -> bool:
        if isinstance(other, BaselineValue):
            self._check_baseline(operator, other)
            return self._asked.holds(self.metric)
        limit = self._limit(other)  # also while probing: a misuse shows before the measurement
        self._asked.used.append(self.metric.name)
        return self._asked.probing or within(limit)

    def _check_baseline(self, operator: str, other: BaselineValue) -> None:
        if other.metric is not self.metric:
            raise ComparisonError(
                f"{self.metric.name} is compared with the baseline's own, not with "
                f"{other.metric.name}"
            )
        right = ">=" if self.metric.better == "higher" else "<="
        if operator != right:
            raise ComparisonError(
                f"{self.metric.name} is better when {self.metric.better}: write "
                f"perf.{self.metric.name} {right} perf.baseline.{self.metric.name}"
            )

    def _limit(self, other: object) -> float:
        if isinstance(other, int | float):
            return float(other)
        parse = PARSERS.get(self.metric.unit)
        if isinstance(other, str) and parse:
            return parse(other)
        raise SettingsError(
            f"{self.metric.name} (in {self.metric.unit}) cannot be compared with {other!r}"
        )


class BaselineValue:
    """One metric of the baseline; ``float()`` gives its value."""

    def __init__(self, metric: Metric, asked: Asked) -> None:
        self.metric = metric
        self._asked = asked

    @property
    def value(self) -> float | None:
        """The baseline's value in the metric's unit; None where there is no baseline.

        That of the candidate where both are the same code, which was measured once.
        """
        comparison = self._asked.comparison(self.metric)
        same = comparison.verdict is Verdict.IDENTICAL
        return comparison.value if same else comparison.baseline

    def __float__(self) -> float:
        value = self.value
        if value is None:
            raise LoaderError(f"there is no baseline of {self.metric.name} for this check")
        return value

    def __repr__(self) -> str:
        return "no baseline" if self.value is None else format_value(self.value, self.metric.unit)


class Baseline:
    """The baseline's metrics."""

    throughput: BaselineValue
    peak_memory: BaselineValue
    first_batch: BaselineValue
    cpu_time: BaselineValue
    memory_growth: BaselineValue
    epoch_overhead: BaselineValue
    stall: BaselineValue
    epoch_time: BaselineValue
    wait_p99: BaselineValue
    stalled: BaselineValue

    def __init__(self, asked: Asked) -> None:
        for name, metric in METRICS.items():
            setattr(self, name, BaselineValue(metric, asked))


class Asked:
    """A result, and what a test has asked of it.

    ``accepting``: comparisons with the baseline pass. ``probing``: all of them do, and only what is
    asked counts.
    """

    def __init__(self, result: CheckResult, *, accepting: bool, probing: bool = False) -> None:
        self.result = result
        self.probing = probing
        self.asserted: list[str] = []  # metrics that were compared with their baselines
        self.used: list[str] = []  # metrics that were looked at
        self._accepting = accepting

    @classmethod
    def probe(cls) -> Asked:
        """A result of which every comparison holds, to learn which ones a test makes."""
        metrics: Mapping[str, Comparison] = {
            name: Comparison(
                metric=name, value=1.0, judged=False, verdict=Verdict.UNCHANGED, baseline=1.0
            )
            for name in METRICS
        }
        result = CheckResult(nodeid="", verdict=Verdict.UNCHANGED, metrics=metrics)
        return cls(result, accepting=False, probing=True)

    def comparison(self, metric: Metric) -> Comparison:
        """All that is known of one metric; LoaderError where it was not measured."""
        self.used.append(metric.name)
        try:
            return self.result.metrics[metric.name]
        except KeyError:
            if metric.name == "epoch_time":
                raise LoaderError(NO_EPOCH) from None
            raise LoaderError(
                f"{metric.name} was not measured: the test did not look at it while its loader was "
                f"measured. Ask for it: @pytest.mark.loaderperf(metrics=['{metric.name}', ...])"
            ) from None

    def has(self, metric: Metric) -> bool:
        """Whether a metric is there to be compared."""
        return self.probing or metric.name in self.result.metrics

    def holds(self, metric: Metric) -> bool:
        """Whether a metric is not proven worse than its baseline."""
        self.asserted.append(metric.name)
        self.used.append(metric.name)
        return self.probing or self._accepting or not self.comparison(metric).verdict.fails


class Perf:
    """The result of a check: one attribute for each metric, the same in ``baseline``."""

    throughput: Measured
    peak_memory: Measured
    first_batch: Measured
    cpu_time: Measured
    memory_growth: Measured
    epoch_overhead: Measured
    stall: Measured
    epoch_time: Measured
    wait_p99: Measured
    stalled: Measured

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self.baseline = Baseline(asked)
        for name, metric in METRICS.items():
            setattr(self, name, Measured(metric, asked))

    @property
    def verdict(self) -> Verdict:
        """The verdict of the whole check."""
        return _as_asked(self._asked.result.verdict)


def _as_asked(verdict: Verdict) -> Verdict:
    """What a test is told that asks: code that is the same has not changed, also unmeasured."""
    return Verdict.UNCHANGED if verdict is Verdict.IDENTICAL else verdict
