"""A sweep: a test at each batch size, or other parameters, side by side with its first one."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass, replace

from ..measure import calibration, turns
from ..measure.timed_trial import RATES, Timing
from ..model.metrics import METRICS
from ..model.parameters import BATCH_SIZE, described
from ..model.results import Comparison, Verdict
from ..model.workload import EPOCHS
from ..stats import delivery
from ..stats.comparison import spread, typical, uncompared
from .state import Bench, Findings, Known

# Settings that differ by a few per cent are to be told apart: more pairs, while that is not known.
_PAIRS, _PAIRS_AT_MOST = 3, 8
_SHOWN = (*RATES, "first_batch")
_ERROR = 0.01  # standard error of the logarithm of a ratio of throughputs


@dataclass(kw_only=True)
class _First:
    """A test with its first parameters, which all others are compared with."""

    bench: Bench
    known: Known
    values: dict[str, float]
    samples: Counter[str] | None = None  # that an epoch delivers


class Sweeps:
    def __init__(self) -> None:
        self._first: dict[str, _First] = {}

    def measure(self, bench: Bench, known: Known) -> tuple[Known, Findings]:
        """Measure a check with its parameters; ``message`` says what is wrong with it.

        Also returns what is known with a plan that fits.
        """
        first = self._first.get(bench.spec.sweep)
        if first is None:
            timing = turns.time_alone(bench.arm(), bench.spec.nodeid, known.plan)
            known = known.paced_by([timing], bench.lengths)
            first = _First(bench=bench, known=known, values=timing.values)
            self._first[bench.spec.sweep] = first
            found = Findings(comparisons={k: _measured(k, timing.values[k]) for k in _SHOWN})
        else:
            known, found = _beside(first, bench, known)
        peak = _measured("peak_memory", known.calibration.peak_memory)
        found += Findings(comparisons={"peak_memory": peak})
        return known, found + _contents(first, bench)


def _beside(first: _First, bench: Bench, known: Known) -> tuple[Known, Findings]:
    """The values with the first parameters, times the ratios of pairs."""
    pairs: list[tuple[Timing, Timing]] = []
    while len(pairs) < _PAIRS_AT_MOST:
        bench.progress(f"pair {len(pairs) + 1}")
        sides = bench.side(known.plan), first.bench.side(first.known.plan)
        pairs.append(turns.time_pair(*sides, candidate_first=len(pairs) % 2 == 0))
        took_turns = known.plan.short_turns
        if known.repaced is None:
            known = known.paced_by(pairs[0][:1], bench.lengths)
        if known.plan.short_turns != took_turns:  # others than those that fit
            pairs.clear()
            continue
        ratios = _ratios("throughput", pairs)
        error = spread(METRICS["throughput"], ratios) / math.sqrt(len(ratios))
        late = time.monotonic() > known.deadline
        if late or (len(ratios) >= _PAIRS and error < _ERROR):
            break
    comparisons = {}
    for name in _SHOWN:
        ratios = _ratios(name, pairs)
        comparisons[name] = replace(
            _measured(name, first.values[name] * typical(ratios)),
            pairs=len(pairs),
            spread=spread(METRICS["throughput"], ratios),
        )
    return known, Findings(comparisons=comparisons, pairs=len(pairs))


def _ratios(name: str, pairs: list[tuple[Timing, Timing]]) -> list[float]:
    return [candidate.values[name] / baseline.values[name] for candidate, baseline in pairs]


def _measured(name: str, value: float) -> Comparison:
    return uncompared(name, value, Verdict.MEASURED, judged=False)


def _contents(first: _First, bench: Bench) -> Findings:
    """How what it delivers differs from what the first one of its test does, as a message."""
    bench.progress("contents")
    seconds = bench.spec.settings.budget / EPOCHS
    ranks = calibration.deliveries(bench.arm(), bench.spec.nodeid, seconds)
    ended = all(rank.ended for rank in ranks)
    if not ended or delivery.differs(ranks):
        why = "its epochs differ" if ended else "an epoch takes too long"
        kinds = "batch sizes" if [*bench.spec.parameters] == [BATCH_SIZE] else "settings"
        return Findings(notes=(f"not checked that all {kinds} deliver the same data: {why}",))
    samples = delivery.samples(ranks, 0)
    if first.samples is None:
        first.samples = samples
    changed = difference(first.samples, samples)
    if not changed:
        return Findings()
    where = described(first.bench.spec.parameters)
    return Findings(message=f"other data than at {where}: {changed}")


def difference(before: Counter[str], now: Counter[str]) -> str:
    """What became of the samples, in words; empty if they are the same.

    Each is counted by its hash.
    """
    missing, added = (before - now).total(), (now - before).total()
    if not missing and not added:
        return ""
    parts = [f"{missing:,} are missing"] if missing else []
    parts += [f"{added:,} come in addition"] if added else []
    return f"of {before.total():,} samples {' and '.join(parts)}"
