"""Measure the candidate by itself: to compare it with stored numbers, or with nothing.

And judge what it delivers, for which it needs no baseline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from ..baselines.store import Entry, Record
from ..errors import LoaderError
from ..measure import calibration, turns
from ..measure.timed_trial import Timing
from ..model.metrics import METRICS, NO_EPOCH
from ..model.ranks import SINGLE
from ..model.results import Verdict
from ..stats import delivery
from ..stats.comparison import compare_stored, uncompared
from . import per_trial
from .state import Bench, Findings, Known, phase, seen

_TRIALS = 4  # the fewest that can be judged
_TRIALS_ALONE = 2  # as many as a verdict takes at least of each side
_STORED_ARMS = 3  # behind stored numbers
_PARTS = 6  # of a budget: two epochs of all ranks, two of one process, and their starts


def judge_stored(bench: Bench, record: Record, drift: float, known: Known) -> Findings:
    """Compare all timed metrics with stored numbers: wide, since they come from another day."""
    timings = [_timing(bench, known, number) for number in range(_TRIALS)]
    values = _values(timings)
    if "epoch_time" in bench.spec.settings.asked and "epoch_time" not in values:
        raise LoaderError(NO_EPOCH)
    stored = {name: record.metrics.get(name) for name in values}
    return Findings(
        comparisons={
            name: compare_stored(
                METRICS[name],
                values[name],
                (accepted.value, accepted.spread) if accepted else None,
                bench.spec.settings.tolerances[name],
                bench.rule,
                judged=name in known.judged and not (accepted is None and _is_new(bench, name)),
                drift=drift,
            )
            for name, accepted in stored.items()
        },
        values=values,
        rounds=tuple(each for timing in timings for each in timing.rounds),
        coverage=seen(timings, known.plan),
    )


def show(bench: Bench, known: Known, verdict: Verdict, message: str, trials: int = 1) -> Findings:
    """Measure without a comparison, once or in several trials, to show the numbers."""
    timings = [_timing(bench, known, number) for number in range(trials)]
    values = _values(timings)
    found = Findings(
        comparisons={
            name: uncompared(name, fmean(each), verdict, judged=name in known.judged)
            for name, each in values.items()
        },
        values=values,
        rounds=tuple(each for timing in timings for each in timing.rounds),
        coverage=seen(timings, known.plan),
        message=message,
    )
    return found + per_trial.show(bench, known, verdict)


def without_baseline(bench: Bench, known: Known, changed: str, entry: Entry | None) -> Findings:
    """The numbers, and why they are compared with none: it has ``changed``, or nothing is stored.

    ``entry`` is what is stored, perhaps of other classes of machine.
    """
    if changed:
        message = f"the workload changed, so the numbers cannot be compared: {changed}"
        return show(bench, known, Verdict.INCOMPARABLE, message)
    message = "this check has no baseline yet"
    if entry is not None:
        message = "the baseline has no numbers of this machine class"
    return show(bench, known, Verdict.NO_BASELINE, message)


def alone(bench: Bench, known: Known) -> Findings:
    """The numbers that a test looks at, of code that is what was accepted."""
    return show(bench, known, Verdict.IDENTICAL, "", _TRIALS_ALONE)


def repeat(bench: Bench, known: Known) -> Mapping[str, Sequence[float]]:
    """Measure the candidate as a stored comparison does, in several arms, to store the numbers.

    Returns the values of each metric. How far arms lie apart is what another day will see.
    """
    timings: list[Timing] = []
    others = {each.metric.name: list[float]() for each in per_trial.wanted(known)}
    peaks = [known.calibration.peak_memory]
    while True:
        timings.append(_timing(bench, known, len(timings)))
        for quantity in per_trial.wanted(known):
            value = quantity.measure(bench, known, bench.candidate).value
            others[quantity.metric.name].append(value)
        if len(timings) == _STORED_ARMS:
            return {**_values(timings), per_trial.PEAK.metric.name: peaks, **others}
        bench.start_anew()
        peaks.append(per_trial.PEAK.measure(bench, known, bench.candidate).value)


@phase("timing")
def _timing(bench: Bench, known: Known, number: int) -> Timing:
    bench.progress(f"trial {number + 1}")
    return turns.time_alone(bench.arm(), bench.spec.nodeid, known.plan)


def _values(timings: Sequence[Timing]) -> dict[str, Sequence[float]]:
    return {name: [timing.values[name] for timing in timings] for name in timings[0].values}


def _is_new(bench: Bench, name: str) -> bool:
    """Whether a metric is judged by default, and may not have been when numbers were stored."""
    return name == "epoch_time" and name not in bench.spec.settings.asked


@phase("delivery")
def judge_delivery(bench: Bench) -> Findings:
    """Read epochs of all ranks, and of one process alone, which nobody tells of others.

    LoaderError where nothing can be told.
    """
    world, nodeid = bench.spec.settings.world, bench.spec.nodeid
    seconds = bench.spec.settings.budget / _PARTS
    bench.progress("samples of all ranks" if world.ranks > 1 else "samples")
    ranks = calibration.deliveries(bench.arm(), nodeid, seconds)
    bench.progress("samples of one process alone")
    with bench.arms.beside(bench.candidate, bench.spec.module, SINGLE) as arm:
        (alone,) = calibration.deliveries(arm, nodeid, world.size * seconds, alone=True)
    for each in (*ranks, alone):
        if not each.largest:
            raise LoaderError("the loader gave no batch: it is empty")
        if not each.ended:
            raise LoaderError(
                f"an epoch has not ended after {len(each.epochs[-1]):,} samples and "
                f"{seconds:.0f} s: give this check a larger budget, or a loader with a part of the "
                "data"
            )
    if delivery.differs([alone]):
        raise LoaderError(
            "each epoch has other samples, also of one process alone, so that nobody can tell "
            "whether one is repeated: give this check a loader without random changes of samples"
        )
    found = delivery.problems(ranks, alone, whole=world.ranks == world.size)
    total = sum(len(rank.epochs[0]) for rank in ranks)
    note = f"{total:,} samples of an epoch were read, {len(alone.epochs[0]):,} of one process alone"
    return Findings(undelivered=tuple(found), message="\n".join(found), notes=(note,))
