"""Judge what each trial gives one value of: memory, and metrics that are measured when asked for.

Trials run one after the other, since these depend little on time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..baselines.store import Record
from ..errors import SettingsError
from ..measure import calibration, epochs, memory_growth
from ..model.metrics import METRICS, Metric
from ..model.results import Comparison, Verdict
from ..model.version import Version
from ..stats.comparison import compare, compare_stored, fast_path, is_open, uncompared
from ..stats.sequential import Within
from .state import Bench, Findings, Known, doubt, phase

# The fewest: pipelines that tune themselves can peak at one of two heights, and it is no rare thing
# that two pairs differ in the same way. They may show that nothing has changed, and confirm.
_TRIALS = 4
_FEW_TRIALS = 2
# No such pipeline is known whose heights are as far apart as this ratio.
_FAR = 1.5
# Now and then a trial of such a pipeline peaks higher: of so many pairs, the extremes do not count.
_MANY_TRIALS = 6
_TRIALS_AT_MOST = 10  # memory repeats well: what ten pairs leave open, more would too
# A trial of growth or stall takes as long as that many timing trials.
_LONG = 2
_STEPS = 20  # of a training step at least, however long it is


@dataclass(frozen=True, kw_only=True)
class Value:
    """What a trial gives, in the unit of its metric, and what there is to note of it."""

    value: float
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A metric, and what one more trial of a version gives for it.

    Until there are pairs enough to tell, they are taken to scatter by the standard deviation
    ``between`` processes, where one is given.
    """

    metric: Metric
    measure: Callable[[Bench, Known, Version], Value]
    between: float | None = None

    @property
    def label(self) -> str:
        """The metric in the news of a run."""
        return self.metric.name.replace("_", " ")


def _peak(bench: Bench, known: Known, version: Version) -> Value:
    """The peak in one more trial, as long as that of the calibration."""
    arm, nodeid = bench.arm(version), bench.spec.nodeid
    again = calibration.calibrate(arm, nodeid, bench.lengths, known.calibration)
    return Value(value=again.peak_memory)


def _early_peak(bench: Bench, known: Known, version: Version) -> Value:
    """The same in a trial that does not go on to the end of its epoch."""
    calibrated = calibration.early(known.calibration)
    return _peak(bench, replace(known, calibration=calibrated), version)


def _growth(bench: Bench, known: Known, version: Version) -> Value:
    seconds = _LONG * bench.lengths.pair
    epoch = known.calibration.epoch_seconds
    rise = memory_growth.growth(bench.arm(version), bench.spec.nodeid, known.plan, seconds, epoch)
    return Value(value=rise.value, note=rise.describe())


def _overhead(bench: Bench, known: Known, version: Version) -> Value:
    return Value(value=epochs.overhead(bench.arm(version), bench.spec.nodeid, known.plan))


def _stall(bench: Bench, known: Known, version: Version) -> Value:
    step = bench.spec.settings.step_time
    if step is None:
        raise SettingsError(
            "stall needs the length of a training step: @pytest.mark.loaderperf(step_time='50ms')"
        )
    seconds = max(_LONG * bench.lengths.pair, _STEPS * step)
    arm, nodeid = bench.arm(version), bench.spec.nodeid
    return Value(value=epochs.stall(arm, nodeid, known.plan, step, seconds))


# Peaks scatter by less than 1 % or by some 1 MiB (docs/evidence.md), two of a pair by 1.4 times as
# much. A megabyte can be far more of a small loader, but then it is little of the tolerance.
PEAK = Quantity(metric=METRICS["peak_memory"], measure=_peak, between=0.015)
EARLY_PEAK = replace(PEAK, measure=_early_peak)
# Measured only where somebody judges or looks at them.
ASKED_FOR = (
    Quantity(metric=METRICS["memory_growth"], measure=_growth),
    Quantity(metric=METRICS["epoch_overhead"], measure=_overhead),
    Quantity(metric=METRICS["stall"], measure=_stall),
)


@phase("memory")
def judge_trials(
    bench: Bench, version: Version | None, record: Record | None, known: Known
) -> Findings:
    """Compare peak memory, and each other metric that somebody wants: beside ``version`` if given.

    The peak of a loader depends little on how busy its machine is, so that one look at the stored
    number settles it for most checks: where machine class and versions match, and it did not move.
    """
    ours = Value(value=known.calibration.peak_memory)
    found = _settled_by_store(bench, record, known)
    if found is None and version is not None:
        found = _peaks_beside(bench, version, known)
    elif found is None:
        found = _with_stored(bench, record, known, PEAK, [ours])
    for quantity in wanted(known):
        if version is None:
            found += _with_stored(bench, record, known, quantity)
        else:
            found += _beside(bench, version, known, quantity)
    return found


@phase("memory")
def show(bench: Bench, known: Known, verdict: Verdict) -> Findings:
    """The peak, and each other metric that somebody wants, measured once and compared with none."""
    found = _shown(PEAK, known, Value(value=known.calibration.peak_memory), verdict)
    for quantity in wanted(known):
        found += _shown(quantity, known, quantity.measure(bench, known, bench.candidate), verdict)
    return found


def wanted(known: Known) -> list[Quantity]:
    """What is measured only since somebody asks for it."""
    return [each for each in ASKED_FOR if each.metric.name in known.wanted]


def _shown(quantity: Quantity, known: Known, value: Value, verdict: Verdict) -> Findings:
    name = quantity.metric.name
    compared = uncompared(name, value.value, verdict, judged=name in known.judged)
    return _findings(name, compared, [value])


def _findings(name: str, compared: Comparison, values: Sequence[Value], *more: str) -> Findings:
    """The findings of one metric; the first value of the candidate says what there is to note."""
    return Findings(
        comparisons={name: compared},
        values={name: [each.value for each in values]},
        notes=tuple(note for note in (values[0].note, *more) if note),
    )


def _settled_by_store(bench: Bench, record: Record | None, known: Known) -> Findings | None:
    """The comparison of the first peak with its stored number, where that settles it."""
    name = PEAK.metric.name
    stored = record.metrics.get(name) if record else None
    if record is None or stored is None or not record.versions.items() <= bench.versions.items():
        return None
    compared = fast_path(
        PEAK.metric,
        known.calibration.peak_memory,
        stored.value,
        bench.spec.settings.tolerances[name],
        judged=name in known.judged,
    )
    if compared is None:
        return None
    return _findings(name, compared, [Value(value=known.calibration.peak_memory)])


def _peaks_beside(bench: Bench, version: Version, known: Known) -> Findings:
    """Compare peaks. The first trial of each side reads a whole epoch, where one fits.

    Where both have their peaks early, the others need not: a leak or a cache that fills up later
    would show in the first ones.
    """
    ours, arm = known.calibration, bench.arm(version)
    bench.progress(f"{PEAK.label}, pair 1")
    theirs = calibration.calibrate(arm, bench.spec.nodeid, bench.lengths, ours)
    quantity = EARLY_PEAK if ours.peaks_early and theirs.peaks_early else PEAK
    first = [Value(value=ours.peak_memory)], [theirs.peak_memory]
    return _beside(bench, version, known, quantity, *first)


def _beside(
    bench: Bench,
    version: Version,
    known: Known,
    quantity: Quantity,
    candidate: Sequence[Value] = (),
    baseline: Sequence[float] = (),
) -> Findings:
    """Compare pairs, beginning with the values that there are.

    A regression is confirmed by fresh processes; else it is not sure.
    """
    name = quantity.metric.name
    compared, values = _pairs(bench, version, known, quantity, candidate, baseline)
    if not (compared.judged and compared.verdict is Verdict.REGRESSED):
        return _findings(name, compared, values)
    bench.start_anew(version)
    again, _ = _pairs(bench.confirming, version, known, quantity, confirming=True)
    if again.verdict is Verdict.REGRESSED:
        return _findings(name, compared, values)
    doubtful = replace(compared, verdict=Verdict.INCONCLUSIVE)
    return _findings(name, doubtful, values, doubt(compared, compared.pairs, again.pairs))


def _with_stored(
    bench: Bench,
    record: Record | None,
    known: Known,
    quantity: Quantity,
    first: Sequence[Value] = (),
) -> Findings:
    """Compare values of the candidate, those that there are first, with a stored number."""
    name = quantity.metric.name
    stored = record.metrics.get(name) if record else None
    values = list(first)
    while len(values) < _TRIALS:
        values.append(quantity.measure(bench, known, bench.candidate))
    compared = compare_stored(
        quantity.metric,
        [each.value for each in values],
        (stored.value, stored.spread) if stored else None,
        bench.spec.settings.tolerances[name],
        bench.rule,
        judged=name in known.judged,
        drift=0.0,
    )
    return _findings(name, replace(compared, pairs=0), values)


def _pairs(
    bench: Bench,
    version: Version,
    known: Known,
    quantity: Quantity,
    candidate: Sequence[Value] = (),
    baseline: Sequence[float] = (),
    *,
    confirming: bool = False,
) -> tuple[Comparison, list[Value]]:
    """A change takes four pairs at least, the confirmation of a regression two.

    Also returns the values of the candidate.
    """
    ours, theirs = list(candidate), list(baseline)
    # A trial takes little time, so that every pair is looked at.
    looks = tuple(range(_FEW_TRIALS, _TRIALS_AT_MOST + 1))
    rule, within = replace(bench.rule, looks=looks, trimmed_from=_MANY_TRIALS), None
    if quantity.between is not None:
        rule = replace(rule, between_processes=quantity.between)
        within = Within(variance=0.0, freedom=rule.prior_freedom)
    name = quantity.metric.name
    judged = name in known.judged
    label = f"{'confirming, ' if confirming else ''}{quantity.label}"
    count = max(1, len(theirs))
    while True:
        if len(theirs) < count:
            bench.progress(f"{label}, pair {count}")
        if len(ours) < count:
            ours.append(quantity.measure(bench, known, bench.candidate))
        if len(theirs) < count:
            theirs.append(quantity.measure(bench, known, version).value)
        comparison = compare(
            quantity.metric,
            [each.value for each in ours],
            theirs,
            bench.spec.settings.tolerances[name],
            rule,
            judged=judged,
            source=version.name,
            within=within,
        )
        enough = _enough(comparison, late=time.monotonic() > known.deadline, confirming=confirming)
        if count >= enough or not judged:  # one pair shows what nobody judges
            return comparison, ours
        count += 1


def _enough(comparison: Comparison, *, late: bool, confirming: bool) -> int:
    """How many pairs may say what a comparison says."""
    if comparison.verdict is Verdict.REGRESSED and (confirming or _is_far(comparison)):
        return _FEW_TRIALS
    if comparison.verdict in (Verdict.REGRESSED, Verdict.IMPROVED):
        return _TRIALS
    if is_open(comparison):
        return _TRIALS if late else _TRIALS_AT_MOST
    return _FEW_TRIALS


def _is_far(comparison: Comparison) -> bool:
    """Whether a loss is beyond all doubt, in whatever direction its metric is better."""
    ratio = comparison.ratio
    return ratio is not None and not 1 / _FAR < ratio < _FAR
