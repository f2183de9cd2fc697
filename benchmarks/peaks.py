"""How well does peak memory repeat, and is an increase found? The reference loaders, many times.

    python benchmarks/peaks.py run FOLDER [--rounds 25] [--condition same] [--only test_tokenizer]
    python benchmarks/peaks.py show FOLDER
    python benchmarks/peaks.py predict FOLDER

Every check is made by fresh arms, and judged as the guard judges peaks: ``same`` is identical code
beside itself, ``more`` keeps 5 % of the stored peak and 8 MiB more for the time of a test. Results
are appended to ``FOLDER/peaks.jsonl``; ``show`` prints counts with their bounds, and how much the
peaks of one loader scatter between fresh arms. ``predict`` puts a line through the peaks of the
torch loader at three batch sizes, and measures what it says of others.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

from overhead import LOADERS, ROOT, launch
from study import bound, source

from pytest_loaderperf.baselines.store import Record, Stored
from pytest_loaderperf.check import per_trial
from pytest_loaderperf.check.state import Bench, Known, Spec
from pytest_loaderperf.measure import calibration
from pytest_loaderperf.measure.plan import Lengths
from pytest_loaderperf.model.version import Version
from pytest_loaderperf.settings import CheckSettings
from pytest_loaderperf.stats.sequential import Rule
from pytest_loaderperf.stats.sweeps import Point, memory_model
from pytest_loaderperf.supervisor.arms import Arms

MIB = 2**20
JUDGED = frozenset({"peak_memory"})
BUDGET = 60.0  # seconds, as by default
BASELINE = Version(root=ROOT, label="the baseline")
# The candidate keeps memory for as long as a test runs.
_KEEPING = """

@pytest.fixture(autouse=True)
def kept():
    block = bytearray(b"x") * {size}
    yield
    del block
"""


def copied(folder: Path) -> Version:
    """A copy of this project, to be changed."""
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    for part in ("src", "tests/perf"):
        shutil.copytree(ROOT / part, copy / part)
    shutil.copy(ROOT / "pyproject.toml", copy)
    return Version(root=copy, toplevel=str(ROOT), moved_to=str(copy), label="the candidate")


def keeping(folder: Path, size: int) -> Version:
    """A copy of this project whose tests keep so many bytes."""
    version = copied(folder)
    conftest = version.root / "tests" / "perf" / "conftest.py"
    conftest.write_text(conftest.read_text() + _KEEPING.format(size=size))
    return version


def predict(folder: Path) -> None:
    """Print the peaks of batch sizes beside what the line through three of them says."""
    version, module = copied(folder), "tests/perf/test_torch_photos.py"
    known, others = (32, 64, 128), (48, 96, 192, 256)
    checks = version.root / module
    checks.write_text(checks.read_text().replace(str([*known]), str([*known, *others])))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        arms = Arms(launch(Path(scratch)))
        try:
            calibrations = {
                size: calibration.calibrate(
                    arms.get(version, module), f"{module}::test_photos[{size}]", Lengths()
                )
                for size in (*known, *others)
            }
        finally:
            arms.close()
    line = memory_model(
        [
            Point(
                parameters={"batch_size": size},
                throughput=1.0,
                spread=0.0,
                pairs=0,
                first_batch=1.0,
                peak_memory=calibrations[size].peak_memory,
                bytes_per_sample=calibrations[size].workload.bytes_per_sample,
                beside=False,
            )
            for size in known
        ]
    )
    assert line, "peaks that do not grow with the batch"
    for size in others:
        measured = calibrations[size].peak_memory
        print(
            f"batch size {size}: predicted {line.peak(size) / MIB:.0f} MiB, measured "
            f"{measured / MIB:.0f} MiB ({line.peak(size) / measured - 1:+.1%})"
        )


def check(nodeid: str, condition: str, folder: Path, stored: float | None) -> dict[str, Any]:
    """One check by fresh arms; without a stored peak it only learns it."""
    candidate = Version(root=ROOT, label="the candidate")
    if condition == "more":
        assert stored is not None
        candidate = keeping(folder, round(0.05 * stored + 8 * MIB))
    module = nodeid.partition("::")[0]
    spec = Spec(
        nodeid=nodeid,
        module=module,
        key=nodeid,
        settings=replace(CheckSettings(), budget=BUDGET),
    )
    started = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        arms = Arms(launch(Path(scratch)))
        bench = Bench(
            spec=spec,
            arms=arms,
            candidate=candidate,
            rule=Rule.for_metrics(8),
            progress=lambda _: None,
        )
        try:
            calibrated = calibration.calibrate(bench.arm(), nodeid, Lengths.within(BUDGET))
            line = {"peak": calibrated.peak_memory, "source": calibrated.memory_source}
            if stored is None:
                return line
            known = Known(calibration=calibrated, judged=JUDGED, deadline=time.monotonic() + BUDGET)
            record = Record(
                metrics={"peak_memory": Stored(value=stored, spread=0.0)}, versions=bench.versions
            )
            found = per_trial.judge_trials(bench, BASELINE, record, known)
            compared = found.comparisons["peak_memory"]
            return {
                **line,
                "verdict": compared.verdict,
                "ratio": compared.ratio,
                "pairs": compared.pairs,
                "seconds": time.monotonic() - started,
            }
        finally:
            arms.close()


def run(folder: Path, conditions: list[str], rounds: int, batch_size: int, only: str) -> None:
    """Check loaders under all conditions, and append what comes of it."""
    file = folder / "peaks.jsonl"
    nodeids = [f"{path}.py::{test}[{batch_size}]" for path, test, _ in LOADERS]
    for _ in range(rounds):
        for nodeid in (each for each in nodeids if only in each):
            for condition in conditions:
                known = [line for line in lines(file) if line["check"] == nodeid]
                stored = known[0]["peak"] if known else None
                if stored is None:
                    stored = check(nodeid, "same", folder, None)["peak"]
                found = check(nodeid, condition, folder, stored)
                common = {"check": nodeid, "condition": condition, "code": source()}
                with file.open("a") as out:
                    out.write(json.dumps({**common, **found}) + "\n")


def lines(file: Path) -> list[dict[str, Any]]:
    """The results so far."""
    return [json.loads(text) for text in file.read_text().splitlines()] if file.exists() else []


def show(folder: Path) -> None:
    """Print a line for each condition and loader."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for line in lines(folder / "peaks.jsonl"):
        found[line["condition"], line["check"]].append(line)
        found[line["condition"], "all"].append(line)
    for (condition, name), checks in sorted(found.items()):
        counts = ", ".join(
            f"{verdict} {count} of {len(checks)} (at most {bound(count, len(checks)):.1%})"
            for verdict, count in sorted(Counter(line["verdict"] for line in checks).items())
        )
        values = [line["peak"] / MIB for line in checks]
        repeats = ""
        if name != "all" and len(values) > 1:
            mean = statistics.fmean(values)
            repeats = f"; {mean:.1f} MiB, sd {statistics.stdev(values) / mean:.2%}"
        seconds = statistics.median(line["seconds"] for line in checks)
        print(f"{condition}; {name}: {counts}; median {seconds:.0f} s{repeats}")


def main() -> int:
    """Run or show."""
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["run", "show", "predict"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--condition", action="append", choices=["same", "more"])
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--only", default="", help="loaders in whose test this occurs")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if options.action == "run":
        conditions = options.condition or ["same", "more"]
        run(folder, conditions, options.rounds, options.batch_size, options.only)
    if options.action == "predict":
        predict(folder)
    else:
        show(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
