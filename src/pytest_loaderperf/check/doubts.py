"""What speaks against a verdict: too few stalls in a pair, an epoch too long, no confirmation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ..baselines.store import Record
from ..measure.plan import Lengths
from ..measure.timed_trial import RATES
from ..measure.waits import Waits
from ..model.results import Comparison, Verdict
from ..model.units import format_percent, format_value
from .state import Bench, Findings, Known, Pair

# Stalls that take less of the time do not decide anything, nor those that take less than such a
# part of a tolerance.
_SHARE, _OF_TOLERANCE = 0.02, 1 / 5
# A pair is to hold so many of them, and some more if it is measured anew.
_ENOUGH, _WANTED = 2, 3
# Of the longest pair that a budget allows: what is nearly as long need not be measured anew.
_NEARLY = 0.9


def longer(pairs: Sequence[Pair], lengths: Lengths, tolerance: float = 0.0) -> Lengths:
    """The same lengths, or longer ones if pairs of these hold too few of the stalls seen."""
    apart, seconds = distance(pairs, tolerance), _seconds(pairs)
    wanted = lengths.at_least(_WANTED * apart)
    few = seconds < _ENOUGH * apart and seconds < _NEARLY * wanted.pair
    return wanted if few else lengths


def note(pairs: Sequence[Pair], lengths: Lengths, tolerance: float = 0.0) -> str:
    """What to say of pairs that were made longer."""
    apart = distance(pairs, tolerance)
    every, long = (format_value(each, "s") for each in (apart, lengths.pair))
    return f"stalls come about every {every}: each pair has timed {long} of both sides"


def shown(comparison: Comparison) -> str:
    """What a comparison says of stalls; empty if they take next to no time."""
    before = comparison.baseline or 0.0
    if comparison.metric != "stalled" or max(comparison.value, before) <= _SHARE:
        return ""
    now, then = format_percent(comparison.value), format_percent(before)
    return f"stalls took {now} of the time, and {then} in the baseline"


def unproven(pairs: Sequence[Pair], tolerance: float = 0.0) -> str:
    """Why pairs cannot prove that nothing has changed; empty if they can."""
    apart, seconds = distance(pairs, tolerance), _seconds(pairs)
    if seconds >= apart:
        return ""
    every, long = (format_value(each, "s") for each in (apart, seconds))
    return (
        f"stalls come about every {every}, and a pair times only {long} of each side: give this "
        "check a larger budget"
    )


def outgrown(bench: Bench, known: Known, record: Record | None) -> str:
    """Why an epoch that is not timed as a whole may be one that has become too long for that.

    Empty if nothing speaks for it: it was longer before, or it is as long as its start promises.
    """
    if known.plan.whole is not None or not bench.lengths.epoch:
        return ""
    before = record.metrics.get("epoch_time") if record else None
    calibration = known.calibration
    batches = calibration.plan.epoch_batches
    promised = math.inf
    if batches is not None and known.repaced is not None:
        promised = calibration.values["first_batch"] + batches / calibration.pace
    if before is None and promised > bench.lengths.epoch:
        return ""
    return (
        "an epoch takes longer than it did, or than its start promises, and does not fit into the "
        f"budget any more: give this check budget='{math.ceil(2 * bench.spec.settings.budget)}s'"
    )


def doubted(findings: Findings, why: str, *, both_ways: bool = False) -> Findings:
    """Findings of which those that have proven no loss of throughput could not.

    ``both_ways``: nor could those that have proven one.
    """
    unproven = {Verdict.UNCHANGED, Verdict.IMPROVED} | ({Verdict.REGRESSED} if both_ways else set())
    comparisons = {
        name: replace(each, verdict=Verdict.INCONCLUSIVE)
        if name in RATES and each.verdict in unproven
        else each
        for name, each in findings.comparisons.items()
    }
    notes = (*findings.notes, why)
    return replace(findings, comparisons=comparisons, notes=notes, unproven=True)


def distance(pairs: Sequence[Pair], tolerance: float = 0.0) -> float:
    """How far apart stalls are, on the side where they are further (s); 0 where they are none.

    Those count that could make up a loss of the ``tolerance``.
    """
    share = max(_SHARE, _OF_TOLERANCE * tolerance)
    sides = [sum((each.waits for each in side), Waits()) for side in zip(*pairs, strict=True)]
    return max((side.apart for side in sides if side.share > share), default=0.0)


def _seconds(pairs: Sequence[Pair]) -> float:
    return min(timing.taken.seconds for pair in pairs for timing in pair)
