"""Loaders that one test compares: each is measured beside the first, as two versions are."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import LoaderError
from ..measure import calibration
from ..measure.calibration import Calibration
from ..model.results import Comparison, Coverage, Relation, Variant, Verdict
from ..model.version import Version
from ..stats.comparison import typical, uncompared
from . import paired
from .sides import Sides
from .state import Bench, Findings, Known, notes_of

_METRIC = "throughput"
_RELATIONS = {
    Verdict.IMPROVED: Relation.FASTER,
    Verdict.REGRESSED: Relation.SLOWER,
    Verdict.UNCHANGED: Relation.ALIKE,
    Verdict.INCONCLUSIVE: Relation.INCONCLUSIVE,
}


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """One of the others: what its calibration tells, and how it compares with the first."""

    name: str
    calibration: Calibration
    throughput: Comparison
    coverage: Coverage | None


def judge_variants(bench: Bench, known: Known, sides: Sides) -> Findings:
    """Measure every other variant of a test beside the first, which ``known`` is of.

    Each of them has the whole budget. LoaderPerfError or TrialOver where one cannot be measured.
    """
    first, *others = known.calibration.loader.variants
    settings = replace(bench.spec.settings, metrics=(_METRIC,))
    bench = replace(
        bench,
        rule=bench.rule.for_differences(len(others)),
        spec=replace(bench.spec, settings=settings),
    )
    found, measured = Findings(), list[_Measured]()
    for name in others:
        # It has an arm of its own, as a version has: trials may be processes that are not forked.
        version = replace(bench.candidate, variant=name, label=f"variant {name!r}")
        try:
            calibrated, told = _beside(bench, version, name, known.calibration)
            sides.proven(replace(bench, candidate=version), None, told)
        finally:
            bench.arms.drop(version, bench.spec.module)  # nobody needs it any more
        measured.append(
            _Measured(
                name=name,
                calibration=calibrated,
                throughput=told.comparisons[_METRIC],
                coverage=told.coverage,
            )
        )
        notes = tuple(f"{name} beside {first}: {note}" for note in told.notes)
        found += replace(told, comparisons={}, values={}, rounds=(), losses=(), notes=notes)
    return found + Findings(variants=_variants(first, known.calibration, measured))


def _beside(
    bench: Bench, version: Version, name: str, reference: Calibration
) -> tuple[Calibration, Findings]:
    """What the calibration of a variant tells, and what pairs of it with the first one say."""
    beside = replace(
        bench, candidate=version, progress=lambda news: bench.progress(f"{name}: {news}")
    )
    beside.progress("memory")
    nodeid = beside.spec.nodeid
    with beside.phases("memory"):
        ours = calibration.calibrate(beside.arm(), nodeid, beside.lengths)
    known = Known(
        calibration=ours,
        judged=frozenset({_METRIC}),
        deadline=time.monotonic() + beside.spec.settings.budget,
    )
    try:
        known, found = paired.judge_pairs(beside, bench.candidate, known.beside(reference))
    except LoaderError as error:
        raise LoaderError(f"variant {name!r} beside the first one: {error}") from None
    found = replace(found, notes=(*found.notes, *notes_of(known)))
    workloads = [ours.workload, reference.workload]
    if workloads[0].difference(workloads[1]):  # many batches must show it, not a few
        with beside.phases("memory"):
            workloads = [
                calibration.examined(beside.arm(each), nodeid, beside.lengths.pair)
                for each in (version, bench.candidate)
            ]
        ours = replace(ours, workload=workloads[0])
    differ = [workloads[0].difference(workloads[1])]
    sizes = [samples_of_a_batch(each) for each in (ours, reference)]
    if not math.isclose(*sizes, rel_tol=0.01):
        differ.append(f"batches of {sizes[1]:.4g} -> {sizes[0]:.4g} samples")
    if any(differ):
        told = "; ".join(filter(None, differ))
        note = f"it delivers something else ({told}), and is compared by samples/s"
        # Which part of an epoch was seen would be that of two.
        found = replace(found, notes=(note, *found.notes), coverage=None)
    return ours, found


def samples_of_a_batch(calibrated: Calibration) -> float:
    """How many samples a batch holds, on average."""
    return calibrated.values[_METRIC] / calibrated.pace


def _variants(
    first: str, reference: Calibration, others: Sequence[_Measured]
) -> tuple[Variant, ...]:
    """What is known of all variants: throughputs that have the ratios that were measured."""
    baselines = [each.throughput.baseline for each in others]
    base = typical([each for each in baselines if each is not None])
    alone = uncompared(_METRIC, base, Verdict.COMPARED, judged=False)
    return (
        _variant(first, reference, alone, None),
        *(
            _variant(
                each.name,
                each.calibration,
                replace(
                    each.throughput,
                    value=base * (each.throughput.ratio or math.nan),
                    baseline=base,
                    judged=False,
                    source=f"variant {first!r}",
                ),
                _RELATIONS[each.throughput.verdict],
                each.coverage,
            )
            for each in others
        ),
    )


def _variant(
    name: str,
    calibrated: Calibration,
    throughput: Comparison,
    relation: Relation | None,
    coverage: Coverage | None = None,
) -> Variant:
    return Variant(
        name=name,
        throughput=throughput,
        relation=relation,
        peak_memory=calibrated.peak_memory,
        batch_samples=samples_of_a_batch(calibrated),
        workload=calibrated.workload,
        loader=calibrated.loader.kind,
        settings=calibrated.loader.settings,
        coverage=coverage,
    )
