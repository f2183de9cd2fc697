"""Does the guard slow down what it measures? Its throughput against a bare loop.

    python benchmarks/overhead.py [--rounds 10] [--batch-size 64] [--loaders more|wrappers]
        [--only TEST ...]

``more`` are torch's without workers, and those of grain and of Hugging Face's datasets;
``wrappers`` are those of timm, accelerate and MONAI around torch's, after torch's alone. Their
packages are in the extra ``kinds``.

One round is a pair of the guard's own timing trials, taking turns as in a check, and a bare ``for
batch in loader`` loop in a process of its own, which runs through: workers go on in the
milliseconds around a slice, so that counting the batches taken in short ones reads some 3 % fast.
The pair and the loop alternate every half second, the other one frozen.
Every round starts both sides anew: a process, and all that it forks, keeps the luck of its memory
layout for life. Bar: the median ratio of each reference loader lies within 3 % of 1.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from pytest_loaderperf import data
from pytest_loaderperf.measure import calibration, turns
from pytest_loaderperf.measure.plan import Lengths, Plan
from pytest_loaderperf.measure.timed_trial import TimedTrial
from pytest_loaderperf.model.version import Version
from pytest_loaderperf.supervisor.arms import Arms
from pytest_loaderperf.supervisor.launch import Launch
from pytest_loaderperf.system import signals
from pytest_loaderperf.versions.project import Project
from pytest_loaderperf.versions.sources import Sources

ROOT = Path(__file__).resolve().parents[1]
LOADERS = (  # module, test, fixture
    ("tests/perf/test_torch_photos", "test_photos", "train_loader"),
    ("tests/perf/test_tf_photos", "test_photos", "train_loader"),
    ("tests/perf/test_keras_text", "test_tokenizer", "token_loader"),
    ("tests/perf/test_keras_text", "test_text_vectorization", "vector_loader"),
)
MORE = (
    ("benchmarks/more_loaders/test_torch_alone", "test_photos", "lone_loader"),
    ("benchmarks/more_loaders/test_grain", "test_photos", "grain_loader"),
    ("benchmarks/more_loaders/test_datasets", "test_photos", "dataset_loader"),
)
WRAPPERS = (
    LOADERS[0],
    *(
        ("benchmarks/more_loaders/test_wrappers", f"test_{name}", name)
        for name in (
            "timm_prefetch",
            "timm_multi_epochs",
            "accelerated",
            "monai_ahead",
            "monai_threads",
            "monai_buffer",
        )
    ),
)
SETS = {"reference": LOADERS, "more": MORE, "wrappers": WRAPPERS}
PATHS = (ROOT / "tests", ROOT / "benchmarks")
STRETCH_SECONDS = 12.0  # of each side in a round
TURN_SECONDS = 0.5  # the machine changes its speed within seconds


class BareLoop:
    """The process of ``bare_loop.py``, and the loop that it has forked."""

    def __init__(self, module: str, fixture: str, scratch: str) -> None:
        path = os.pathsep.join([*map(str, PATHS), *sys.path])
        module = module.partition("/")[2].replace("/", ".")
        self._process = subprocess.Popen(
            [sys.executable, "benchmarks/bare_loop.py", module, fixture, str(data.root(ROOT))],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path, "TMPDIR": scratch},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.pid = 0

    def open(self, plan: Plan, batches: int, batch_size: int) -> None:
        """Start a loop of stretches of so many batches, and let it warm up."""
        self._say(
            json.dumps(
                {
                    "batch_size": batch_size,
                    "warmup": plan.warmup,
                    "drain": plan.drain,
                    "batches": batches,
                    "epoch": plan.epoch_batches or 0,
                }
            )
        )
        self.pid = int(self._hear())
        self._result()

    def stretch(self) -> tuple[float, int]:
        """Seconds and samples of one stretch, after which the loop stops itself."""
        self._say(str(time.perf_counter()))
        signals.resume(self.pid)
        seconds, samples = json.loads(self._result())
        return seconds, samples

    def end(self) -> None:
        """End the loop."""
        self._say("stop")
        signals.resume(self.pid)

    def close(self) -> None:
        """End the process."""
        if self.pid:
            signals.end(self.pid)
        self._process.kill()
        self._process.wait()

    def _result(self) -> str:
        """What the loop says of a stretch; it is not to be resumed before it has stopped."""
        line = self._hear()
        while psutil.Process(self.pid).status() != psutil.STATUS_STOPPED:
            time.sleep(0.001)
        return line

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def one_round(module: str, test: str, fixture: str, batch_size: int, *, guard_first: bool) -> float:
    """The ratio of the throughputs of two trials (their mean) and a bare loop."""
    path = f"{module}.py"
    nodeid = f"{path}::{test}[{batch_size}]"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        # Arms are kept by version, and both are of the same one here.
        sides = [Arms(launch(Path(tempfile.mkdtemp(dir=scratch)))) for _ in range(2)]
        bare = BareLoop(module, fixture, scratch)
        try:
            first, second = (side.get(Version(root=ROOT), path) for side in sides)
            calibrated = calibration.calibrate(first, nodeid, Lengths())
            timing = turns.time_alone(first, nodeid, calibrated.plan)
            plan = calibration.paced(calibrated, [timing], Lengths())
            slices = max(2, 2 * round(TURN_SECONDS / timing.batch_seconds / plan.batches / 2))
            with first.trials(), second.trials():
                trials = turns.open_suspended(
                    [turns.Side(arm=arm, nodeid=nodeid, pace=plan) for arm in (first, second)]
                )
                bare.open(plan, slices * plan.batches, batch_size)
                seconds, samples = alternate(trials, bare, slices, guard_first=guard_first)
                bare.end()
                for trial in trials:
                    trial.end()
            guard = statistics.geometric_mean(
                trial.result().values["throughput"] for trial in trials
            )
            return guard / (samples / seconds)
        finally:
            for side in sides:
                side.close()
            bare.close()


def alternate(
    trials: Sequence[TimedTrial], bare: BareLoop, slices: int, *, guard_first: bool
) -> tuple[float, int]:
    """Seconds and samples of the bare loop; in a turn of the guard each trial runs slices."""
    first, second = trials
    rounds = round(STRETCH_SECONDS / TURN_SECONDS)
    stretches = []
    for turn in ("gbbg" if guard_first else "bggb") * (rounds // 2):
        if turn == "g":
            turns.take_turns(first, second, slices)
        else:
            stretches.append(bare.stretch())
    return sum(seconds for seconds, _ in stretches), sum(samples for _, samples in stretches)


def launch(scratch: Path) -> Launch:
    """The configuration of this project's own run."""
    return Launch(
        root=ROOT,
        invocation_dir=ROOT,
        ini_file=ROOT / "pyproject.toml",
        options={"capture": "no"},
        environment=os.environ,
        sys_path=[*filter(None, sys.path), *map(str, PATHS)],
        data_root=data.root(ROOT),
        scratch=scratch,
        sources=Sources(lambda: Project.find(ROOT), scratch),
        fresh=None,
    )


def main() -> int:
    """Print a row for each loader; 1 if one misses the bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--loaders", choices=SETS, default="reference")
    parser.add_argument("--only", nargs="+", metavar="TEST", help="these of them alone")
    options = parser.parse_args()
    # As Ctrl-C does: no frozen loop stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    worst = 0.0
    chosen = [row for row in SETS[options.loaders] if row[1] in (options.only or [row[1]])]
    if not chosen:
        parser.error(f"--only: no such test in {options.loaders}: {', '.join(options.only)}")
    for module, test, fixture in chosen:
        ratios = [
            one_round(module, test, fixture, options.batch_size, guard_first=turn % 2 == 0)
            for turn in range(options.rounds)
        ]
        median = statistics.median(ratios)
        worst = max(worst, abs(median - 1))
        shown = " ".join(f"{ratio:.3f}" for ratio in sorted(ratios))
        print(
            f"{Path(module).name}::{test}[{options.batch_size}]  median {median:.3f}  all {shown}",
            flush=True,
        )
    return int(worst > 0.03)


if __name__ == "__main__":
    sys.exit(main())
