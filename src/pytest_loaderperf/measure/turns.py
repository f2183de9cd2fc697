"""Two trials take turns; whoever has none is suspended, with all of its workers.

A machine that others use is now faster, now slower, for tenths of a second at a time: the shorter
the turns, the more alike it is to both. But a trial that is suspended while it waits for a disk or
a network finds its data there when it goes on, and has waited for nothing. So a loader that waits
for most of its batches is never suspended: each side has the machine to itself, one after the
other. One that keeps its CPUs busy is suspended whenever its turn is over, unless it waits just
then.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..supervisor.arm import Arm
from ..system import cpus
from .plan import Plan
from .timed_trial import TimedTrial, Timing

# Shorter turns are fairer still, and cost more: after each a process finds its caches full of the
# other's data, and the more threads take part in one, the later all of them are at work again. One
# thread each shares a CPU with the other one, whose speed may change several times a second.
_TURN_SECONDS = 0.1
_TURN_SECONDS_OF_ONE_THREAD = 0.02


def time_alone(arm: Arm, nodeid: str, pace: Plan, stacks: str = "") -> Timing:
    """Time a trial that is never suspended, with nothing beside it."""
    with arm.trials():
        timed = TimedTrial(arm, nodeid, pace, stacks)
        timed.set_up()
        timed.open()
        timed.run()
        timed.end()
    return timed.result()


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a pair: what to run where, and how.

    In the folder ``stacks``, if there is one, its processes write down where they are.
    """

    arm: Arm
    nodeid: str
    pace: Plan
    stacks: str = ""


def are_in_turns(sides: Iterable[Side]) -> bool:
    """Whether the sides of a pair take turns, and do not follow one another."""
    return all(side.pace.short_turns for side in sides)


def time_pair(candidate: Side, baseline: Side, *, candidate_first: bool) -> tuple[Timing, Timing]:
    """Time one trial of each side, in turns or one after the other: a pair."""
    sides = (candidate, baseline) if candidate_first else (baseline, candidate)
    if are_in_turns(sides):
        results = _in_turns(sides)
    else:
        results = [time_alone(s.arm, s.nodeid, s.pace, s.stacks) for s in sides]
    return (results[0], results[1]) if candidate_first else (results[1], results[0])


def _in_turns(sides: tuple[Side, Side]) -> list[Timing]:
    with sides[0].arm.trials(), sides[1].arm.trials():
        trials = open_suspended(sides)
        first, second = random.sample(trials, 2)
        take_turns(first, second, min(side.pace.timed_slices for side in sides))
        for trial in trials:
            trial.end()
    return [trial.result() for trial in trials]


def open_suspended(sides: Iterable[Side]) -> list[TimedTrial]:
    """A trial of each side, ready to take turns.

    Their tests are set up at the same time, which nobody measures. Their first batches are: they
    are opened one after the other.
    """
    trials = [TimedTrial(side.arm, side.nodeid, side.pace, side.stacks) for side in sides]
    for trial in trials:
        trial.set_up()
    for trial in trials:
        trial.open()
        trial.suspend()
    share_cpu(trials)
    return trials


def share_cpu(trials: Sequence[TimedTrial]) -> None:
    """Have two trials that each use one CPU at a time use the same one.

    A process stays where it is while it can, and one virtual CPU may get more than another.
    """
    if all(trial.has_one_thread for trial in trials):
        cpu = random.choice(cpus.usable_cpus())  # noqa: S311  (no secret)
        for trial in trials:
            trial.pin(cpu)


def take_turns(first: TimedTrial, second: TimedTrial, slices: int) -> None:
    """Let each run so many slices, a slice of each at the same time.

    The order of every two turns is drawn: what comes and goes as regularly as they do, such as
    the periods in which a container gets its share of the CPUs, must not hit one side alone.
    """
    one_thread = first.has_one_thread and second.has_one_thread
    seconds = _TURN_SECONDS_OF_ONE_THREAD if one_thread else _TURN_SECONDS
    for _ in range(slices):
        running = [first, second]
        for trial in running:
            trial.begin_slice()
        while running:
            for trial in random.sample(running, len(running)):
                if trial.take_turn(seconds):
                    running.remove(trial)
