"""What a process that measures costs before it measures: for a project that needs only numpy.

    python benchmarks/arm_start.py [--rounds 20] [--against OTHER/src]

Each round is a run of the guard on one check, with stored numbers, in a temporary project. Its
test module writes down, when the arm imports it, how long the arm has run, how much private memory
it has and how many modules it has loaded. With ``--against`` another checkout's package takes
turns with this one. Printed are medians with quartiles, and the median difference of pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

OURS = Path(__file__).resolve().parents[1] / "src"
TEST = """\
import json, os, pathlib, sys, time

def state():
    fields = pathlib.Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    private = 0
    for line in pathlib.Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith(("Private_Clean:", "Private_Dirty:")):
            private += int(line.split()[1])
    return {
        "milliseconds": 1000 * (time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / ticks),
        "CPU ms": 1000 * time.process_time(),
        "private MiB": private / 1024,
        "modules": len(sys.modules),
    }

with open(os.environ["ARM_START"], "a") as file:
    file.write(json.dumps(state()) + "\\n")

import numpy

def test_rows(loaderperf):
    loaderperf([numpy.zeros((10, 10)) for _ in range(50)])
"""


def run(folder: Path, source: Path) -> dict[str, float]:
    """The state of an arm of the package in this folder as it imports the test module."""
    written = folder / "states"
    written.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--loaderperf-sweep"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(source), "ARM_START": str(written)}
    # Collects in an arm, and has no check that declares a batch size: nothing is measured.
    subprocess.run([*command, "1:2"], cwd=folder, env=environment, check=False, capture_output=True)
    state: dict[str, float] = json.loads(written.read_text().splitlines()[0])
    return state


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--against", type=Path)
    arguments = parser.parse_args()
    sources = [OURS, arguments.against.resolve()] if arguments.against else [OURS]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_rows.py").write_text(TEST)
        (folder / "pytest.ini").write_text("[pytest]\n")
        for source in sources:
            run(folder, source)  # compiles
        rounds = [[run(folder, source) for source in sources] for _ in range(arguments.rounds)]
    for figure in rounds[0][0]:
        texts = []
        for index in range(len(sources)):
            values = [states[index][figure] for states in rounds]
            low, median, high = statistics.quantiles(values, n=4)
            texts.append(f"{median:.1f} ({low:.1f} to {high:.1f})")
        if len(sources) > 1:
            changes = [ours[figure] - theirs[figure] for ours, theirs in rounds]
            texts.append(f"difference {statistics.median(changes):+.1f}")
        print(f"{figure}: {'; '.join(texts)}")


if __name__ == "__main__":
    main()
