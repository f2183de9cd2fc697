"""Where do the seconds of a check go? Runs of the guard, taken apart.

    python benchmarks/anatomy.py [--rounds 5] [--folder PROJECT] [ARGUMENT OF PYTEST ...]

Each round is a run of ``pytest --loaderperf`` with these arguments in the project, this one by
default. Printed are the seconds of every phase, as medians over the rounds, for each check: those
that a phase spends inside of another one count in the inner one alone.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_loaderperf.check.state import Phases

ROOT = Path(__file__).resolve().parents[1]
REST = "everything else"
OUT = "LOADERPERF_ANATOMY"


class Anatomy:
    """The seconds that each phase of each check has taken so far, by node id."""

    def __init__(self) -> None:
        self.seconds: dict[str, dict[str, float]] = {}
        self._now = Phases()

    def follow(self, owner: Any, name: str, phase: str) -> None:
        """Have the calls of a function count as a phase."""
        function = getattr(owner, name)

        @functools.wraps(function)
        def followed(*arguments: Any, **options: Any) -> Any:
            return self._followed(phase, functools.partial(function, *arguments, **options))

        setattr(owner, name, followed)

    def _followed(self, phase: str, call: Callable[[], Any]) -> Any:
        with self._now(phase):
            return call()

    def follow_checks(self, coordinator: Any) -> None:
        """Have each check begin anew."""
        function = coordinator.check

        def check(own: Any, spec: Any, progress: Any) -> Any:
            self._now.seconds.clear()
            outcome = self._followed(REST, functools.partial(function, own, spec, progress))
            self.seconds[spec.nodeid] = dict(self._now.seconds)
            return outcome

        coordinator.check = check


def pytest_configure() -> None:
    """As a plugin of pytest: follow the guard, and write down what it took."""
    from pytest_loaderperf.check import per_trial, runner, sides
    from pytest_loaderperf.check.state import Bench
    from pytest_loaderperf.measure import calibration, turns
    from pytest_loaderperf.measure.timed_trial import TimedTrial
    from pytest_loaderperf.protocol.messages import Begin, Finished, Open
    from pytest_loaderperf.supervisor.arm import Arm
    from pytest_loaderperf.supervisor.trial import Trial

    anatomy.follow_checks(runner.Coordinator)
    phases: tuple[tuple[Any, str, str], ...] = (
        (Arm, "_first_answer", "imports of arms"),
        (Bench, "start_anew", "fresh arms"),
        (calibration, "calibrate", "memory trials"),
        (per_trial, "judge_trials", "judging memory"),
        (calibration, "_let_queues_fill", "waiting for queues"),
        (calibration, "rest", "waiting for queues"),
        (TimedTrial, "__init__", "opening timing trials"),
        (turns, "take_turns", "timed slices"),
        (TimedTrial, "run", "timed slices"),
        (TimedTrial, "end", "ending timing trials"),
        (TimedTrial, "result", "arithmetic"),
        (turns, "time_pair", "cleaning up after trials"),
        (sides.Sides, "proven", "proof of what ran"),
        (sides.Sides, "usable", "baseline made ready"),
        (sides.Sides, "carry", "baseline made ready"),
        (runner.Coordinator, "_last_trial", "the last trial"),
    )
    for owner, name, phase in phases:
        anatomy.follow(owner, name, phase)
    ask, names = Trial.ask, {Begin: "fixtures and tests", Open: "warm-up"}

    def asked(own: Any, message: Any, expected: Any) -> Any:
        call = functools.partial(ask, own, message, expected)
        phase = None if expected is Finished else names.get(type(message))
        return anatomy._followed(phase, call) if phase else call()

    Trial.ask = asked  # type: ignore[method-assign, assignment]


def pytest_unconfigure() -> None:
    """Write it down."""
    Path(os.environ[OUT]).write_text(json.dumps(anatomy.seconds))


anatomy = Anatomy()


def one_run(folder: Path, arguments: list[str]) -> dict[str, dict[str, float]]:
    """What a run says of each of its checks."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "anatomy.json"
        path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-m", "pytest", "-q", "-p", "anatomy", "--loaderperf"]
        subprocess.run(
            [*command, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, OUT: str(out)},
            stdout=subprocess.DEVNULL,
            check=False,  # a regression is an ordinary outcome
        )
        found: dict[str, dict[str, float]] = json.loads(out.read_text())
        return found


def main() -> int:
    """Print a table for each check."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=ROOT)
    options, arguments = parser.parse_known_args()
    runs = [one_run(options.folder, arguments) for _ in range(options.rounds)]
    for nodeid in runs[0]:
        of_it = [run[nodeid] for run in runs if nodeid in run]
        whole = statistics.median(sum(run.values()) for run in of_it)
        print(f"{nodeid}: {whole:.1f} s")
        phases = {
            phase: statistics.median(run.get(phase, 0.0) for run in of_it)
            for phase in dict.fromkeys(phase for run in of_it for phase in run)
        }
        for phase, seconds in sorted(phases.items(), key=lambda each: -each[1]):
            print(f"  {phase}: {seconds:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
