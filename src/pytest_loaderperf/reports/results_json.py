"""The results file: plain values for JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from ..model.metrics import METRICS
from ..model.parameters import Parameter, batch_size_among
from ..model.ranks import Paces
from ..model.results import (
    Blame,
    CheckResult,
    Comparison,
    Coverage,
    Noise,
    Run,
    Search,
    Variant,
    Why,
)
from ..model.shards import Share
from ..model.units import round_significant
from ..shards import records
from ..stats.sweeps import Sweep

SCHEMA = 1
_OF_POINTS = ("throughput", "spread", "first_batch", "peak_memory")


def to_json(run: Run, sweeps: Sequence[Sweep]) -> dict[str, object]:
    """The results file, schema 1."""
    counts = Counter(str(result.verdict) for result in run.results)
    return {
        "schema": SCHEMA,
        "plugin": run.plugin,
        "root": run.root,
        "commit": run.commit,
        "changes": run.changes,
        "alpha": run.alpha,
        "machine": dict(run.machine),
        "against": {"mode": run.mode, "commits": list(run.commits)},
        "checks": [_check_json(result) for result in run.results],
        "summary": dict(sorted(counts.items())),
        "sweeps": [_sweep_json(sweep) for sweep in sweeps],
        "shard": records.to_json(run),
        "shards": [_share_json(share, run) for share in run.shares],
        "problems": list(run.problems),
    }


def _share_json(share: Share, run: Run) -> dict[str, object]:
    return {
        "number": share.shard.number,
        "checks": len(share.own),
        "seconds": round(sum(each.seconds for each in run.results if each.nodeid in share.own), 1),
        "status": share.status,
        "machine": dict(share.machine),
    }


def _sweep_json(sweep: Sweep) -> dict[str, object]:
    model = sweep.memory
    return {
        "test": sweep.test,
        "points": [
            {**_parameters_json(point.parameters), **_significant(point, _OF_POINTS)}
            for point in sweep.points
        ],
        "memory": model and _significant(model, ("fixed", "per_sample", "batches")),
        "best": {**_parameters_json(sweep.best.parameters), "reason": sweep.best.reason},
    }


def _parameters_json(parameters: Mapping[str, Parameter] | None) -> dict[str, object]:
    size = None if parameters is None else batch_size_among(parameters)
    return {"batch_size": size, "parameters": parameters}


def _significant(values: object, names: Sequence[str]) -> dict[str, float]:
    return {name: round_significant(getattr(values, name)) for name in names}


def _check_json(result: CheckResult) -> dict[str, object]:
    return {
        "nodeid": result.nodeid,
        "file": result.file,
        "line": result.line,
        **_parameters_json(result.parameters),
        "verdict": result.verdict.value,
        "outcome": result.outcome,
        "seconds": round(result.seconds, 1),
        "phases": {name: round(taken, 1) for name, taken in result.phases.items()},
        "pairs": result.pairs,
        "workload": vars(result.workload) if result.workload else {},
        "loader": {"kind": result.loader, "settings": dict(result.settings)},
        "memory_source": result.memory_source,
        "message": result.message,
        "notes": list(result.notes),
        "reason": result.reason,
        "metrics": {name: _metric_json(c) for name, c in result.metrics.items()},
        "packages": {name: list(both) for name, both in result.packages.items()},
        "distributions": {name: list(both) for name, both in result.distributions.items()},
        "coverage": _coverage_json(result.coverage),
        "ranks": _ranks_json(result.ranks),
        "noise": [_noise_json(noise) for noise in result.noise],
        "variants": [_variant_json(variant) for variant in result.variants],
        "search": _search_json(result.search),
        "blame": _blame_json(result.blame),
        "why": {name: _why_json(why) for name, why in result.why.items()},
    }


def _variant_json(variant: Variant) -> dict[str, object]:
    return {
        "name": variant.name,
        "verdict": variant.relation and variant.relation.value,
        "throughput": _metric_json(variant.throughput),
        "peak_memory": _rounded(variant.peak_memory),
        "batch_samples": _rounded(variant.batch_samples),
        "coverage": _coverage_json(variant.coverage),
        "workload": vars(variant.workload),
        "loader": {"kind": variant.loader, "settings": dict(variant.settings)},
    }


def _search_json(search: Search | None) -> dict[str, object] | None:
    if search is None:
        return None
    steps = [
        {**vars(step), "verdict": step.verdict.value, "ratio": _rounded(step.ratio)}
        for step in search.steps
    ]
    suspects = [{"commit": commit, "subject": subject} for commit, subject in search.suspects]
    return {**vars(search), "steps": steps, "suspects": suspects}


def _blame_json(blame: Blame | None) -> dict[str, object] | None:
    if blame is None:
        return None
    search = blame.search
    return {
        "told": blame.text,
        "packages": search.commits,
        "steps": [
            {
                "up_to": step.commit,
                "change": step.subject,
                "verdict": step.verdict.value,
                "ratio": _rounded(step.ratio),
                "why": step.why,
            }
            for step in search.steps
        ],
        "suspects": [{"package": name, "change": change} for name, change in search.suspects],
        "lost": {
            name: {"ratio": _rounded(ratio), "interval": [_rounded(end) for end in interval]}
            for name, (ratio, interval) in blame.lost.items()
        },
    }


def _why_json(why: Why) -> dict[str, object]:
    return {
        "took": _rounded(why.took),
        "lost": _rounded(why.lost),
        "clear": why.clear,
        "interval": [_rounded(each) for each in why.interval],
        "waited": _rounded(why.waited),
        "in_flight": [_rounded(each) for each in why.in_flight],
        "culprits": [
            {
                **vars(each),
                "more": _rounded(each.more),
                "interval": [_rounded(end) for end in each.interval],
            }
            for each in why.culprits
        ],
        "stacks": [
            [list(each.calls), _rounded(each.candidate), _rounded(each.baseline)]
            for each in why.stacks
        ],
    }


def _ranks_json(paces: Paces | None) -> dict[str, object] | None:
    if paces is None:
        return None
    return {
        "candidate": [_rounded(each) for each in paces.candidate],
        "baseline": [_rounded(each) for each in paces.baseline],
        "step": _rounded(paces.step),
        "slowest": paces.slowest,
        "skew": _share(paces.skew),
    }


def _coverage_json(coverage: Coverage | None) -> dict[str, object] | None:
    if coverage is None:
        return None
    share = {"share": _share(coverage.share)}
    return {"batches": coverage.batches, "epoch_batches": coverage.epoch_batches, **share}


def _noise_json(noise: Noise) -> dict[str, object]:
    shares = {"candidate": noise.candidate, "baseline": noise.baseline, "stolen": noise.steal}
    pressure = {f"{name}_pressure": share for name, share in noise.pressure.items()}
    rounded = {name: _share(share) for name, share in {**shares, **pressure}.items()}
    return {"seconds": round(noise.seconds, 1), **rounded, "spoiled": noise.spoiled}


def _share(share: float | None) -> float | None:
    return None if share is None else round(share, 3)


def _metric_json(comparison: Comparison) -> dict[str, object]:
    metric = METRICS[comparison.metric]
    return {
        "unit": metric.unit,
        "better": metric.better,
        "value": _rounded(comparison.value),
        "baseline": _rounded(comparison.baseline),
        "ratio": _rounded(comparison.ratio),
        "interval": [_rounded(x) for x in comparison.interval] if comparison.interval else None,
        "tolerance": _rounded(comparison.tolerance),
        "detectable": _rounded(comparison.minimum_detectable),
        "pairs": comparison.pairs,
        "ratios": [_rounded(ratio) for ratio in comparison.ratios],
        "verdict": comparison.verdict.value if comparison.judged else None,
    }


def _rounded(value: float | None) -> float | None:
    # JSON has no infinity: what is unbounded is unknown to the reader as well.
    rounded = math.nan if value is None else round_significant(value)
    return rounded if math.isfinite(rounded) else None
