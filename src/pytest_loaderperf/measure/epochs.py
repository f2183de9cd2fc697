"""Trials of whole epochs, and of loops with a training step: what batches alone do not show."""

from __future__ import annotations

from collections.abc import Sequence

from ..check.state import Bench, Findings
from ..errors import LoaderError, SettingsError
from ..model.version import Version
from ..protocol.messages import Begin, Handed, Open, Opened, Pass, Passed, Step, Stepped

_LONGEST = 30.0  # seconds that an epoch may take
_LEAST = 1e-3  # seconds: what is less cannot be told from nothing


def overhead(bench: Bench, found: Findings, version: Version) -> float:
    """The overhead of an epoch in one more trial, in seconds.

    LoaderError where the loader has no epochs, or only long ones.
    """
    arm = bench.arm(version)
    with arm.trials():
        trial = arm.trial(bench.spec.nodeid)
        trial.ask(Begin(), Handed)
        passed = trial.ask(Pass(seconds=_LONGEST), Passed)
        trial.end()
    if not passed.arrivals:
        raise LoaderError(
            f"epoch_overhead cannot be told: an epoch takes more than {_LONGEST:g} s, or never "
            "ends. Give this check a loader with shorter epochs, or leave the metric out"
        )
    plan = found.plan
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


_PAIRS = 2  # a trial takes as long as that many timing trials
_STEPS = 20  # at least, however long a step is


def share(bench: Bench, found: Findings, version: Version) -> float:
    """The share in one more trial: 0 where the loader is faster than the step.

    SettingsError where nobody has said how long a step takes.
    """
    step = bench.spec.settings.step_time
    if step is None:
        raise SettingsError(
            "stall needs the length of a training step: @pytest.mark.loaderperf(step_time='50ms')"
        )
    plan = found.plan
    arm = bench.arm(version)
    with arm.trials():
        trial = arm.trial(bench.spec.nodeid)
        trial.ask(Begin(), Handed)
        trial.ask(
            Open(warmup=plan.warmup, drain=plan.drain, epoch_batches=plan.epoch_batches), Opened
        )
        seconds = max(_PAIRS * bench.pair_seconds, _STEPS * step)
        stepped = trial.ask(Step(step=step, seconds=seconds), Stepped)
        trial.end()
    return stepped.waited / (stepped.waited + stepped.stepped)
