"""How much do pairs of identical code scatter? The noise that every verdict has to live with.

    python benchmarks/pairs.py 'tests/perf/test_torch_photos.py::test_photos[128]' [--arms 1]

Two arms of the same tree are paired as a check pairs them. Each pair is appended to ``--out`` as
a line of JSON; the summary is over all lines of this check there, so that a study can be resumed.
It also tells how much pairs scatter if only the batches count that are taken, without those that
workers make ahead. With ``--turns both`` every pair is timed twice, in short turns and one trial
after the other. ``--seconds`` is how long a pair times each side. With ``MALLOC_CONF=`` in the
environment trials leave the allocator as they find it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from overhead import ROOT, launch

from pytest_loaderperf.measure import calibration, turns
from pytest_loaderperf.measure.plan import PAIR_SECONDS, Lengths
from pytest_loaderperf.model.version import Version
from pytest_loaderperf.stats.comparison import scatter
from pytest_loaderperf.supervisor.arms import Arms


def study(nodeid: str, pairs: int, out: Path, lengths: Lengths, *, both_turns: bool) -> None:
    """Append so many pairs of two fresh arms to a file; with ``both_turns`` twice as many."""
    module = nodeid.partition("::")[0]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        # Arms are kept by version, and both are of the same one here.
        sides = [Arms(launch(Path(tempfile.mkdtemp(dir=scratch)))) for _ in range(2)]
        try:
            candidate, baseline = (side.get(Version(root=ROOT), module) for side in sides)
            calibrated = calibration.calibrate(candidate, nodeid, lengths)
            timing = turns.time_alone(candidate, nodeid, calibrated.plan)
            plan = calibration.paced(calibrated, [timing], lengths)
            ways = (False, True) if both_turns else (plan.short_turns,)
            for number, short_turns in itertools.product(range(pairs), ways):
                started = time.monotonic()
                pace = replace(plan, short_turns=short_turns)
                pair = [
                    turns.Side(arm=arm, nodeid=nodeid, pace=pace) for arm in (candidate, baseline)
                ]
                timings = turns.time_pair(*pair, candidate_first=number % 2 == 0)
                line = {
                    "check": nodeid,
                    "arms": f"{candidate.pid}:{baseline.pid}",
                    "values": [timing.values for timing in timings],
                    "parts": [timing.parts for timing in timings],
                    "made": [timing.made / timing.taken.batches for timing in timings],
                    "plan": asdict(pace),
                    "seconds": time.monotonic() - started,
                }
                with out.open("a") as file:
                    file.write(json.dumps(line) + "\n")
        finally:
            for side in sides:
                side.close()


def summaries(nodeid: str, out: Path) -> Iterator[str]:
    """A line on the pairs of a check in a file, for each way to take turns."""
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    for short_turns in (False, True):
        chosen = [
            line
            for line in lines
            if line["check"] == nodeid and line["plan"]["short_turns"] == short_turns
        ]
        if chosen:
            way = "short turns" if short_turns else "one after the other"
            yield f"{nodeid}, {way}: {summary(chosen)}"


def summary(lines: Sequence[Mapping[str, Any]]) -> str:
    """Mean and spread of log(candidate / baseline) over some pairs."""
    ratios = [
        math.log(candidate["throughput"] / baseline["throughput"])
        for candidate, baseline in (line["values"] for line in lines)
    ]
    taken = [
        ratio - math.log(line["made"][0] / line["made"][1])
        for ratio, line in zip(ratios, lines, strict=True)
    ]
    parts = [
        [(c["throughput"], b["throughput"]) for c, b in zip(*line["parts"], strict=True)]
        for line in lines
    ]
    within = scatter(parts)
    foretold = math.sqrt(within.variance) if within else math.nan
    seconds = statistics.median(line["seconds"] for line in lines)
    return (
        f"{len(ratios)} pairs, mean {statistics.fmean(ratios):+.1%}, "
        f"sd {_spread(ratios)}, of batches taken {_spread(taken)}, foretold by their slices "
        f"{foretold:.1%}, median {seconds:.1f} s a pair"
    )


def _spread(ratios: list[float]) -> str:
    return f"{statistics.stdev(ratios):.1%}" if len(ratios) > 1 else "unknown"


def main() -> int:
    """Measure, then print a line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("check")
    parser.add_argument("--arms", type=int, default=1, help="how often to start fresh arms")
    parser.add_argument("--pairs", type=int, default=8, help="of each two arms")
    parser.add_argument("--seconds", type=float, default=PAIR_SECONDS)
    parser.add_argument("--turns", choices=("fitting", "both"), default="fitting")
    parser.add_argument("--out", type=Path, default=Path("pairs.jsonl"))
    options = parser.parse_args()
    lengths = Lengths(pair=options.seconds, most=options.seconds)
    both = options.turns == "both"
    for _ in range(options.arms):
        study(options.check, options.pairs, options.out, lengths, both_turns=both)
    print(*summaries(options.check, options.out), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
