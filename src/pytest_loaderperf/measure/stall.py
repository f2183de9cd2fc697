"""How long a training step of a given length would wait for its data, as a share of all time."""

from __future__ import annotations

from ..check.state import Bench, Findings
from ..errors import SettingsError
from ..model.version import Version
from ..protocol.messages import Begin, Handed, Open, Opened, Step, Stepped

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
        trial.ask(Open(plan.warmup, plan.drain, plan.epoch_batches), Opened)
        seconds = max(_PAIRS * bench.pair_seconds, _STEPS * step)
        stepped = trial.ask(Step(step, seconds), Stepped)
        trial.end()
    return stepped.waited / (stepped.waited + stepped.stepped)
