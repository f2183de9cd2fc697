"""What does the installed plugin cost a plain `pytest` run?

    python benchmarks/startup.py [--rounds 40]

Runs ``pytest`` on one empty test with and without the plugin, alternating, and prints the median
difference. Bar: at most 15 ms.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def seconds(folder: Path, *options: str) -> float:
    """The duration of one run."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> int:
    """Print the figures; 1 if they miss the bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
        without: list[float] = []
        differences: list[float] = []
        for _ in range(rounds):
            without.append(seconds(folder, "-p", "no:loaderperf"))
            differences.append(seconds(folder) - without[-1])
    median = statistics.median(differences)
    low, high = statistics.quantiles(differences, n=4)[::2]
    print(f"without: median {statistics.median(without) * 1000:.0f} ms, {rounds} runs")
    print(
        f"added:   median {median * 1000:.1f} ms, quartiles {low * 1000:.1f} to {high * 1000:.1f}"
    )
    return int(median > 0.015)


if __name__ == "__main__":
    sys.exit(main())
