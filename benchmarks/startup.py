"""The cost of the installed plugin for a plain `pytest` run.

    python benchmarks/startup.py [--rounds 40]

Runs ``pytest`` on one empty test with and without the plugin, alternating, and prints the median
difference. Bar: at most 15 ms.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run(folder: Path, *options: str) -> tuple[float, float]:
    """Wall and CPU seconds of one run."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    # As users have it: modules are compiled once, not in every run.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before, started = os.times(), time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    seconds, after = time.perf_counter() - started, os.times()
    used = after.children_user + after.children_system
    return seconds, used - before.children_user - before.children_system


def main() -> int:
    """Print the figures; 1 if they miss the bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
        without, with_plugin = [], []
        for _ in range(rounds):
            without.append(run(folder, "-p", "no:loaderperf"))
            with_plugin.append(run(folder))
    for index, kind in enumerate(("wall", "CPU")):
        base = statistics.median(each[index] for each in without)
        added = [b[index] - a[index] for a, b in zip(without, with_plugin, strict=True)]
        low, median, high = (1000 * value for value in statistics.quantiles(added, n=4))
        print(
            f"{kind}: {base * 1000:.0f} ms without, {median:+.1f} ms with the plugin "
            f"(quartiles {low:+.1f} to {high:+.1f}, {rounds} pairs of runs)"
        )
        if kind == "wall":
            missed = median > 15
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
