"""What share of a check do the trials take that measure memory? The reference loaders.

    python benchmarks/memory_cost.py [--batch-size 32] [--loaderperf-against=HEAD ...]

Runs the guard on ``tests/perf``, with the options of pytest that are given, and prints of each
check how long it took, and how much of that its memory trials did. The first of them counts in
full, though the pace of the timed trials comes from it, too. Bar: at most a third of all the time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from overhead import LOADERS, ROOT

from pytest_loaderperf.measure import calibration
from pytest_loaderperf.supervisor.arm import Arm


class Clock:
    """Takes the time of every memory trial, by check."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.trials: dict[str, int] = defaultdict(int)
        self._calibrate = calibration.calibrate

    def calibrate(self, arm: Arm, nodeid: str, *how: Any, **more: Any) -> calibration.Calibration:
        """As the function of this name."""
        started = time.monotonic()
        try:
            return self._calibrate(arm, nodeid, *how, **more)
        finally:
            self.seconds[nodeid] += time.monotonic() - started
            self.trials[nodeid] += 1


def main() -> int:
    """Print the figures; 1 if they miss the bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=32)
    options, more = parser.parse_known_args()
    nodeids = [f"{path}.py::{test}[{options.batch_size}]" for path, test, _ in LOADERS]
    clock = Clock()
    calibration.calibrate = clock.calibrate
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        pytest.main(
            ["--rootdir", str(ROOT), "--loaderperf", f"--loaderperf-json={results}", *more]
            + [str(ROOT / nodeid) for nodeid in nodeids]
        )
        checks = json.loads(results.read_text())["checks"]
    for check in checks:
        nodeid, whole = check["nodeid"], check["seconds"]
        share = clock.seconds[nodeid] / whole
        print(
            f"{nodeid}: {check['verdict']}, {check['pairs']} pairs, {whole:.1f} s, "
            f"{clock.trials[nodeid]} memory trials in {clock.seconds[nodeid]:.1f} s, {share:.0%}"
        )
    share = sum(clock.seconds.values()) / sum(check["seconds"] for check in checks)
    print(f"all: {share:.1%}")
    return int(not checks or share > 1 / 3)


if __name__ == "__main__":
    sys.exit(main())
