"""Trials of whole epochs, and of loops with a training step: what batches alone do not show."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import LoaderError
from ..protocol.messages import Open, Opened, Pass, Passed, Step, Stepped
from ..supervisor.arm import Arm
from .plan import Plan

_LONGEST = 30.0  # seconds that an epoch may take
_LEAST = 1e-3  # seconds: what is less cannot be told from nothing


def overhead(arm: Arm, nodeid: str, plan: Plan) -> float:
    """The overhead of an epoch in one more trial, in seconds.

    LoaderError where the loader has no epochs, or only long ones.
    """
    with arm.begun(nodeid) as (trial, _):
        passed = trial.ask(Pass(seconds=_LONGEST), Passed)
    if not passed.arrivals:
        raise LoaderError(
            f"epoch_overhead cannot be told: an epoch takes more than {_LONGEST:g} s, or never "
            "ends. Give this check a loader with shorter epochs, or leave the metric out"
        )
    return max(_LEAST, beyond(passed.arrivals, passed.ended, plan.warmup + 1, plan.drain))


def beyond(arrivals: Sequence[float], ended: float, warmup: int, drain: int) -> float:
    """What an epoch took that its batches did not, by the pace of its steady state.

    ``arrivals`` say when each batch was there, and ``ended`` when all was over, in seconds since
    the start. The steady state begins after ``warmup`` batches and ends ``drain`` before the last.
    An epoch without one has the pace of all of its batches.
    """
    first, last = warmup - 1, len(arrivals) - drain - 1
    if last <= first:
        first, last = 0, len(arrivals) - 1
    pace = (arrivals[last] - arrivals[first]) / (last - first) if last > first else 0.0
    return ended - len(arrivals) * pace


def stall(arm: Arm, nodeid: str, plan: Plan, step: float, seconds: float) -> float:
    """The share of time for which training steps of ``step`` seconds wait for their data.

    Of one more trial, over so many seconds: 0 where the loader is faster than the step.
    """
    with arm.begun(nodeid) as (trial, _):
        opening = Open(warmup=plan.warmup, drain=plan.drain, epoch_batches=plan.epoch_batches)
        trial.ask(opening, Opened)
        stepped = trial.ask(Step(step=step, seconds=seconds), Stepped)
    return stepped.waited / (stepped.waited + stepped.stepped)
