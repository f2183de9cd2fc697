"""What a timing trial makes of its slices: turns by a fake clock, slices whose times are given."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.errors import LoaderError
from pytest_loaderperf.measure.plan import Plan, Whole
from pytest_loaderperf.measure.timed_trial import TimedTrial, Timing, awake, rates, total
from pytest_loaderperf.measure.waits import Clock
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.protocol.messages import (
    Begin,
    Handed,
    Message,
    Open,
    Opened,
    RunSlice,
    Slice,
)
from pytest_loaderperf.system import cpus, process_tree

Times = list[tuple[float, float]]
STEADY = Plan(warmup=2, drain=0, batches=10, slices=4)


@st.composite
def periods(draw: st.DrawFn) -> Times:
    """Some periods of time, one after the other."""
    lengths = draw(st.lists(st.integers(1, 50), max_size=16))
    ends, now = [], 0
    for length in lengths:
        now += length
        ends.append(now)
    return [(float(a), float(b)) for a, b in zip(ends[::2], ends[1::2], strict=False)]


def taken(stretches: Times, **what: Any) -> Slice:
    given: dict[str, Any] = {"samples": 80, "batches": 10, "cpu_seconds": 1.0}
    return Slice(stretches=stretches, epoch_batches=None, **{**given, **what})


@given(periods().filter(bool), periods())
@settings(deadline=None)
def test_a_slice_lasts_as_long_as_its_trial_was_awake_in_it(
    stretches: Times, frozen: Times
) -> None:
    def inside(second: int, times: Times) -> bool:
        return any(began <= second < ended for began, ended in times)

    arrivals = [[began, ended] for began, ended in stretches]
    left = awake(taken(stretches, arrivals=arrivals, steady=stretches), Clock(frozen))
    for (began, ended), stretch, came, steady in zip(
        stretches, left.stretches, left.arrivals, left.steady, strict=True
    ):
        seconds = sum(not inside(at, frozen) for at in range(int(began), int(ended)))
        assert stretch[1] - stretch[0] == pytest.approx(seconds)
        assert (*came,) == steady == stretch
    everything = sum(inside(at, stretches) and not inside(at, frozen) for at in range(1000))
    assert left.seconds == pytest.approx(everything)


# --- turns --------------------------------------------------------------------------------------


class Asked:
    """A trial that runs its slice for ``work`` seconds, by a clock that waiting sets forward.

    It uses so much of a CPU (``load``), but for times, of its own, in which it ``waits``. From
    ``renewed`` on other processes do the work. It takes ``stopping`` seconds to stop, in the first
    of which it works still.
    """

    pid = 0

    def __init__(
        self,
        work: float,
        waits: Times | None = None,
        load: float = 1.0,
        renewed: float = math.inf,
        stopping: Times | None = None,
    ) -> None:
        self.now = self.ran = self.used = self.after = 0.0
        self.work, self.waits, self.load, self.began = work, waits or [], load, -1.0
        self.renewed = renewed
        self.stopping = stopping or [(0.0, 0.0)]
        self.running = False
        self.looked = 0

    def answer(self, expected: type[Message]) -> Message:
        assert expected is Handed
        return handed()

    def ask(self, message: object, expected: type[Message]) -> Message:
        assert self.running
        return opened()

    def send(self, message: object) -> None:
        if message != Begin(timed=True):
            assert isinstance(message, RunSlice)
            self.began = self.now

    def suspend(self) -> float:
        if self.running and self.began >= 0 and self.ran < self.work:
            works, stops = self.stopping[0]
            self.used += self.load * works
            self.now += stops
            self.ran += works
        self.running = False
        return self.now

    def resume(self) -> None:
        self.running = True

    def wait(self, seconds: float) -> bool:
        assert self.running
        step = min(seconds, self.work - self.ran)
        idle = sum(
            max(0.0, min(self.ran + step, end) - max(self.ran, start)) for start, end in self.waits
        )
        self.now += step
        self.ran += step
        self.used += self.load * (step - idle)
        if self.ran > self.renewed:
            self.after += self.load * (step - idle)
        return self.ran >= self.work

    def used_by(self, process: int) -> float:
        """Of the processes 1, and 2 that comes later."""
        return self.after if process == 2 else self.used - self.after

    def processes(self) -> list[int]:
        """Whoever looks for them takes CPU time of those that run."""
        self.looked += self.running
        return [1] if self.ran <= self.renewed else [1, 2]

    def poll(self, expected: type[Slice], seconds: float) -> Slice | None:
        assert not self.running
        assert not seconds
        if self.ran < self.work:
            return None
        return taken([(self.began, self.now)], arrivals=[[self.now]])


def handed(workers: int = 0) -> Handed:
    return Handed(
        kind="fake",
        workers=workers,
        prefetch=0,
        epoch_batches=None,
        samples_per_epoch=None,
        built_data=False,
    )


def opened() -> Opened:
    workload = Workload(batch="int", bytes_per_sample=8.0)
    return Opened(first_batch=0.5, workload=workload, epoch_batches=None)


def timed_trial(asked: Any, pace: Plan = STEADY) -> TimedTrial:
    arm: Any = SimpleNamespace(trial=lambda _: asked)
    trial = TimedTrial(arm, "test", pace)
    trial.set_up()
    trial.open()
    return trial


@pytest.fixture(autouse=True)
def _a_quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else uses its CPUs: trials of no length would have had any load beside them."""
    nothing = cpus.MachineSeconds(0.0, 0.0)
    monkeypatch.setattr(cpus, "machine_seconds", lambda _: nothing)


TimedBy = Callable[[Asked], TimedTrial]


@pytest.fixture
def turning(monkeypatch: pytest.MonkeyPatch) -> TimedBy:
    """A trial by its own clock and its own use of CPUs, which has begun its slice."""

    def begun(asked: Asked) -> TimedTrial:
        monkeypatch.setattr("time.perf_counter", lambda: asked.now)
        monkeypatch.setattr(cpus, "cpu_seconds", lambda _: asked.used)
        monkeypatch.setattr(cpus, "cpu_seconds_of", asked.used_by)
        monkeypatch.setattr(process_tree, "tree", lambda _: asked.processes())
        trial = timed_trial(asked)
        trial.suspend()
        trial.begin_slice()
        return trial

    return begun


def test_turns_add_up_and_what_lies_between_them_does_not(turning: TimedBy) -> None:
    asked = Asked(work=30.0)
    trial = turning(asked)
    ended: list[bool] = []
    while not any(ended):
        ended.append(trial.take_turn(4.0))
        asked.now += 6.0  # frozen
    # 30 s of its own, in turns of 4 s: seven whole ones and half of the last.
    assert ended == [False] * 7 + [True]
    assert trial.result().taken.seconds == pytest.approx(30.0)


GLANCE = 0.011


@pytest.mark.parametrize(
    ("waits", "seconds"),
    [
        ([], 4.0),
        ([(1.0, 3.0)], 4.0),  # it works again when its turn is over
        ([(3.5, 6.0)], 6.0),
        ([(3.993, 4.5), (4.52, 5.0)], 4.5),
        ([(3.5, 99.0)], 30.0),
    ],
)
def test_a_turn_ends_when_its_trial_does_not_wait(
    turning: TimedBy, waits: Times, seconds: float
) -> None:
    asked = Asked(work=100.0, waits=waits)
    assert not turning(asked).take_turn(4.0)
    assert seconds - 1e-9 <= asked.ran <= seconds + GLANCE
    assert not asked.running


@pytest.mark.parametrize(("works", "stops"), [(0.0, 0.2), (0.1, 0.2), (0.2, 0.2)])
def test_the_time_that_a_trial_takes_to_stop_counts_as_far_as_it_works(
    turning: TimedBy, works: float, stops: float
) -> None:
    asked = Asked(work=30.0, stopping=[(works, stops)])
    trial = turning(asked)
    while not trial.take_turn(4.0):
        asked.now += 6.0
    assert trial.result().taken.seconds == pytest.approx(30.0, rel=0.002)


def test_processes_are_not_looked_for_while_a_trial_works(turning: TimedBy) -> None:
    asked = Asked(work=100.0)
    trial = turning(asked)
    for _ in range(5):
        trial.take_turn(4.0)
    assert asked.looked == 0


def test_processes_that_come_within_a_turn_are_found_at_work(turning: TimedBy) -> None:
    asked = Asked(work=100.0, renewed=2.0)
    assert not turning(asked).take_turn(4.0)
    assert asked.ran == pytest.approx(4.0, abs=2 * GLANCE)


def test_a_slice_that_ends_while_its_trial_waits_ends_the_turn(turning: TimedBy) -> None:
    asked = Asked(work=5.0, waits=[(3.5, 99.0)])
    assert turning(asked).take_turn(4.0)
    assert asked.ran == pytest.approx(5.0)


def test_a_slice_that_ends_early_ends_the_turn(turning: TimedBy) -> None:
    asked = Asked(work=1.5)
    assert turning(asked).take_turn(4.0)
    assert asked.ran == 1.5


def test_a_trial_that_always_used_little_is_not_taken_to_wait(turning: TimedBy) -> None:
    asked = Asked(work=200.0, load=0.3)
    trial = turning(asked)
    trial.take_turn(4.0)  # it could use more, as far as anybody knows
    before = asked.ran
    trial.take_turn(4.0)
    assert asked.ran - before == pytest.approx(4.0, abs=GLANCE)


# --- slices -------------------------------------------------------------------------------------


class Answering:
    """A trial that has these slices to give, and notes what it was asked to do."""

    pid = 0

    def __init__(self, slices: Sequence[Slice]) -> None:
        self.slices: Iterator[Slice] = iter(slices)
        self.opening: Message | None = None
        self.steps: list[RunSlice] = []

    def ask(self, message: Message, expected: type[Message]) -> Message:
        assert isinstance(message, Open)
        self.opening = message
        return opened()

    def send(self, message: Message) -> None:
        if message != Begin(timed=True):
            assert isinstance(message, RunSlice)
            self.steps.append(message)

    def suspend(self) -> float:
        return 0.0

    def resume(self) -> None:
        pass

    def answer(
        self, expected: type[Message], *, meanwhile: Callable[[], None] = lambda: None
    ) -> Message:
        if expected is Handed:
            return handed()
        meanwhile()
        return next(self.slices)


def timed(pace: Plan, *slices: Slice) -> Timing:
    """What comes of a trial that has given these slices."""
    trial = timed_trial(Answering(slices), pace)
    trial.run()
    return trial.result()


def whole(slices: int = 1, epochs: int = 1, skip: int = 3) -> Plan:
    return Plan(
        warmup=2,
        drain=0,
        batches=10,
        slices=4,
        short_turns=True,
        whole=Whole(epochs=epochs, slices=slices, skip=skip),
        stride=5,
    )


def waiting(slices: int) -> Plan:
    return Plan(warmup=2, drain=0, batches=10, slices=slices, stride=5)


def epoch(began: float, *waits: float, after: float = 0.0, skip: int = 3) -> Slice:
    """An epoch whose batches, of 8 samples, come after these waits; its end takes ``after``."""
    *came, last = accumulate(waits, initial=began)
    arrivals = [*came[1:], last]
    steady = [(arrivals[skip - 1], last)] if 0 < skip < len(waits) else []
    return taken(
        [(began, last + after)],
        samples=8 * len(waits),
        batches=len(waits),
        arrivals=[arrivals],
        steady=steady,
        steady_samples=8 * (len(waits) - skip) if steady else 0,
    )


def stretch(began: float, *waits: float) -> Slice:
    """A stretch of a steady state, whose batches come after these waits."""
    return epoch(began, *waits, skip=0)


def test_a_trial_that_is_never_suspended_times_its_slices_in_one_go() -> None:
    asked = Answering([stretch(0.0, 1.0)] * 3)
    timed_trial(asked, waiting(450)).run()
    assert asked.steps == [RunSlice(batches=n, stride=5) for n in (2000, 2000, 500)]


def test_whole_epochs_give_a_sign_of_life_after_each_slice() -> None:
    asked = Answering([epoch(0.0, 1.0)] * 3)
    timed_trial(asked, whole(slices=3, epochs=2)).run()
    assert asked.steps == [RunSlice(batches=0, epochs=2, skip=3, stride=5)] * 3
    assert isinstance(asked.opening, Open)
    assert not asked.opening.follow


@pytest.mark.parametrize(("seconds", "paused"), [(0.4, False), (1.6, True)])
def test_epochs_that_end_before_anybody_looks_are_no_pause(
    monkeypatch: pytest.MonkeyPatch, seconds: float, paused: bool
) -> None:
    now = 0.0

    class Prompt(Answering):
        def answer(self, expected: type[Message], **_: object) -> Message:
            nonlocal now
            now += seconds if expected is Slice else 0.0
            return super().answer(expected)

    monkeypatch.setattr("time.perf_counter", lambda: now)
    trial = timed_trial(Prompt([epoch(0.0, 1.0)] * 8), whole(slices=8))
    trial.run()
    assert trial.result().paused is paused


def test_the_time_of_an_epoch_is_the_mean_of_all_from_start_to_end() -> None:
    first = epoch(0.0, 5.0, 1.0, 1.0, 1.0, after=2.0)
    second = epoch(100.0, 7.0, 1.0, 1.0, 1.0, after=2.0)
    assert timed(whole(2), first, second).values["epoch_time"] == 11.0
    assert timed(whole(1, epochs=2), total([first, second])).values["epoch_time"] == 11.0


def test_a_steady_state_has_no_time_of_an_epoch() -> None:
    assert "epoch_time" not in timed(waiting(1), stretch(0.0, 1.0, 1.0)).values


def test_of_two_epochs_the_first_one_is_told_apart() -> None:
    first, second = epoch(0.0, *[0.5] * 20), epoch(100.0, *[1.0] * 20)
    both = timed(whole(2), first, second)
    assert both.first_epoch == timed(whole(1), first)
    assert timed(whole(3), first, second, first).first_epoch is None
    assert timed(whole(1, epochs=2), total([first, second])).first_epoch is None


def test_throughput_is_that_of_the_steady_state_of_whole_epochs() -> None:
    values = timed(whole(), epoch(0.0, 50.0, 3.0, 3.0, *[0.5] * 20, after=9.0)).values
    assert values["throughput"] == pytest.approx(8 / 0.5)


def test_without_a_steady_state_throughput_is_that_of_whole_epochs() -> None:
    values = timed(whole(skip=0), epoch(0.0, 6.0, 1.0, 1.0, after=2.0, skip=0)).values
    assert values["throughput"] == pytest.approx(24 / 10.0)


def test_an_epoch_without_the_steady_state_that_others_have_is_no_bug() -> None:
    long, short = epoch(0.0, *[0.5] * 20), epoch(100.0, 0.5, 0.5)
    with contextlib.suppress(LoaderError):
        assert timed(whole(2), long, short).values["throughput"] == pytest.approx(16.0)


BURST = [0.97, *[0.001] * 30]  # batches, in a second


@pytest.mark.parametrize("ahead", [0, 1, 20, 30])
@pytest.mark.parametrize("behind", [1, 2, 20, 31])
def test_of_a_loader_that_waits_whole_bursts_count(ahead: int, behind: int) -> None:
    waits = [*[0.001] * ahead, *BURST * 6, *BURST[:behind]]
    values = timed(waiting(1), stretch(0.0, *waits)).values
    assert values["throughput"] == pytest.approx(8 * 31, rel=0.01)


def test_of_a_loader_that_works_all_batches_count() -> None:
    pace = Plan(warmup=2, drain=0, batches=10, slices=1, short_turns=True)
    waits = [*[0.001] * 20, *BURST * 6]
    values = timed(pace, stretch(0.0, *waits)).values
    assert values["throughput"] == pytest.approx(8 * len(waits) / sum(waits))


def test_what_is_lost_in_stalls_is_told() -> None:
    waits = [0.01] * 500
    waits[100] = waits[300] = 0.51
    timing = timed(waiting(1), stretch(0.0, *waits))
    assert timing.waits.stalls == 2
    assert timing.values["stalled"] == pytest.approx(1.0 / 6.0)
    assert timing.values["wait_p99"] == pytest.approx(0.01)


def test_the_first_batch_of_an_epoch_is_no_stall() -> None:
    start_and_steady = [0.51, *[0.01] * 100]
    assert timed(whole(), epoch(0.0, *start_and_steady)).values["stalled"] == 0
    assert timed(waiting(1), stretch(0.0, *start_and_steady)).values["stalled"] > 0


@pytest.mark.parametrize(
    ("pace", "parts", "segments"),
    [(whole(4), 0, 16), (waiting(4), 0, 4), (Plan(**{**vars(STEADY), "short_turns": True}), 2, 0)],
    ids=["whole epochs", "waiting", "in turns"],
)
def test_epochs_and_loaders_that_wait_are_compared_by_position(
    pace: Plan, parts: int, segments: int
) -> None:
    each = [epoch(100.0 * n, *[1.0] * 10) for n in range(4)]
    slices = each if pace.whole or pace.short_turns else [total(each)]
    trial = timed_trial(Answering(slices), pace)
    for one in slices:
        trial._ended(one)
    timing = trial.result()
    assert (len(timing.parts), len(timing.segments)) == (parts, segments)


def test_an_epoch_that_was_too_short_to_time_is_told() -> None:
    nothing = Slice(stretches=[], samples=0, batches=0, cpu_seconds=0.0, epoch_batches=3)
    with pytest.raises(LoaderError, match="an epoch ended after 3 batches"):
        timed(waiting(1), nothing)


def test_rates_of_several_slices_are_those_of_all_their_time() -> None:
    both = total([taken([(0.0, 1.0)]), taken([(5.0, 6.0), (7.0, 9.0)])])
    assert both.seconds == 4.0
    assert rates(both, made=20.0) == {"throughput": 40.0, "cpu_time": 2.0 / 160}
    assert rates(both, made=10.0)["throughput"] == 20.0
