"""What loaders deliver: unchanged code is comparable whatever varies, and changes show."""

from __future__ import annotations

from pathlib import Path

from pytest_loaderperf.model.workload import Workload
from support import tiny
from support.tiny import report

LOADERS = """\
import itertools
import os
import time

KEY = "tokens"

class Varying:
    \"\"\"Batches whose first ones are of one kind in each process, and others later.\"\"\"

    def __iter__(self):
        plain = {KEY: [[1, 2], [3]]}
        kinds = itertools.cycle([plain, {**plain, "more": [1, 2]}])
        first = next(itertools.islice(kinds, os.getpid() % 2, None))
        for number in itertools.count():
            time.sleep(0.002)
            yield first if number < 20 else next(kinds)

def lists():
    \"\"\"As many rows as fit into a batch.\"\"\"
    for number in itertools.count():
        time.sleep(0.002)
        yield [[1] * (row % 3 + 1) for row in range(number % 4 + 2)]
"""
CHECKS = {
    "test_varying": "def test_varying(loaderperf):\n    loaderperf.check(Varying())\n",
    "test_lists": "def test_lists(loaderperf):\n    loaderperf.check(lists)\n",
}
ROWS = "list[int, ...]"
# As earlier versions have described them.
OLDER = {
    "test_varying": f"dict[tokens: list[{ROWS}, ...]]",
    "test_lists": f"list[{ROWS}, {ROWS}] | list[{ROWS}, {ROWS}, {ROWS}]",
}


def test_batches_that_vary_are_comparable_also_with_older_baselines(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", loaders=LOADERS)
    for name, check in CHECKS.items():
        project.write(**{name: f"from loaders import *\n\n{check}"})
    for name, batch in OLDER.items():
        workload = Workload(batch=batch, bytes_per_sample=1.0)
        tiny.accept(project, f"{name}.py::{name}", workload=workload)
    checks = report(project, "--loaderperf", "--loaderperf-always").checks
    assert {check["outcome"] for check in checks.values()} == {"passed"}, checks
    assert {check["verdict"] for check in checks.values()} <= {"unchanged", "inconclusive"}
    assert checks["test_lists"]["workload"]["batch"] == f"list[{ROWS}, ...]"

    project.write(loaders=LOADERS.replace('KEY = "tokens"', 'KEY = "texts"'))
    run = report(project, "--loaderperf", "-k", "varying")
    assert run.checks["test_varying"]["verdict"] == "incomparable"
    assert "tokens: list[list[int, ...], ...] -> absent" in run.texts["test_varying"]
