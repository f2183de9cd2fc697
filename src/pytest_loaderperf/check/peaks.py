"""Judge peak memory: with a stored number where that will do, else side by side."""

from __future__ import annotations

from ..baselines.store import Record
from ..measure import calibration
from ..model.metrics import METRICS
from ..model.results import Comparison
from ..model.version import Version
from ..stats.comparison import glance
from .repeats import Quantity, beside, with_stored
from .state import Bench, Findings

_METRIC = METRICS["peak_memory"]
# Peaks scatter by less than 1 % or by some 1 MiB (docs/evidence.md), two of a pair by 1.4 times as
# much. A megabyte can be far more of a small loader, but then it is little of the tolerance.
_LUCK = 0.015


def judge(bench: Bench, version: Version | None, record: Record | None, found: Findings) -> None:
    """Fill in the comparison of peak memory.

    The peak of a loader depends little on how busy its machine is, so that one look at the stored
    number settles it for most checks: where machine class and versions match, and it did not move.
    """
    quantity = Quantity(
        metric=_METRIC, measure=lambda version: peak(bench, version, found), luck=_LUCK
    )
    comparison = None
    if record is not None:
        comparison = _glance(bench, record, found)
    if comparison is None and version is not None:
        comparison = beside(bench, version, found, quantity, found.peaks)
    if comparison is None:
        stored = record.metrics.get(_METRIC.name) if record else None
        comparison = with_stored(bench, stored, found, quantity, found.peaks)
    found.comparisons[_METRIC.name] = comparison


def _glance(bench: Bench, record: Record, found: Findings) -> Comparison | None:
    stored = record.metrics.get(_METRIC.name)
    if stored is None or record.versions != bench.versions:
        return None
    tolerance = bench.spec.settings.tolerances[_METRIC.name]
    judged = _METRIC.name in found.judged
    return glance(_METRIC, found.survey.peak_memory, stored, tolerance, judged=judged)


def peak(bench: Bench, version: Version, found: Findings) -> float:
    """The peak of a version in one more trial, as long as the survey's."""
    return calibration.survey(bench.arm(version), bench.spec.nodeid, found.survey).peak_memory
