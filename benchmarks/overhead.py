"""Does the guard slow down what it measures? Its throughput against a bare loop, alternating.

    python benchmarks/overhead.py [--rounds 10] [--batch-size 64]

One round is a pair of the guard's own trials (frozen slices, as in a check) and then a bare
``for batch in loader`` loop over the same stretch in a forked process. Bar: the median ratio of
each reference loader lies within 3 % of 1.
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

from pytest_loaderperf import data, measure
from pytest_loaderperf.arms import Arms
from pytest_loaderperf.launch import Launch, Version

ROOT = Path(__file__).resolve().parents[1]
LOADERS = (
    ("test_torch_photos", "test_photos", "train_loader"),
    ("test_tf_photos", "test_photos", "train_loader"),
    ("test_keras_text", "test_tokenizer", "token_loader"),
    ("test_keras_text", "test_text_vectorization", "vector_loader"),
)


def compare(module: str, test: str, fixture: str, batch_size: int, rounds: int) -> list[float]:
    """The ratio guard / bare loop of each round."""
    with tempfile.TemporaryDirectory() as scratch:
        launch = Launch(
            root=ROOT,
            invocation_dir=ROOT,
            ini_file=ROOT / "pyproject.toml",
            options={"capture": "no"},
            sys_path=[*filter(None, sys.path), str(ROOT / "tests")],
            data_root=data.root(ROOT),
            scratch=Path(scratch),
            fresh=None,
        )
        arms = Arms(launch)
        path, nodeid = f"tests/perf/{module}.py", f"tests/perf/{module}.py::{test}[{batch_size}]"
        first = arms.get(Version(ROOT), path)
        second = arms.get(Version(ROOT, commit="again"), path)
        bare = subprocess.Popen(
            [sys.executable, "benchmarks/bare_loop.py", module, fixture, str(data.root(ROOT))],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT / "tests"), "TMPDIR": scratch},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            plan = measure.survey(first, nodeid).plan
            request = {
                "batch_size": batch_size,
                "warmup": plan.warmup,
                "drain": plan.drain,
                "batches": plan.batches * plan.slices,
                "epoch": plan.epoch_batches or 0,
            }
            ratios = []
            for index in range(rounds):
                pair = measure.time_pair(
                    first, second, nodeid, plan, candidate_first=index % 2 == 0
                )
                guard = statistics.fmean(timing.values["throughput"] for timing in pair)
                assert bare.stdin is not None
                assert bare.stdout is not None
                bare.stdin.write(json.dumps(request) + "\n")
                bare.stdin.flush()
                ratios.append(guard / float(bare.stdout.readline()))
        finally:
            arms.close()
            bare.kill()
            bare.wait()
    return ratios


def main() -> int:
    """Print a row for each loader; 1 if one misses the bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=64)
    options = parser.parse_args()
    worst = 0.0
    for module, test, fixture in LOADERS:
        ratios = compare(module, test, fixture, options.batch_size, options.rounds)
        median = statistics.median(ratios)
        worst = max(worst, abs(median - 1))
        shown = " ".join(f"{ratio:.3f}" for ratio in sorted(ratios))
        print(
            f"{module}::{test}[{options.batch_size}]  median {median:.3f}  all {shown}", flush=True
        )
    return int(worst > 0.03)


if __name__ == "__main__":
    sys.exit(main())
