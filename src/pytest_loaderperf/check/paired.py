"""Judge timed metrics on pairs of trials: the candidate beside the baseline."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..errors import LoaderError, SettingsError
from ..measure import calibration, interference, parts, turns
from ..measure.plan import PAIR_SECONDS, Lengths
from ..measure.timed_trial import TIMED
from ..model.metrics import METRICS, NO_EPOCH
from ..model.results import Comparison, Noise, Verdict
from ..model.version import Version
from ..stats.comparison import compare, is_confirmed, looks_changed, settled
from ..stats.sequential import log_cost
from ..versions.sources import Folders
from . import doubts
from .state import Bench, Findings, Known, Pair, changes, doubt, paces_of, phase, seen

# Spoiled pairs are repeated, but no more of them than this: the machine would only be as noisy.
_SPOILED_AT_MOST = 4
# All pairs of the same arms share what the memory layout of their processes does: while there is
# time, no more of them than these do.
_OF_A_START = 2
# Pairs of so many starts do not owe their difference to one of them.
_STARTS = 3
# So many pairs may say that what looks like a loss is not proven: two of a busy machine cannot.
_IN_ANY_CASE = 4
# How much more a budget should hold than what has just been measured.
_TO_SPARE = 1.25
# How long a pair takes, by how long it times each side: two sides, and their starts.
_PAIR_BY_SIDE = 2.4
# The part of a budget that the first run leaves: a regression is confirmed within the rest.
FOR_CONFIRMING = 1 / 3


@dataclass(kw_only=True)
class _Pairs:
    """The pairs of a check so far, and what was noted of them."""

    known: Known
    pairs: list[Pair] = field(default_factory=list)
    noise: list[Noise] = field(default_factory=list)  # of all, also of spoiled ones
    ran: list[tuple[Folders, Folders]] = field(default_factory=list)
    starts: int = 1  # of the arms that they are from
    earlier: int = 0  # pairs, from arms before the latest ones
    extended: bool = False  # into the time for a confirmation
    notes: tuple[str, ...] = ()
    difference: str | None = None  # of the workloads; None as long as no pair was compared

    def drop(self) -> None:
        """Forget the pairs, but not what was noted of them."""
        self.pairs.clear()
        self.earlier = 0

    @property
    def of_the_latest_arms(self) -> list[Pair]:
        return self.pairs[self.earlier :]


@phase("timing")
def judge_pairs(bench: Bench, version: Version, known: Known) -> tuple[Known, Findings]:
    """Compare all timed metrics; also returns what is known with a plan that fits.

    ``difference`` says how the workloads differ where the two cannot be compared. SettingsError if
    the budget does not hold the pairs of the first look.
    """
    deadline = known.deadline - bench.spec.settings.budget * FOR_CONFIRMING
    alike = None if known.other is None else ""  # what loaders deliver may differ
    taken = _Pairs(known=known, difference=alike)
    first = _measure(bench, version, taken, known.judged, deadline)
    known = first.known
    if "epoch_time" in bench.spec.settings.asked and known.plan.whole is None:
        raise LoaderError(NO_EPOCH)
    differ = changes(first.pairs[0][1].settings, known.calibration.loader.settings)
    notes = [f"settings differ: {differ}"] if differ else []
    if first.difference:
        return known, Findings(
            noise=tuple(first.noise),
            ran=tuple(first.ran),
            difference=first.difference,
            notes=tuple(notes),
        )
    comparisons = _conclude(bench, version, first.pairs, known.judged)
    claims = {
        name: comparison
        for name, comparison in comparisons.items()
        if comparison.judged and comparison.verdict in bench.rule.to_confirm
    }
    every = first
    if claims and not _borne_out(bench, version, first, claims):
        if first.extended:
            doubtful = Verdict.INCONCLUSIVE
            comparisons |= {n: replace(each, verdict=doubtful) for n, each in claims.items()}
            counts = first.earlier, len(first.of_the_latest_arms)
            notes += [doubt(each, *counts) for _, each in sorted(claims.items())]
        else:
            every, comparisons, unsure = _confirm(bench, version, first, comparisons, claims)
            notes += unsure
    notes += [told for each in comparisons.values() if (told := doubts.shown(each))]
    candidates = [candidate for candidate, _ in every.pairs]
    found = Findings(
        comparisons=comparisons,
        values={name: [each.values[name] for each in candidates] for name in comparisons},
        rounds=tuple(each for timing in candidates for each in timing.rounds),
        pairs=len(every.pairs),
        losses=tuple(
            log_cost(candidate.values["throughput"], baseline.values["throughput"], "higher")
            for candidate, baseline in every.pairs
        ),
        noise=tuple(every.noise),
        ran=tuple(every.ran),
        notes=(*notes, *every.notes),
        coverage=max(
            (seen(pair, every.known.plan) for pair in every.pairs), key=lambda each: each.batches
        ),
        paces=paces_of(every.pairs),
    )
    why = "" if known.plan.whole else doubts.unproven(every.pairs, bench.tolerance)
    if why:
        found = doubts.doubted(found, why, both_ways=bench.rule.both_ways)
    return known, found


def _measure(
    bench: Bench,
    version: Version,
    taken: _Pairs,
    judged: frozenset[str],
    deadline: float,
    *,
    confirming: bool = False,
) -> _Pairs:
    """Measure pairs until all judged metrics are decided, or time or pairs run out."""
    pairs, lengths = taken.pairs, bench.lengths
    spoiled = 0
    while len(pairs) < bench.rule.pairs_at_most:
        enough = len(taken.of_the_latest_arms) >= _OF_A_START
        if enough and not taken.extended and bench.start_pays(deadline - time.monotonic()):
            _start_anew(bench, version, taken)
        pair = _pair(bench, version, taken, candidate_first=len(pairs) % 2 == 0)
        seconds = taken.noise[-1].seconds
        # Never at the cost of the first look: a machine that is busy makes no budget too small.
        fits = deadline - time.monotonic() >= seconds * max(bench.rule.looks[0] - len(pairs), 1)
        if taken.noise[-1].spoiled and spoiled < _SPOILED_AT_MOST and fits:
            spoiled += 1
            continue
        pairs.append(pair)
        if _differ(bench, version, taken):
            break
        if not _paced(taken, lengths):
            continue
        if judged.isdisjoint(TIMED):  # one pair shows what nobody judges
            break
        stays = taken.known.plan.whole or taken.extended
        longer = lengths if stays else doubts.longer(pairs, lengths, bench.tolerance)
        needed = bench.rule.looks[0] * _PAIR_BY_SIDE * longer.pair
        if longer != lengths and taken.known.deadline - time.monotonic() > needed:
            lengths = longer
            taken.known = taken.known.paced_by(pairs[0], lengths)
            taken.notes = (doubts.note(pairs, lengths, bench.tolerance),)
            taken.drop()
            continue
        comparisons = _compare(bench, version, pairs, judged)
        left = deadline - time.monotonic()
        missing = bench.rule.looks[0] - len(pairs)
        if missing > 0 and not confirming:
            # What is kept for confirming may go into the first look: without it there is none.
            left = taken.known.deadline - time.monotonic()
            # What others took of the machine is no fault of the budget: it is overdrawn by that.
            own = seconds * (1 - taken.noise[-1].external_load)
            if left < missing * own and _needed(bench, own) > bench.spec.settings.budget:
                raise _too_small(bench, own)
        label = "confirming, " if confirming else ""
        bench.progress(f"{label}{_news(comparisons['throughput'], left)}")
        no_look = missing > 0 and not confirming
        if no_look or not _is_over(bench, taken, comparisons, left, confirming=confirming):
            continue
        if confirming or not _extends(bench, taken, comparisons):
            break
        deadline = taken.known.deadline
        _start_anew(bench, version, taken)
    return taken


def _is_over(
    bench: Bench,
    taken: _Pairs,
    comparisons: Mapping[str, Comparison],
    left: float,
    *,
    confirming: bool,
) -> bool:
    """Whether pairs have decided all that is judged, or the time for them has run out."""
    pairs = len(taken.pairs)
    fresh = len(taken.of_the_latest_arms) if taken.extended else pairs
    if (confirming or taken.extended) and fresh < bench.rule.looks[0]:
        return False  # fewer would confirm nothing
    if bench.rule.is_look(pairs) and settled(comparisons, both_ways=bench.rule.both_ways):
        return True
    return left < 0 and not (pairs < _IN_ANY_CASE and looks_changed(comparisons, bench.rule))


def _extends(bench: Bench, taken: _Pairs, comparisons: Mapping[str, Comparison]) -> bool:
    """Whether pairs go on in the time that is kept for a confirmation, if enough of them fit.

    They may prove what only looks like a loss so far, and since they are of fresh arms, they
    confirm it as well.
    """
    decided = settled(comparisons, both_ways=bench.rule.both_ways)
    if taken.extended or decided or not looks_changed(comparisons, bench.rule):
        return False
    needed = bench.arm().start_seconds + bench.rule.looks[0] * taken.noise[-1].seconds
    taken.extended = taken.known.deadline - time.monotonic() >= needed
    return taken.extended


def _start_anew(bench: Bench, version: Version, taken: _Pairs) -> None:
    bench.start_anew(version)
    taken.earlier = len(taken.pairs)
    taken.starts += 1


def _paced(taken: _Pairs, lengths: Lengths) -> bool:
    """Have later pairs take what fits the loader, by the first one; whether that one counts."""
    known, pairs = taken.known, taken.pairs
    if known.repaced is None:
        taken.known = known.paced_by(pairs[0], lengths)
    # In a calibration that was slow to start, batches took longer: so few of them say little.
    if taken.known.outdoes(known):
        taken.drop()
        return False
    if len(pairs) == 1 and (first := parts.first_epochs(pairs[0], lengths.pair / 2)):
        pairs[0] = first
        taken.known = taken.known.of_one_epoch
    return True


def _pair(bench: Bench, version: Version, taken: _Pairs, *, candidate_first: bool) -> Pair:
    """Measure a pair, and note what else the machine did."""
    known = taken.known
    sides = (bench.side(known.plan), bench.side(known.other_plan, version))
    before = interference.Moment.now()
    pair = turns.time_pair(*sides, candidate_first=candidate_first)
    taken.ran.append((sides[0].arm.ran, sides[1].arm.ran))
    candidate, baseline = pair
    others = candidate.external_load, baseline.external_load
    spoiled = candidate.paused or baseline.paused or interference.unfair(*others)
    now = interference.Moment.now()
    taken.noise.append(interference.between(before, now, others, spoiled=spoiled))
    return pair


def _borne_out(
    bench: Bench,
    version: Version,
    first: _Pairs,
    claims: Mapping[str, Comparison],
) -> bool:
    """Whether the latest arms bear out what is claimed, as fresh ones would have to."""
    latest = first.of_the_latest_arms
    if first.starts == 1 or len(latest) < bench.rule.looks[0]:
        return False
    by_themselves = _conclude(bench.confirming, version, latest, frozenset(claims))
    together = claims if first.extended and first.starts > _STARTS else {}
    return all(
        is_confirmed(by_themselves[name], together.get(name), claim.verdict)
        for name, claim in claims.items()
    )


@phase("confirming")
def _confirm(
    bench: Bench,
    version: Version,
    first: _Pairs,
    comparisons: Mapping[str, Comparison],
    claims: Mapping[str, Comparison],
) -> tuple[_Pairs, dict[str, Comparison], list[str]]:
    """Repeat what is claimed, such as a regression, with fresh processes.

    Returns all pairs, what they say together, and what of it is in doubt.
    """
    bench.start_anew(version)
    confirming, known = bench.confirming, first.known
    again = _measure(
        confirming,
        version,
        _Pairs(known=known, difference=""),
        frozenset(claims),
        known.deadline,
        confirming=True,
    )
    repeated = _conclude(confirming, version, again.pairs, frozenset(claims))
    every = _Pairs(
        known=again.known,
        pairs=first.pairs + again.pairs,
        noise=first.noise + again.noise,
        ran=first.ran + again.ran,
        notes=tuple(dict.fromkeys(first.notes + again.notes)),
    )
    pooled = _compare(bench.ending, version, every.pairs, known.judged)
    found, doubtful = {}, []
    for name in pooled:
        verdict = comparisons[name].verdict
        together = pooled[name] if first.starts >= _STARTS else None
        if name in claims and not is_confirmed(repeated[name], together, verdict):
            doubtful.append(doubt(comparisons[name], len(first.pairs), len(again.pairs)))
            verdict = Verdict.INCONCLUSIVE
        found[name] = replace(pooled[name], verdict=verdict)
    return every, found, doubtful


def _conclude(
    bench: Bench, version: Version, pairs: Sequence[Pair], judged: frozenset[str]
) -> dict[str, Comparison]:
    """Compare pairs that no others follow: they have settled it, or time has run out."""
    comparisons = _compare(bench, version, pairs, judged)
    decided = settled(comparisons, both_ways=bench.rule.both_ways)
    return comparisons if decided else _compare(bench.ending, version, pairs, judged)


def _compare(
    bench: Bench, version: Version, pairs: Sequence[Pair], judged: frozenset[str]
) -> dict[str, Comparison]:
    found = {}
    for name in TIMED:
        if all(name in timing.values for pair in pairs for timing in pair):
            within, if_alike = parts.within(name, pairs)
            found[name] = compare(
                METRICS[name],
                [candidate.values[name] for candidate, _ in pairs],
                [baseline.values[name] for _, baseline in pairs],
                bench.spec.settings.tolerances[name],
                bench.rule,
                judged=name in judged,
                source=version.name,
                within=within,
                if_alike=if_alike,
            )
    return found


def _differ(bench: Bench, version: Version, taken: _Pairs) -> str:
    """How the workloads of both sides differ; many batches must show it, not the first few."""
    if taken.difference is None:
        now, before = (side.workload for side in taken.pairs[0])
        taken.difference = now.difference(before)
        if taken.difference:
            now, before = (
                calibration.examined(bench.arm(each), bench.spec.nodeid, bench.lengths.pair)
                for each in (bench.candidate, version)
            )
            taken.difference = now.difference(before)
    return taken.difference


def _needed(bench: Bench, seconds: float) -> int:
    """The budget that a check needs if a pair takes so many seconds (s)."""
    # Of a larger budget the pairs may be longer.
    longest = seconds + 2 * max(0.0, PAIR_SECONDS - bench.lengths.pair)
    return math.ceil(_TO_SPARE * bench.rule.looks[0] * longest / (1 - FOR_CONFIRMING))


def _too_small(bench: Bench, seconds: float) -> SettingsError:
    """What to say of a budget if a pair takes so many seconds."""
    return SettingsError(
        f"the budget of {bench.spec.settings.budget:g} s is too small: a pair of trials takes "
        f"{seconds:.1f} s, and the first look {bench.rule.looks[0]} pairs. Give this check "
        f"budget='{_needed(bench, seconds)}s' or more"
    )


def _news(throughput: Comparison, left: float) -> str:
    return f"pair {throughput.pairs}, ratio {throughput.ratio:.3f}, at most {max(left, 0):.0f} s"
