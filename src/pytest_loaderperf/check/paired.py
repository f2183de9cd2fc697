"""Judge timed metrics on pairs of trials: the candidate beside the baseline's commit."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

from ..errors import SettingsError
from ..measure import interference, turns
from ..measure.plan import PAIR_SECONDS
from ..measure.timed_trial import RATES, TIMED, Timing
from ..model.metrics import METRICS
from ..model.results import Comparison, Verdict
from ..model.version import Version
from ..stats.comparison import compare, is_confirmed, scatter, settled
from ..stats.sequential import Within, log_cost
from .state import Bench, Findings

Pair = tuple[Timing, Timing]  # candidate, baseline

# Spoiled pairs are repeated, but no more of them than this: the machine would only be as noisy.
_SPOILED_AT_MOST = 4
# All pairs of the same arms share the luck of their memory layout: while there is time, no more of
# them than these do.
_OF_A_START = 2
# Pairs of so many starts are not the luck of one of them.
_STARTS = 3
# How much more a budget should hold than what has just been measured.
_TO_SPARE = 1.25
# The part of a budget that the first run leaves: a regression is confirmed within the rest.
FOR_CONFIRMING = 1 / 3


def judge(bench: Bench, version: Version, found: Findings) -> str:
    """Fill in the comparisons of all timed metrics.

    Returns how the workloads differ where the two cannot be compared, else an empty string.
    SettingsError if the budget does not hold the pairs of the first look.
    """
    deadline = found.deadline - bench.spec.settings.budget * FOR_CONFIRMING
    pairs, starts = _measure(bench, version, found, found.judged, deadline)
    found.compare_settings(pairs[0][1].settings)
    if changed := _difference(pairs[0]):
        return changed
    found.comparisons = _conclude(bench, version, pairs, found.judged)
    regressed = frozenset(
        name
        for name, comparison in found.comparisons.items()
        if comparison.judged and comparison.verdict is Verdict.REGRESSED
    )
    if regressed:
        pairs += _confirm(bench, version, found, regressed, pairs, starts)
    found.timings += [candidate for candidate, _ in pairs]
    found.pairs = len(pairs)
    found.losses = [
        log_cost(candidate.values["throughput"], baseline.values["throughput"], "higher")
        for candidate, baseline in pairs
    ]
    return ""


def _measure(
    bench: Bench,
    version: Version,
    found: Findings,
    judged: frozenset[str],
    deadline: float,
    *,
    confirming: bool = False,
) -> tuple[list[Pair], int]:
    """Measure pairs until all judged metrics are decided, or time or pairs run out.

    Also says of how many starts of the arms they are.
    """
    pairs: list[Pair] = []
    starts = 1
    spoiled = before = 0
    while len(pairs) < bench.rule.pairs_at_most:
        enough = len(pairs) - before >= _OF_A_START
        if enough and bench.start_pays(deadline - time.monotonic()):
            bench.start_anew(version)
            before = len(pairs)
            starts += 1
        pair = _pair(bench, version, found, candidate_first=len(pairs) % 2 == 0)
        in_time = time.monotonic() < deadline
        if found.noise[-1].spoiled and spoiled < _SPOILED_AT_MOST and in_time:
            spoiled += 1
            continue
        pairs.append(pair)
        if _difference(pairs[0]):
            break
        if not found.pace_by(pairs[0], bench.pair_seconds):
            pairs.clear()
            continue
        if judged.isdisjoint(TIMED):  # one pair shows what nobody judges
            break
        comparisons = _compare(bench, version, pairs, judged)
        left = deadline - time.monotonic()
        missing = bench.rule.looks[0] - len(pairs)
        if missing > 0 and not confirming:
            # What is kept for confirming may go into the first look: without it there is none.
            left = found.deadline - time.monotonic()
            if left < missing * found.noise[-1].seconds:
                raise _too_small(bench, found.noise[-1].seconds)
        label = "confirming, " if confirming else ""
        bench.progress(f"{label}{_news(comparisons['throughput'], left)}")
        if left < 0 or (bench.rule.is_look(len(pairs)) and settled(comparisons)):
            break
    return pairs, starts


def _pair(bench: Bench, version: Version, found: Findings, *, candidate_first: bool) -> Pair:
    """Measure a pair, and note what else the machine did."""
    sides = (bench.side(found.plan), bench.side(found.plan, version))
    before = interference.Moment.now()
    pair = turns.time_pair(*sides, candidate_first=candidate_first)
    found.ran.append((sides[0].arm.ran, sides[1].arm.ran))
    candidate, baseline = pair
    spoiled = candidate.paused or baseline.paused
    spoiled |= interference.unfair(candidate.others, baseline.others)
    others = candidate.others, baseline.others
    found.noise.append(
        interference.between(before, interference.Moment.now(), others, spoiled=spoiled)
    )
    return pair


def _confirm(
    bench: Bench,
    version: Version,
    found: Findings,
    regressed: frozenset[str],
    pairs: Sequence[Pair],
    starts: int,
) -> list[Pair]:
    """Repeat a regression, found in pairs of so many starts, with fresh processes."""
    bench.start_anew(version)
    confirming = bench.confirming
    again, _ = _measure(confirming, version, found, regressed, found.deadline, confirming=True)
    repeated = _conclude(confirming, version, again, regressed)
    pooled = _compare(bench.ending, version, [*pairs, *again], found.judged)
    for name in TIMED:
        verdict = found.comparisons[name].verdict
        together = pooled[name] if starts >= _STARTS else None
        if name in regressed and not is_confirmed(repeated[name], together):
            verdict = Verdict.INCONCLUSIVE
            found.doubt(name, len(pairs), len(again))
        found.comparisons[name] = replace(pooled[name], verdict=verdict)
    return again


def _conclude(
    bench: Bench, version: Version, pairs: Sequence[Pair], judged: frozenset[str]
) -> dict[str, Comparison]:
    """Compare pairs that no others follow: they have settled it, or time has run out."""
    comparisons = _compare(bench, version, pairs, judged)
    return comparisons if settled(comparisons) else _compare(bench.ending, version, pairs, judged)


def _compare(
    bench: Bench, version: Version, pairs: Sequence[Pair], judged: frozenset[str]
) -> dict[str, Comparison]:
    return {
        name: compare(
            METRICS[name],
            [candidate.values[name] for candidate, _ in pairs],
            [baseline.values[name] for _, baseline in pairs],
            bench.spec.settings.tolerances[name],
            bench.rule,
            judged=name in judged,
            source=version.name,
            within=_within(name, pairs),
        )
        for name in TIMED
    }


def _within(name: str, pairs: Sequence[Pair]) -> Within | None:
    """How much the ABBA blocks inside the pairs scatter; None where they have no such value."""
    if name not in RATES:
        return None
    return scatter(
        [
            [(c[name], b[name]) for c, b in zip(candidate.parts, baseline.parts, strict=True)]
            for candidate, baseline in pairs
        ]
    )


def _difference(pair: Pair) -> str:
    candidate, baseline = pair
    return candidate.workload.difference(baseline.workload)


def _too_small(bench: Bench, seconds: float) -> SettingsError:
    """What to say of a budget if a pair takes so many seconds."""
    budget, pairs = bench.spec.settings.budget, bench.rule.looks[0]
    # Of a larger budget the pairs may be longer.
    longest = seconds + 2 * (PAIR_SECONDS - bench.pair_seconds)
    needed = math.ceil(_TO_SPARE * pairs * longest / (1 - FOR_CONFIRMING))
    return SettingsError(
        f"the budget of {budget:g} s is too small: a pair of trials takes {seconds:.1f} s, and the "
        f"first look {pairs} pairs. Give this check budget='{needed}s' or more"
    )


def _news(throughput: Comparison, left: float) -> str:
    return f"pair {throughput.pairs}, ratio {throughput.ratio:.3f}, at most {max(left, 0):.0f} s"
