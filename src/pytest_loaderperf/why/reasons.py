"""Which reasons are looked for, and what is said where none can be found."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ..measure.calibration import Calibration
from ..measure.plan import Lengths
from ..measure.turns import Side
from ..model.results import CheckResult, Verdict, Why
from . import memory, pipeline, sampling, starts
from .calls import Files

_SLOWER = (
    "throughput", "cpu_time", "epoch_time", "epoch_overhead", "stall", "stalled", "wait_p99"
)  # fmt: skip
_LARGER = ("peak_memory", "memory_growth")
# What is looked for, by its name in a result.
_WHERE = {
    "time": "where the time goes",
    "first_batch": "where the time of the first batch goes",
    "memory": "where the memory goes",
    "copies": "where shared memory is copied",
}
_MOST = 0.5  # of what a peak has grown
_MIB = 2**20


def explained(
    result: CheckResult,
    sides: tuple[Side, Side],
    files: tuple[Files, Files],
    lengths: Lengths,
    calibrated: Calibration,
    news: Callable[[str], None],
    *,
    always: bool,
) -> CheckResult:
    """A result with where its time goes if it got slower, and its memory if it got larger.

    Likewise where that of the first batch goes, if this comes later. Or ``always`` where the time
    goes. ``sides`` and ``files`` are those of the candidate and of the
    baseline; ``news`` hears of a look that takes some seconds. What goes wrong becomes a note: the
    verdict holds.
    """
    regressed = {
        name
        for name, each in result.metrics.items()
        if each.judged and each.verdict is Verdict.REGRESSED
    }

    if always or regressed.intersection(_SLOWER):
        slower = partial(sampling.why_slower, *sides, files, lengths.pair)
        if calibrated.loader.kind == "tf.data":  # whose nodes are no Python
            slower = partial(pipeline.why_slower, *sides, files)
        result = _told(result, "time", slower, news)
    if "first_batch" in regressed:
        comparison = result.metrics["first_batch"]
        seconds = max(comparison.value, comparison.baseline or 0.0)
        later = partial(starts.why_later, *sides, files, seconds, always=always)
        result = _told(result, "first_batch", later, news)
    if regressed.intersection(_LARGER):
        grown = _grown(result) / _MIB
        if memory.is_installed():
            larger = partial(memory.why_larger, sides, files, lengths, calibrated, grown)
            result = _told(result, "memory", larger, news)
        else:
            result = replace(result, notes=(*result.notes, memory.INSTALL))
        shares = sys.platform == "linux" and memory.workers(calibrated) > 0
        if shares and not _is_explained(result, grown):
            copies = partial(memory.why_copied, sides, files, lengths, calibrated, grown)
            result = _told(result, "copies", copies, news)
    return result


def _is_explained(result: CheckResult, grown: float) -> bool:
    """Whether lines and batches in flight hold most of what the peak has grown (MiB)."""
    why = result.why.get("memory")
    holds = 0.0 if why is None else why.clear * why.lost + max(0.0, why.in_flight[1])
    return holds > 0 and holds >= _MOST * grown


def _grown(result: CheckResult) -> float:
    """How many bytes more the candidate takes at its peak; 0 if nobody has looked."""
    peak = result.metrics.get("peak_memory")
    return 0.0 if peak is None or peak.baseline is None else max(0.0, peak.value - peak.baseline)


def _told(
    result: CheckResult, name: str, look: Callable[[], Why], news: Callable[[str], None]
) -> CheckResult:
    where = _WHERE[name]
    news(where)
    try:
        return replace(result, why={**result.why, name: look()})
    except Exception as error:  # noqa: BLE001  (the verdict holds)
        note = f"{where} was not found: {str(error).partition(chr(10))[0]}"
        return replace(result, notes=(*result.notes, note))
