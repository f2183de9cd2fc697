"""How sure pairs of trials are, from what is inside them."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_loaderperf.check import paired
from pytest_loaderperf.check.state import Bench, Findings, Known
from pytest_loaderperf.errors import LoaderError, SettingsError
from pytest_loaderperf.measure import calibration, interference, turns
from pytest_loaderperf.measure.calibration import Calibration
from pytest_loaderperf.measure.plan import Plan, plan
from pytest_loaderperf.measure.timed_trial import Timing
from pytest_loaderperf.measure.waits import Waits
from pytest_loaderperf.model.metrics import METRICS, Tolerance
from pytest_loaderperf.model.results import Comparison, Coverage, Noise, Verdict
from pytest_loaderperf.model.version import Version
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.protocol.messages import Handed, Slice
from pytest_loaderperf.settings import CheckSettings
from pytest_loaderperf.stats.sequential import Rule
from pytest_loaderperf.system import cpus

WORKLOAD = Workload(batch="list[int, ...]", bytes_per_sample=8.0)


RULE = Rule()
SLOW_TO_START = SimpleNamespace(
    collected=None, starts_anew=False, start_seconds=math.inf, ran=Path()
)
TimePair = Callable[[Plan], tuple[Timing, Timing]]


def trial(
    cpu_seconds: float = 1.0,
    *,
    seconds: float = 1.0,
    epoch_batches: int | None = None,
    stalls: int = 0,
    **what: Any,
) -> Timing:
    """A trial that used so much CPU time in each of its seconds, with stalls of half a second."""
    values = {"throughput": 80.0, "cpu_time": 0.01, "first_batch": 0.1}
    parts = ({"throughput": 80.0, "cpu_time": 0.01},) * 3
    batches = round(10 * seconds)
    taken = Slice(
        stretches=[(0.0, seconds)],
        samples=8 * batches,
        batches=batches,
        cpu_seconds=cpu_seconds * seconds,
        epoch_batches=epoch_batches,
    )
    return Timing(
        values=values,
        workload=WORKLOAD,
        taken=taken,
        made=float(batches),
        parts=parts,
        waits=Waits(stalls=stalls, lost=0.5 * stalls, squares=0.25 * stalls, seconds=seconds),
        **what,
    )


def judged(
    monkeypatch: pytest.MonkeyPatch,
    time_pair: TimePair,
    *,
    short_turns: bool = True,
    seconds: float = math.inf,
    metrics: frozenset[str] = frozenset({"throughput"}),
    arm: SimpleNamespace = SLOW_TO_START,
    replaced: Callable[[str], None] = lambda _: None,
    asked: tuple[str, ...] = CheckSettings.metrics,
    epoch_seconds: float = math.inf,
    rule: Rule = RULE,
    budget: float = 60.0,
) -> Findings:
    """What comes of pairs that this function measures, within so many seconds.

    Both sides have this arm; ``replaced`` hears whose are replaced by fresh ones.
    """
    monkeypatch.setattr(turns, "time_pair", lambda side, _, **__: time_pair(side.pace))
    monkeypatch.setattr(cpus, "usable_cpus", lambda: [0, 1])
    tolerances = dict.fromkeys(METRICS, Tolerance(relative=0.1))
    settings = CheckSettings(tolerances=tolerances, metrics=asked, budget=budget)
    arms: Any = SimpleNamespace(get=lambda *_: arm, drop=lambda version, _: replaced(version.name))
    spec: Any = SimpleNamespace(nodeid="test", module="test", settings=settings)
    candidate, baseline = (Version(root=Path(name), label=name) for name in ("new", "old"))
    bench = Bench(spec=spec, arms=arms, candidate=candidate, rule=rule, progress=lambda _: None)
    loader = Handed(
        kind="iterable",
        workers=0,
        prefetch=0,
        epoch_batches=None,
        samples_per_epoch=None,
        built_data=False,
    )
    paces = plan(
        0.1, 0, 0, lengths=bench.lengths, epoch_seconds=epoch_seconds, short_turns=short_turns
    )
    calibrated = Calibration(
        loader=loader,
        workload=WORKLOAD,
        peak_memory=1e6,
        values={"first_batch": 0.1},
        batches=10,
        plan=paces,
        epoch_seconds=epoch_seconds,
        asserted=(),
    )
    known = Known(calibration=calibrated, judged=metrics, deadline=time.monotonic() + seconds)
    return paired.judge_pairs(bench, baseline, known)[1]


@pytest.mark.parametrize(("metrics", "pairs"), [({"peak_memory"}, 1), ({"cpu_time"}, 2)])
def test_one_pair_shows_what_nobody_judges(
    monkeypatch: pytest.MonkeyPatch, metrics: set[str], pairs: int
) -> None:
    found = judged(monkeypatch, lambda _: (trial(), trial()), metrics=frozenset(metrics))
    assert found.pairs == pairs
    assert found.comparisons["throughput"].ratio == pytest.approx(1.0)


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize("waits", [True, False])
def test_the_first_pair_counts_if_it_took_the_turns_that_fit(
    monkeypatch: pytest.MonkeyPatch,
    calibrated: bool,
    waits: bool,
) -> None:
    # Calibration sees the candidate alone, and here it is the baseline that may wait.
    took: list[bool] = []

    def time_pair(pace: Plan) -> tuple[Timing, Timing]:
        took.append(pace.short_turns)
        return trial(), trial(0.3 if waits else 1.0)

    found = judged(monkeypatch, time_pair, short_turns=calibrated)
    fits = not waits
    wrong = [calibrated] * (calibrated != fits)
    assert took == wrong + [fits] * found.pairs
    assert found.pairs >= 2
    assert found.verdict is Verdict.UNCHANGED


@pytest.mark.parametrize(
    ("epoch", "second", "later"),
    [
        (2.0, 1.0, 1),
        (2.0, 1.02, 1),
        (2.0, 1.1, 2),  # what a first epoch has stored serves later ones no more
        (2.0, 0.9, 2),
        (1.0, 1.0, 2),  # one would be short
    ],
)
def test_one_epoch_is_enough_where_the_second_one_says_the_same(
    monkeypatch: pytest.MonkeyPatch, epoch: float, second: float, later: int
) -> None:
    took: list[int] = []

    def time_pair(pace: Plan) -> tuple[Timing, Timing]:
        assert pace.whole is not None
        took.append(pace.whole.slices)
        if pace.whole.slices == 1:
            return trial(seconds=epoch), trial(seconds=epoch)
        first = trial(seconds=epoch)
        candidate = trial(seconds=epoch * (1 + second), first_epoch=first)
        return candidate, trial(seconds=2 * epoch, first_epoch=first)

    found = judged(monkeypatch, time_pair, epoch_seconds=epoch)
    assert took == [2, *[later] * (found.pairs - 1)]
    assert found.pairs >= 2


@pytest.mark.parametrize(("seconds", "dropped"), [(0.04, 1), (0.9, 0)])
def test_a_first_pair_that_was_far_too_short_does_not_count(
    monkeypatch: pytest.MonkeyPatch, seconds: float, dropped: int
) -> None:
    took: list[int] = []

    def time_pair(pace: Plan) -> tuple[Timing, Timing]:
        batches = pace.batches * pace.slices
        took.append(batches)
        # By the calibration a batch takes 0.1 s.
        each = trial(1.0, seconds=0.1 * batches)
        quick = replace(each.taken, stretches=[(0.0, seconds * 0.1 * batches)])
        each = replace(each, taken=replace(quick, cpu_seconds=quick.seconds))
        return each, each

    found = judged(monkeypatch, time_pair)
    assert len(took) == found.pairs + dropped
    assert min(took[dropped:]) * seconds * 0.1 > 1.0  # seconds of each side


@pytest.mark.parametrize("hit", [{"external_load": 0.5}, {"paused": True}])
@pytest.mark.parametrize("candidate", [True, False])
def test_a_pair_that_was_hit_on_one_side_is_measured_again(
    monkeypatch: pytest.MonkeyPatch, hit: dict[str, Any], *, candidate: bool
) -> None:
    spoiled = (trial(**hit), trial()) if candidate else (trial(), trial(**hit))
    pairs = iter([spoiled, *[(trial(), trial())] * 10])
    found = judged(monkeypatch, lambda _: next(pairs))
    assert [noise.spoiled for noise in found.noise] == [True] + [False] * found.pairs
    assert found.verdict is Verdict.UNCHANGED


def test_a_pair_that_was_hit_on_both_sides_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(monkeypatch, lambda _: (trial(external_load=0.4), trial(external_load=0.45)))
    assert len(found.noise) == found.pairs


def test_a_machine_that_spoils_every_pair_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = judged(monkeypatch, lambda _: (trial(external_load=0.5), trial()))
    assert all(noise.spoiled for noise in found.noise)
    assert len(found.noise) == found.pairs + 4


def test_pairs_that_are_spoiled_take_no_time_from_the_first_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def time_pair(_: Plan) -> tuple[Timing, Timing]:
        time.sleep(0.1)
        return trial(external_load=0.5), trial()

    # A third of the budget of 60 s is kept for confirming.
    found = judged(monkeypatch, time_pair, seconds=20.35)
    assert (len(found.noise), found.pairs) == (3, 2)  # once more, not until there is no time


@pytest.mark.parametrize("spoiled", [True, False])
def test_a_budget_that_does_not_hold_the_first_look_is_too_small(
    monkeypatch: pytest.MonkeyPatch, *, spoiled: bool
) -> None:
    measured = 0

    def time_pair(_: Plan) -> tuple[Timing, Timing]:
        nonlocal measured
        measured += 1
        time.sleep(0.1)
        return trial(external_load=0.5 * spoiled), trial()

    with pytest.raises(SettingsError, match=r"the budget of 0\.2 s is too small: .* takes 0\.1 s"):
        judged(monkeypatch, time_pair, seconds=0.15, budget=0.2)
    assert measured == 1


def test_a_budget_that_would_do_is_not_too_small_on_a_busy_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def time_pair(_: Plan) -> tuple[Timing, Timing]:
        time.sleep(0.1)
        return trial(), trial()

    assert judged(monkeypatch, time_pair, seconds=0.05, budget=60).pairs >= 2  # a look


def test_what_others_took_makes_no_budget_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def time_pair(_: Plan) -> tuple[Timing, Timing]:
        time.sleep(0.1)
        return trial(external_load=0.9), trial(external_load=0.9)

    assert judged(monkeypatch, time_pair, seconds=0.15).pairs == 2


@pytest.mark.parametrize(
    ("factors", "verdict"), [((1.0,), Verdict.UNCHANGED), ((0.9, 1.1), Verdict.INCONCLUSIVE)]
)
def test_the_first_look_may_take_the_time_that_is_kept_for_confirming(
    monkeypatch: pytest.MonkeyPatch, factors: tuple[float, ...], verdict: Verdict
) -> None:
    factor = itertools.cycle(factors)

    def time_pair(_: Plan) -> tuple[Timing, Timing]:
        time.sleep(0.1)
        return scaled(trial(), next(factor)), trial()

    # A third of the budget of 60 s is kept for confirming: of these seconds all but 0.05.
    found = judged(monkeypatch, time_pair, seconds=20.05)
    assert (found.pairs, found.verdict) == (2, verdict)


@pytest.mark.parametrize(
    ("losses", "pairs", "verdict"),
    [
        ([1.2, 0.3], 4, Verdict.INCONCLUSIVE),
        ([1.2, 0.3, 0.75, 0.75], 6, Verdict.REGRESSED),  # four to find it, and two confirm
        ([0.75] * 2 + [1.2, 0.0, 0.75, 0.75], 6, Verdict.REGRESSED),  # two, and four confirm
        ([0.4, -0.4], 2, Verdict.INCONCLUSIVE),  # what is no loss takes no more time than there is
    ],
)
def test_what_looks_like_a_loss_gets_four_pairs_in_any_case(
    monkeypatch: pytest.MonkeyPatch, losses: list[float], pairs: int, verdict: Verdict
) -> None:
    loss = itertools.cycle(losses)

    def time_pair(_: Plan) -> tuple[Timing, Timing]:
        time.sleep(0.1)
        return scaled(trial(), math.exp(-next(loss))), trial()

    found = judged(monkeypatch, time_pair, seconds=20.15)
    assert (found.pairs, found.verdict) == (pairs, verdict)


@pytest.mark.parametrize(
    ("losses", "pairs", "verdict"),
    [
        # Two pairs rule out a loss, and do not prove a gain yet.
        ([-0.13, -0.05], 4, Verdict.IMPROVED),
        ([-0.13, -0.05, 0.0, 0.0], 4, Verdict.UNCHANGED),
        ([-0.08, -0.01], 2, Verdict.UNCHANGED),
    ],
)
def test_a_likely_gain_is_measured_until_it_is_proven(
    monkeypatch: pytest.MonkeyPatch, losses: list[float], pairs: int, verdict: Verdict
) -> None:
    loss = itertools.cycle(losses)
    found = judged(monkeypatch, lambda _: (scaled(trial(), math.exp(-next(loss))), trial()))
    assert (found.pairs, found.verdict) == (pairs, verdict)


def test_when_time_runs_out_a_gain_that_is_not_proven_is_no_doubt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loss = itertools.cycle([-0.13, -0.05])
    found = judged(
        monkeypatch,
        lambda _: (scaled(trial(), math.exp(-next(loss))), trial()),
        seconds=20.0,  # all of it is kept for confirming
    )
    assert (found.pairs, found.verdict) == (2, Verdict.UNCHANGED)


BOTH_WAYS = RULE.for_differences(1)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("losses", "pairs", "verdict"),
    [
        ([0.2], 4, Verdict.REGRESSED),  # fresh processes confirm both
        ([0.2, 0.2, 0.0], 4, Verdict.INCONCLUSIVE),
        ([0.0], 2, Verdict.UNCHANGED),
        ([0.07], 4, Verdict.UNCHANGED),  # less than the tolerance, for sure
    ],
)
def test_both_ways_a_gain_is_proven_as_a_loss_is(
    monkeypatch: pytest.MonkeyPatch, sign: int, losses: list[float], pairs: int, verdict: Verdict
) -> None:
    loss = itertools.chain(losses, itertools.repeat(losses[-1]))
    found = judged(
        monkeypatch,
        lambda _: (scaled(trial(), math.exp(-sign * next(loss))), trial()),
        rule=BOTH_WAYS,
    )
    gained = sign < 0 and verdict is Verdict.REGRESSED
    assert (found.pairs, found.verdict) == (pairs, Verdict.IMPROVED if gained else verdict)
    claimed = "improved" if sign < 0 else "regressed"
    doubts = [note for note in found.notes if "did not confirm" in note]
    assert [note.split()[:2] for note in doubts] == (
        [["throughput", claimed]] if verdict is Verdict.INCONCLUSIVE else []
    )


def shared(
    monkeypatch: pytest.MonkeyPatch, losses: list[float], **arm: Any
) -> tuple[list[int], Findings]:
    """How many pairs shared their arms, each time that these were replaced; and what came of it.

    The first run may take 80 s, and takes none.
    """
    now = time.monotonic()
    monkeypatch.setattr(paired, "time", SimpleNamespace(monotonic=lambda: now))
    kept = SimpleNamespace(**{**vars(SLOW_TO_START), **arm})
    loss = itertools.cycle(losses)
    pairs, replaced = [0], []

    def time_pair(_: Plan) -> tuple[Timing, Timing]:
        pairs[-1] += 1
        return scaled(trial(), math.exp(-next(loss))), trial()

    def replace_arm(name: str) -> None:
        replaced.append(name)
        if name == "new":  # the second one of the two
            pairs.append(0)

    found = judged(monkeypatch, time_pair, seconds=100.0, arm=kept, replaced=replace_arm)
    assert replaced == ["old", "new"] * (len(pairs) - 1)
    return pairs, found


NOISE = [0.4, -0.4]


@pytest.mark.parametrize(
    ("arm", "pairs"),
    [
        ({"start_seconds": 7.9}, [2] * 12),
        ({"start_seconds": 8.1}, [24]),
        # Each of its trials is a fresh process in any case.
        ({"start_seconds": 0.1, "starts_anew": True}, [24]),
    ],
)
def test_while_there_is_time_two_pairs_share_their_arms(
    monkeypatch: pytest.MonkeyPatch, arm: dict[str, Any], pairs: list[int]
) -> None:
    took, found = shared(monkeypatch, NOISE, **arm)
    assert took == pairs
    assert found.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("start_seconds", [0.1, math.inf])
def test_a_regression_is_confirmed_by_fresh_arms_in_any_case(
    monkeypatch: pytest.MonkeyPatch, start_seconds: float
) -> None:
    took, found = shared(monkeypatch, [0.2], start_seconds=start_seconds)
    assert (took, found.verdict) == ([2, 2], Verdict.REGRESSED)


@pytest.mark.parametrize(
    ("losses", "start_seconds", "pairs"),
    [
        ([0.095], 0.1, [2, 2]),
        ([0.095], math.inf, [4, 2]),  # all four owe what they may to one start
        # The latest two do not prove it by themselves: others must.
        ([0.1, 0.06, 0.06, 0.07, 0.05, 0.05, 0.1, 0.1], 0.1, [2, 2, 2, 2]),
    ],
)
def test_arms_that_are_fresh_already_need_no_others(
    monkeypatch: pytest.MonkeyPatch, losses: list[float], start_seconds: float, pairs: list[int]
) -> None:
    took, found = shared(monkeypatch, losses, start_seconds=start_seconds)
    assert (took, found.verdict) == (pairs, Verdict.REGRESSED)
    assert found.pairs == sum(took)


@pytest.mark.parametrize(
    ("start_seconds", "verdict"), [(0.1, Verdict.REGRESSED), (math.inf, Verdict.INCONCLUSIVE)]
)
def test_fresh_pairs_may_bear_out_together_with_pairs_of_many_starts(
    monkeypatch: pytest.MonkeyPatch, start_seconds: float, verdict: Verdict
) -> None:
    # Seven pairs find it, when their time runs out; four cannot prove it by themselves in theirs.
    losses = [*[0.1435, 0.05] * 3, 0.1435, *[0.15, 0.0] * 2]
    loss = iter(losses)
    measured, start = 0, time.monotonic()

    def time_pair(_: Plan) -> tuple[Timing, Timing]:
        nonlocal measured
        measured += 1
        return scaled(trial(), math.exp(-next(loss))), trial()

    def now() -> float:
        return start + (0.0 if measured < 7 else 999.0 if measured < len(losses) else 1001.0)

    monkeypatch.setattr(paired, "time", SimpleNamespace(monotonic=now))
    kept = SimpleNamespace(**{**vars(SLOW_TO_START), "start_seconds": start_seconds})
    found = judged(monkeypatch, time_pair, seconds=1000.0, arm=kept)
    assert (found.pairs, found.verdict) == (len(losses), verdict)


def test_a_pair_that_is_measured_again_takes_no_fresh_arms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = iter([*[(trial(external_load=0.5), trial())] * 3, *[(trial(), trial())] * 2])
    replaced: list[str] = []
    quick = SimpleNamespace(**{**vars(SLOW_TO_START), "start_seconds": 0.1})
    found = judged(monkeypatch, lambda _: next(pairs), arm=quick, replaced=replaced.append)
    assert (found.pairs, replaced) == (2, [])


@pytest.mark.parametrize(("late", "verdict"), [(7, Verdict.REGRESSED), (6, Verdict.INCONCLUSIVE)])
def test_when_time_runs_out_the_last_look_spends_what_is_left(
    monkeypatch: pytest.MonkeyPatch, late: int, verdict: Verdict
) -> None:
    losses = itertools.cycle([0.1435, 0.0435])
    measured, start, seconds = 0, time.monotonic(), 1000.0

    def time_pair(_: Plan) -> tuple[Timing, Timing]:
        nonlocal measured
        measured += 1
        return scaled(trial(), math.exp(-next(losses))), trial()

    def now() -> float:
        return start + (seconds - 1 if measured >= late else 0.0)

    # From ``late`` on there is only the time that is kept for confirming.
    monkeypatch.setattr(paired, "time", SimpleNamespace(monotonic=now))
    found = judged(monkeypatch, time_pair, seconds=seconds)
    assert found.verdict is verdict
    assert (found.pairs > late) == (verdict is Verdict.REGRESSED)


# --- time that is kept for a confirmation --------------------------------------------------------

UNDECIDED = (0.84, 0.96, 0.84, 0.96)  # of throughput, in the time of the first pairs
FIRST_PAIRS = 0.2  # seconds, of a budget of 60; a third of that is kept for a confirmation


def extended(
    monkeypatch: pytest.MonkeyPatch,
    later: tuple[float, ...],
    first: tuple[float, ...] = UNDECIDED,
    start_seconds: float = 0.0,
    stalls: int = 0,
) -> tuple[Findings, list[int]]:
    """What comes of these ratios; and after how many pairs arms were replaced.

    Later pairs have so many stalls.
    """
    ratios = itertools.chain(first, itertools.cycle(later))
    taken, replaced = 0, []

    def time_pair(_: Plan) -> tuple[Timing, Timing]:
        nonlocal taken
        taken += 1
        time.sleep(FIRST_PAIRS / len(first) * 1.05)
        each = trial(stalls=stalls if taken > len(first) else 0)
        return scaled(each, next(ratios)), each

    found = judged(
        monkeypatch,
        time_pair,
        seconds=FIRST_PAIRS + 60 * paired.FOR_CONFIRMING,
        arm=SimpleNamespace(**{**vars(SLOW_TO_START), "start_seconds": start_seconds}),
        replaced=lambda name: replaced.append(taken) if name == "new" else None,
    )
    return found, replaced


def test_what_looks_like_a_loss_has_the_time_of_its_confirmation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, replaced = extended(monkeypatch, (0.9,))
    assert found.verdict is Verdict.REGRESSED
    assert found.pairs >= len(UNDECIDED) + 2
    assert replaced[-1] == len(UNDECIDED)  # all that follow are of the arms that confirm it


def test_stalls_that_show_then_make_no_pair_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = extended(monkeypatch, (0.9,), stalls=4)
    assert found.pairs >= len(UNDECIDED) + 2  # none was dropped for longer ones


def test_fresh_arms_that_show_no_loss_leave_none(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = extended(monkeypatch, (1.0,))
    assert found.verdict is not Verdict.REGRESSED
    assert found.pairs > len(UNDECIDED)


def test_a_loss_that_those_arms_do_not_bear_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paired, "_borne_out", lambda *_: False)
    found, _ = extended(monkeypatch, (0.9,))
    assert found.verdict is Verdict.INCONCLUSIVE
    (note,) = found.notes
    again = found.pairs - len(UNDECIDED)
    assert f"in a first run of 4 pairs, which {again} pairs of fresh processes did not" in note


@pytest.mark.parametrize(
    ("starts", "latest", "borne_out"),
    [
        (2, (0.90, 0.90), True),
        (2, (0.75, 1.05), False),  # two that scatter prove nothing by themselves
        (4, (0.75, 1.05), True),  # but all together do, and no single start has made them
        (4, (0.97, 0.98), False),
    ],
)
def test_the_latest_arms_bear_a_loss_out(
    monkeypatch: pytest.MonkeyPatch, starts: int, latest: tuple[float, ...], *, borne_out: bool
) -> None:
    benches: list[tuple[Bench, Version]] = []
    real = paired._conclude

    def conclude(bench: Bench, version: Version, *rest: Any) -> dict[str, Comparison]:
        benches.append((bench, version))
        return real(bench, version, *rest)

    monkeypatch.setattr(paired, "_conclude", conclude)
    judged(monkeypatch, lambda _: (trial(), trial()))
    bench, version = benches[0]
    pairs = [(scaled(trial(), each), trial()) for each in (*UNDECIDED, *latest)]
    known: Any = None
    first = paired._Pairs(known=known, pairs=pairs, starts=starts, earlier=4, extended=True)
    lost = Comparison(metric="throughput", value=1.0, judged=True, verdict=Verdict.REGRESSED)
    assert paired._borne_out(bench, version, first, {"throughput": lost}) == borne_out


@pytest.mark.parametrize(
    ("first", "start_seconds"),
    [
        (UNDECIDED, 30.0),  # no time for fresh arms
        ((1.06, 0.90, 1.06, 0.90), 0.0),  # nothing looks like a loss
    ],
)
def test_otherwise_that_time_is_kept(
    monkeypatch: pytest.MonkeyPatch, first: tuple[float, ...], start_seconds: float
) -> None:
    found, _ = extended(monkeypatch, (0.9,), first=first, start_seconds=start_seconds)
    assert found.pairs == len(first)
    assert found.verdict is Verdict.INCONCLUSIVE


# --- stalls -------------------------------------------------------------------------------------


def lasting(pace: Plan) -> float:
    """How long each side of a pair takes, with batches of 0.1 s."""
    return 0.1 * pace.batches * pace.slices


def stalling(*counts: int, factor: float = 1.0) -> tuple[TimePair, list[float]]:
    """Pairs in which both sides have so many stalls, and how long each of these pairs took."""
    left, took = iter(counts), list[float]()

    def time_pair(pace: Plan) -> tuple[Timing, Timing]:
        seconds, stalls = lasting(pace), next(left)
        took.append(seconds)
        side = trial(0.2, seconds=seconds, stalls=stalls)
        return scaled(side, factor), side

    return time_pair, took


def test_pairs_that_hold_too_few_stalls_are_measured_anew_for_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    time_pair, took = stalling(1, 3, 3)
    found = judged(monkeypatch, time_pair, short_turns=False)
    assert took == pytest.approx([2.4, 7.2, 7.2], abs=0.1)
    assert found.pairs == 2
    assert found.verdict is Verdict.UNCHANGED
    (note,) = found.notes
    assert note.startswith("stalls come about every 2.4 s: each pair has timed 7.2 s")


def test_stalls_that_every_pair_holds_cost_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    time_pair, took = stalling(4, 3)
    found = judged(monkeypatch, time_pair, short_turns=False)
    assert (len(took), found.pairs, found.verdict) == (2, 2, Verdict.UNCHANGED)
    assert found.notes == ()


@pytest.mark.parametrize("factor", [1.0, 1.3])
def test_stalls_further_apart_than_the_longest_pair_leave_it_in_doubt(
    monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    time_pair, took = stalling(1, 1, *[0] * 20, factor=factor)
    found = judged(monkeypatch, time_pair, short_turns=False)
    assert took[1:] == pytest.approx([7.2] * found.pairs, abs=0.1)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert any("give this check a larger budget" in note for note in found.notes)


def test_a_loss_that_is_proven_needs_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    time_pair, _ = stalling(1, 1, *[0] * 20, factor=0.7)
    found = judged(monkeypatch, time_pair, short_turns=False)
    assert found.verdict is Verdict.REGRESSED


@pytest.mark.parametrize("late", [2, 4, 6, 7])
def test_a_stall_that_shows_late_does_not_make_a_budget_too_small(
    monkeypatch: pytest.MonkeyPatch, late: int
) -> None:
    quiet, took = stalling(*(int(number == late) for number in range(1, 30)))
    factors = itertools.cycle([0.8, 1.25])
    start = time.monotonic()

    def time_pair(pace: Plan) -> tuple[Timing, Timing]:
        candidate, baseline = quiet(pace)
        return scaled(candidate, next(factors)), baseline

    def seconds(pair: float) -> float:
        return 2 * pair + 0.6

    def noise(*_: object, spoiled: bool) -> Noise:
        return Noise(
            seconds=seconds(took[-1]),
            candidate=0.0,
            baseline=0.0,
            steal=0.0,
            pressure={},
            spoiled=spoiled,
        )

    def now() -> float:
        return start + sum(map(seconds, took))

    monkeypatch.setattr(paired, "time", SimpleNamespace(monotonic=now))
    monkeypatch.setattr(interference, "between", noise)
    found = judged(monkeypatch, time_pair, short_turns=False, seconds=60.0)
    assert found.verdict is Verdict.INCONCLUSIVE


# --- whole epochs -------------------------------------------------------------------------------


def epochs(took: list[Plan], epoch_time: float = 5.0, stalls: int = 0) -> TimePair:
    """Pairs of whole epochs, which note the plans that they were measured by."""

    def time_pair(pace: Plan) -> tuple[Timing, Timing]:
        took.append(pace)
        side = trial(
            seconds=5.0,
            epoch_batches=50,
            stalls=stalls,
            segments=(1.0,) * 5,
            steady_segments=(1.0,) * 5,
        )
        side.values["epoch_time"] = 5.0
        other = replace(side, values={**side.values, "epoch_time": epoch_time})
        return other, side

    return time_pair


def test_where_epochs_are_timed_as_a_whole_their_time_is_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    took: list[Plan] = []
    found = judged(
        monkeypatch,
        epochs(took, epoch_time=6.0),
        metrics=frozenset({"throughput", "epoch_time"}),
        epoch_seconds=5.0,
    )
    assert all(pace.whole for pace in took)
    assert found.comparisons["epoch_time"].verdict is Verdict.REGRESSED
    assert found.comparisons["epoch_time"].ratio == pytest.approx(1.2)
    assert found.comparisons["throughput"].verdict is Verdict.UNCHANGED


def test_whole_epochs_have_the_stalls_that_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    took: list[Plan] = []
    found = judged(monkeypatch, epochs(took, stalls=1), epoch_seconds=5.0)
    assert len(took) == found.pairs == 2
    assert found.verdict is Verdict.UNCHANGED
    assert found.notes == ()


def test_an_epoch_that_does_not_fit_has_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    judging = frozenset({"throughput", "epoch_time"})
    found = judged(monkeypatch, lambda _: (trial(), trial()), metrics=judging, epoch_seconds=100.0)
    assert "epoch_time" not in found.comparisons
    assert found.verdict is Verdict.UNCHANGED


def test_whoever_asks_for_the_time_of_an_epoch_that_does_not_fit_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(LoaderError, match=r"a budget hold eight of them.* budget='...'"):
        judged(
            monkeypatch,
            lambda _: (trial(), trial()),
            metrics=frozenset({"epoch_time"}),
            asked=("epoch_time",),
            epoch_seconds=100.0,
        )


@pytest.mark.parametrize(
    ("epoch_batches", "seconds", "coverage"),
    [
        (None, (1.0, 1.0), Coverage(batches=10)),
        (40, (1.0, 1.0), Coverage(batches=10, epoch_batches=40)),
        (40, (1.0, 0.5), Coverage(batches=5, epoch_batches=40)),
    ],
)
def test_findings_say_how_much_of_an_epoch_was_seen(
    monkeypatch: pytest.MonkeyPatch,
    epoch_batches: int | None,
    seconds: tuple[float, float],
    coverage: Coverage,
) -> None:
    candidate, baseline = (trial(seconds=each, epoch_batches=epoch_batches) for each in seconds)
    found = judged(monkeypatch, lambda _: (candidate, baseline))
    assert found.coverage == coverage


def scaled(timing: Timing, factor: float) -> Timing:
    """The same trial with another throughput."""
    values = {**timing.values, "throughput": factor * timing.values["throughput"]}
    parts = tuple({**part, "throughput": factor * part["throughput"]} for part in timing.parts)
    return replace(timing, values=values, parts=parts)


@pytest.mark.parametrize(
    ("seen", "difference"),
    [
        # Batches of 64 and 80 come on both sides, and the first few were all of one size.
        (["int64[*,*]", "int64[*,*]"], ""),
        (["int64[*,*]", "int64[*,80]"], ""),
        (["int64[*,64]", "int64[*,80]"], "batch: int64[*,80] -> int64[*,64]"),
    ],
)
def test_workloads_differ_only_if_many_batches_show_it(
    monkeypatch: pytest.MonkeyPatch, seen: list[str], difference: str
) -> None:
    few, examined = (
        [Workload(batch=each, bytes_per_sample=8.0) for each in batches]
        for batches in (["int64[*,64]", "int64[*,80]"], seen)
    )
    asked = iter(examined)
    monkeypatch.setattr(calibration, "examined", lambda *_: next(asked))
    pair = replace(trial(), workload=few[0]), replace(trial(), workload=few[1])
    found = judged(monkeypatch, lambda _: pair)
    assert found.difference == difference
    assert bool(found.comparisons) is not bool(difference)
    assert not list(asked)  # once for each side, however many pairs there are
