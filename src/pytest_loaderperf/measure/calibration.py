"""A memory trial: how much memory a loader takes, and how its timing trials are to be paced."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from ..errors import LoaderError
from ..model.results import MemorySample
from ..model.workload import Delivered, Workload
from ..protocol.messages import (
    Begin,
    Deliver,
    Deliveries,
    EpochEnd,
    Examine,
    Examined,
    Finish,
    Handed,
    Open,
    Opened,
    Pass,
    Passed,
    Probe,
    RunSlice,
    Slice,
)
from ..supervisor.arm import Arm
from ..supervisor.trial import Trial, TrialOver
from ..system import cpus, paging, process_tree
from ..system.paging import Paging
from ..system.peak_memory import PeakMemory
from .plan import Lengths, Plan, epoch_at_most, is_busy, plan, warmup_batches
from .timed_trial import Timing, rates, total

_SAMPLE_SECONDS = 0.02  # between samples of memory
_SURVEY_SECONDS = 1.0  # or as long as an arm is timed in a pair, if a small budget makes that less
# Queues are full when a loader has done next to nothing (as a part of a CPU) for so long.
_IDLE_SECONDS = 0.25
_IDLE = 0.05
_LONGEST_FILL = 15.0  # seconds
# An epoch of known length is read to its end if it takes no more than so many times what fits:
# memory is sampled meanwhile, and its first second may have been a slow one.
_READ = 1.5
_UNKNOWN = 2  # times what a pair times of each side, for epochs that may never end
# A peak that the rest of an epoch raises by no more than this has come early.
_EARLY = 1.01


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What a memory trial tells: how big the loader is, and how to pace its timing trials.

    ``values`` are those of the timed metrics, slowed down by the sampling of memory.
    ``early_peak`` is the peak, in bytes, before the trial went on to the end of its epoch.
    """

    loader: Handed
    workload: Workload
    peak_memory: float  # bytes
    early_peak: float = 0.0
    values: dict[str, float]
    batches: int  # taken in the steady state
    plan: Plan
    epoch_seconds: float = math.inf  # that an epoch takes, if it ended in time
    asserted: tuple[str, ...]  # metrics that the test compares with a baseline
    used: tuple[str, ...] = ()  # metrics that it looks at, in whatever way
    memory_source: str = ""  # what ``peak_memory`` comes from
    pace: float = math.inf  # batches/s in the first second of an epoch
    thrashing: str = ""  # what there is to say of a machine that was short of memory
    memory: tuple[MemorySample, ...] = ()

    @property
    def peaks_early(self) -> bool:
        """Whether the rest of an epoch takes no more memory than its beginning."""
        return self.peak_memory <= _EARLY * self.early_peak


def calibrate(
    arm: Arm,
    nodeid: str,
    lengths: Lengths,
    like: Calibration | None = None,
    asked: Begin | None = None,
) -> Calibration:
    """Measure peak memory in a trial of its own; learn from it how to time this loader.

    It goes on to the end of an epoch, where that fits. With ``like`` the trial takes as many
    batches as that one did, and goes as far, so that the two compare. If it is ``asked`` to write
    something down meanwhile, its peak is none of the loader.
    """
    begin = asked or Begin(watched=like is None)
    result = _calibrate(arm, nodeid, lengths, like, begin)
    if result.loader.built_data and not asked:
        # A trial that has built test data has spent memory on that: its peak says nothing.
        result = _calibrate(arm, nodeid, lengths, like, begin)
    return result


def early(calibration: Calibration) -> Calibration:
    """What a trial is to be like that ends where the rest of an epoch would begin."""
    return replace(calibration, epoch_seconds=math.inf)


def paced(
    calibration: Calibration,
    timings: Sequence[Timing],
    lengths: Lengths,
    other: Calibration | None = None,
) -> Plan:
    """The plan for a loader that has been timed: looking at memory slowed its calibration down.

    ``timings`` are those of all sides, its own first: turns are short where no side waits.
    ``other`` is the calibration of the other side, where that is another loader.
    """
    loader = calibration.loader
    usable = len(cpus.usable_cpus())
    hands = loader.hands, (other or calibration).loader.hands
    busy = all(is_busy(each.taken, n, usable) for each, n in zip(timings, hands, strict=False))
    if calibration.plan.whole and calibration.plan.whole.epochs > 1:
        busy = calibration.plan.short_turns  # starts take a large part of short epochs
    return plan(
        timings[0].batch_seconds,
        loader.workers,
        loader.prefetch,
        calibration.plan.epoch_batches,
        lengths,
        start_seconds=calibration.values["first_batch"],
        epoch_seconds=calibration.epoch_seconds,
        short_turns=busy,
    )


def deliveries(arm: Arm, nodeid: str, seconds: float, *, alone: bool = False) -> list[Delivered]:
    """What each rank delivers in epochs that may take so many seconds each.

    ``alone``: without workers, where the loader can do that.
    """
    with arm.begun(nodeid) as (trial, _):
        return trial.ask(Deliver(seconds=seconds, alone=alone), Deliveries).ranks


def examined(arm: Arm, nodeid: str, seconds: float) -> Workload:
    """What many batches of a loader are like, of as many epochs as so many seconds hold."""
    with arm.begun(nodeid) as (trial, _):
        return trial.ask(Examine(seconds=seconds), Examined).workload


def watch(arm: Arm, nodeid: str) -> None:
    """Have one more trial show which files it opens until its first batches have come."""
    with arm.begun(nodeid, watched=True) as (trial, loader):
        warmup = warmup_batches(loader.workers, loader.prefetch)
        trial.ask(Open(warmup=warmup, drain=0, epoch_batches=loader.epoch_batches), Opened)


def go_through(arm: Arm, nodeid: str, seconds: float) -> bool:
    """Have one more trial take two epochs, and come to the end of its test, for whoever watches.

    Whether it did: an epoch may take so many seconds.
    """
    with arm.trials():
        trial = arm.trial(nodeid)
        loader = trial.ask(Begin(), Handed)
        if loader.endless:
            return False
        trial.ask(Open(warmup=0, drain=0, epoch_batches=loader.epoch_batches), Opened)
        if not trial.ask(Pass(seconds=seconds), Passed).arrivals:
            return False
        trial.send(Probe())
        return all(report["outcome"] != "failed" for report in trial.finished().reports)


def _calibrate(
    arm: Arm, nodeid: str, lengths: Lengths, like: Calibration | None, begin: Begin
) -> Calibration:
    with contextlib.ExitStack() as afterwards, arm.trials():
        trial = arm.trial(nodeid)
        memory = PeakMemory(arm.pid, trial.pid)
        afterwards.callback(memory.close)
        return _followed(arm, trial, memory, lengths, like, begin)


def _followed(
    arm: Arm,
    trial: Trial,
    memory: PeakMemory,
    lengths: Lengths,
    like: Calibration | None,
    begin: Begin,
) -> Calibration:
    loader = trial.ask(begin, Handed)
    memory.start()  # what setting up has freed does not count
    paged = Paging.of(trial.pid)
    warmup = warmup_batches(loader.workers, loader.prefetch)
    drain = loader.workers * loader.prefetch
    epoch_batches = like.plan.epoch_batches if like else loader.epoch_batches
    with memory.followed(_SAMPLE_SECONDS):
        opened = trial.ask(Open(warmup=warmup, drain=drain, epoch_batches=epoch_batches), Opened)
        pace_after = partial(_plan_after, loader, opened, lengths)
        began, used = time.monotonic(), cpus.cpu_seconds(os.getpid())
        long_enough = min(_SURVEY_SECONDS, lengths.pair)
        taken = Slice(epoch_batches=opened.epoch_batches)
        while not _enough(taken, warmup, long_enough, like):
            step = _next_step(pace_after(taken), taken, loader.workers, like)
            taken = total([taken, trial.ask(step, Slice)])
            if taken.batches and not taken.seconds > 0:
                raise LoaderError(
                    f"{taken.batches} batches took {taken.seconds:g} s by time.perf_counter(), "
                    "which something in the test's process has replaced or stopped"
                )
        # Samples of memory take CPU time, and so does another arm that is just importing its tests.
        others = cpus.cpu_seconds(os.getpid()) - used - taken.cpu_seconds
        usable = len(cpus.usable_cpus()) - others / (time.monotonic() - began)
    _let_queues_fill(trial.pid, memory, 2 * max(warmup, drain) * taken.seconds / taken.batches)
    epoch_seconds = like.epoch_seconds if like else math.inf
    early_peak = peak = memory.peak
    if like.epoch_seconds < math.inf if like else not loader.endless:
        with memory.followed(_SAMPLE_SECONDS):
            longest = epoch_at_most(like.epoch_seconds) if like else lengths.epoch
            unknown = longest if like else min(longest, _UNKNOWN * lengths.pair)
            end = _epoch_end(trial, opened, taken, longest, unknown)
        if end.batches:  # else it may have gone further than others will
            peak = memory.peak
        if like is None and end.batches:
            taken = replace(taken, epoch_batches=end.batches)
            # Queues were full when it went on: their batches came for nothing.
            by_pace = opened.first_batch + end.batches * taken.seconds / taken.batches
            epoch_seconds = max(end.seconds, by_pace)
    pace_after = partial(pace_after, epoch_seconds=epoch_seconds)
    paged_at_end = Paging.of(trial.pid)
    trial.send(Probe())
    finished = trial.finished()
    if finished.misused:
        raise TrialOver(finished, arm.version)
    return Calibration(
        loader=loader,
        workload=opened.workload,
        peak_memory=float(peak),
        early_peak=float(early_peak),
        values={**rates(taken, taken.batches), "first_batch": opened.first_batch},
        batches=taken.batches,
        plan=pace_after(taken, busy=is_busy(taken, loader.hands, usable)),
        epoch_seconds=epoch_seconds,
        asserted=tuple(finished.asserted),
        used=tuple(finished.used),
        pace=taken.batches / taken.seconds,
        memory_source=memory.source,
        thrashing=paging.note(paged, paged_at_end),
        memory=tuple(memory.samples),
    )


def _plan_after(
    loader: Handed,
    opened: Opened,
    lengths: Lengths,
    taken: Slice,
    *,
    busy: bool = False,
    epoch_seconds: float = math.inf,
) -> Plan:
    """How to time a loader of which so many batches have been taken."""
    return plan(
        taken.seconds / taken.batches if taken.batches else 1.0,
        loader.workers,
        loader.prefetch,
        taken.epoch_batches,
        lengths,
        start_seconds=opened.first_batch,
        epoch_seconds=epoch_seconds,
        short_turns=busy,
    )


def _epoch_end(
    trial: Trial, opened: Opened, taken: Slice, longest: float, unknown: float
) -> EpochEnd:
    """Have a trial go on to the end of its epoch, unless that seems to take too long.

    ``unknown`` is how long one may take of which nobody knows how many batches it has.
    """
    if taken.epoch_batches is None:
        return trial.ask(Finish(seconds=unknown), EpochEnd)
    batch = taken.seconds / taken.batches
    if opened.first_batch + taken.epoch_batches * batch > _READ * longest:
        return EpochEnd(batches=None, seconds=0.0)
    return trial.ask(Finish(seconds=_READ * longest), EpochEnd)


def _next_step(pace: Plan, taken: Slice, workers: int, like: Calibration | None) -> RunSlice:
    """As many batches or whole epochs again as have been taken, up to a slice.

    Steps grow: the first batches may come out of a queue, and say little of the pace.
    """
    left = sys.maxsize if like is None else like.batches - taken.batches
    batches = min(max(workers, min(pace.batches, taken.batches), 1), left)
    epochs = max(1, min(taken.batches, left) // (pace.epoch_batches or 1))
    return RunSlice(batches=batches, epochs=min(pace.epochs, epochs))


def _let_queues_fill(pid: int, memory: PeakMemory, longest: float) -> None:
    """Wait while a loader works ahead, as it does during a training step: then its peak comes.

    How full its queues are at other times is chance.
    """
    with memory.followed(_SAMPLE_SECONDS):
        rest(pid, min(max(longest, _IDLE_SECONDS), _LONGEST_FILL))
    for _ in range(2):
        memory.sample()


def rest(pid: int, longest: float) -> None:
    """Wait until a loader does next to nothing, so many seconds at most.

    One thread that is waiting for the next message works on nothing.
    """
    if process_tree.has_one_thread(pid):
        return
    end = time.monotonic() + longest
    idle_since, used = time.monotonic(), cpus.cpu_seconds(pid)
    while (now := time.monotonic()) < end and now - idle_since < _IDLE_SECONDS:
        time.sleep(_SAMPLE_SECONDS)
        used_now = cpus.cpu_seconds(pid)
        if used_now - used > _IDLE * (time.monotonic() - now):
            idle_since = time.monotonic()
        used = used_now


def _enough(taken: Slice, batches: int, seconds: float, like: Calibration | None) -> bool:
    if like is not None:
        return taken.batches >= like.batches
    return taken.batches >= batches and taken.seconds >= seconds
