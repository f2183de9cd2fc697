"""A memory trial: how much memory a loader takes, and how its timing trials are to be paced."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ..errors import LoaderError
from ..model.results import MemorySample
from ..model.workload import Workload
from ..protocol.messages import Begin, Contents, Handed, Open, Opened, Probe, Read, RunSlice, Slice
from ..supervisor.arm import Arm
from ..supervisor.trial import Trial, TrialOver
from ..system import cpus, paging, process_tree
from ..system.paging import Paging
from ..system.peak_memory import PeakMemory
from .plan import PAIR_SECONDS, Plan, is_busy, plan, warmup_batches
from .timed_trial import Timing, rates, total

_SAMPLE_SECONDS = 0.02  # between samples of memory
_SURVEY_SECONDS = 1.0  # or as long as an arm is timed in a pair, if a small budget makes that less
# Queues are full when a loader has done next to nothing (as a part of a CPU) for so long.
_IDLE_SECONDS = 0.25
_IDLE = 0.05
_LONGEST_FILL = 15.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What a memory trial tells: how big the loader is, and how to pace its timing trials.

    ``values`` are those of the timed metrics, slowed down by the sampling of memory.
    """

    loader: Handed
    workload: Workload
    peak_memory: float  # bytes
    values: dict[str, float]
    batches: int  # taken in the steady state
    plan: Plan
    asserted: tuple[str, ...]  # metrics that the test compares with a baseline
    used: tuple[str, ...] = ()  # metrics that it looks at, in whatever way
    memory_source: str = ""  # what ``peak_memory`` comes from
    thrashing: str = ""  # what there is to say of a machine that was short of memory
    memory: tuple[MemorySample, ...] = ()


def calibrate(
    arm: Arm, nodeid: str, like: Calibration | None = None, pair_seconds: float = PAIR_SECONDS
) -> Calibration:
    """Measure peak memory in a trial of its own; learn from it how to time this loader.

    With ``like`` the trial takes as many batches as that one did, so that the two compare.
    """
    result = _calibrate(arm, nodeid, like, pair_seconds)
    if result.loader.built_data:
        # A trial that has built test data has spent memory on that: its peak says nothing.
        result = _calibrate(arm, nodeid, like, pair_seconds)
    return result


def paced(
    calibration: Calibration, timings: Sequence[Timing], pair_seconds: float = PAIR_SECONDS
) -> Plan:
    """The plan for a loader that has been timed: looking at memory slowed its calibration down.

    ``timings`` are those of all sides: turns are short where no side waits.
    """
    loader = calibration.loader
    usable = len(cpus.usable_cpus())
    busy = all(is_busy(each.taken, loader.workers, usable) for each in timings)
    return plan(
        timings[0].batch_seconds,
        loader.workers,
        loader.prefetch,
        calibration.plan.epoch_batches,
        pair_seconds,
        start_seconds=calibration.values["first_batch"],
        short_turns=busy,
    )


def contents(arm: Arm, nodeid: str, seconds: float) -> Contents:
    """Which samples an epoch of a loader delivers, if two of them end within so many seconds."""
    with arm.begun(nodeid) as (trial, _):
        return trial.ask(Read(seconds=seconds / 2), Contents)


def watch(arm: Arm, nodeid: str) -> None:
    """Have one more trial show which files it opens until its first batches have come."""
    with arm.begun(nodeid, watched=True) as (trial, loader):
        warmup = warmup_batches(loader.workers, loader.prefetch)
        trial.ask(Open(warmup=warmup, drain=0, epoch_batches=loader.epoch_batches), Opened)


def _calibrate(arm: Arm, nodeid: str, like: Calibration | None, pair_seconds: float) -> Calibration:
    with contextlib.ExitStack() as afterwards, arm.trials():
        trial = arm.trial(nodeid)
        memory = PeakMemory(arm.memory_root, trial.pid)
        afterwards.callback(memory.close)
        return _followed(arm, trial, memory, like, pair_seconds)


def _followed(
    arm: Arm, trial: Trial, memory: PeakMemory, like: Calibration | None, pair_seconds: float
) -> Calibration:
    loader = trial.ask(Begin(watched=like is None), Handed)
    memory.start()  # what setting up has freed does not count
    paged = Paging.of(trial.pid)
    warmup = warmup_batches(loader.workers, loader.prefetch)
    drain = loader.workers * loader.prefetch
    epoch_batches = like.plan.epoch_batches if like else loader.epoch_batches
    with memory.followed(_SAMPLE_SECONDS):
        opened = trial.ask(Open(warmup=warmup, drain=drain, epoch_batches=epoch_batches), Opened)
        pace_after = partial(_plan_after, loader, opened, pair_seconds)
        began, used = time.monotonic(), cpus.cpu_seconds(os.getpid())
        long_enough = min(_SURVEY_SECONDS, pair_seconds)
        taken = Slice(
            stretches=[], samples=0, batches=0, cpu_seconds=0.0, epoch_batches=opened.epoch_batches
        )
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
    paged_at_end = Paging.of(trial.pid)
    trial.send(Probe())
    finished = trial.finished()
    if finished.misused:
        raise TrialOver(finished, arm.version)
    return Calibration(
        loader=loader,
        workload=opened.workload,
        peak_memory=float(memory.peak),
        values={**rates(taken, taken.batches), "first_batch": opened.first_batch},
        batches=taken.batches,
        plan=pace_after(taken, busy=is_busy(taken, loader.workers, usable)),
        asserted=tuple(finished.asserted),
        used=tuple(finished.used),
        memory_source=memory.source,
        thrashing=paging.note(paged, paged_at_end),
        memory=tuple(memory.samples),
    )


def _plan_after(
    loader: Handed, opened: Opened, pair_seconds: float, taken: Slice, *, busy: bool = False
) -> Plan:
    """How to time a loader of which so many batches have been taken."""
    return plan(
        taken.seconds / taken.batches if taken.batches else 1.0,
        loader.workers,
        loader.prefetch,
        taken.epoch_batches,
        pair_seconds,
        start_seconds=opened.first_batch,
        short_turns=busy,
    )


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
