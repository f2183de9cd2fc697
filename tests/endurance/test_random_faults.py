"""Runs with faults drawn at random, that are ended at random: none says unchanged or leaves much.

Every run prints the seed that repeats it: ``--hours=0 --seed=SEED`` does one run.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from faults.fault import Fault, accepted_before, contents
from faults.test_loader_faults import FAILS, HANGS, MISBEHAVES, PROLOGUE, SOUND
from support.background import started, wait_until
from support.leftovers import shared_memory
from support.project import Project

ALL: Mapping[str, Fault] = {**FAILS, **HANGS, **MISBEHAVES}
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
LONGEST = 60.0  # seconds until a run is ended, if it is
PATIENCE = 30.0  # seconds for what is left to go


def one_run(project: Project, draw: random.Random) -> Counter[str]:
    """Run pytest, perhaps end it; the verdicts that it has told."""
    arguments = [
        "--loaderperf",
        "--loaderperf-budget=24",
        f"--loaderperf-trials={draw.choice(['auto', 'fresh'])}",
    ]
    if draw.random() < 0.3:
        arguments.append("--loaderperf-against=stored")
    ends = [(draw.uniform(0, LONGEST), draw.choice(ENDS)) for _ in range(draw.choice([0, 1, 1, 2]))]
    before, shared = contents(project.root), shared_memory()
    with (
        tempfile.TemporaryDirectory(prefix="lp-", ignore_cleanup_errors=True) as temporary,
        started(project, Path(temporary), *arguments) as running,
    ):
        began = time.monotonic()
        for moment, number in sorted(ends):
            try:
                running.process.wait(max(0.0, began + moment - time.monotonic()))
            except subprocess.TimeoutExpired:
                running.process.send_signal(number)
        output = running.process.communicate(timeout=600)[0]
        running.wait_for_processes_to_end(PATIENCE)
        running.wait_for_files_to_go(PATIENCE)
    wait_until(lambda: shared_memory() <= shared, PATIENCE)
    assert contents(project.root) == before
    assert not project.worktrees()
    assert "INTERNALERROR" not in output, output
    told = json.loads(running.results.read_text())["checks"] if running.results.exists() else []
    if not ends:
        assert told, output
        # A stored number may not be proof enough, and what is inconclusive does not fail.
        failed = any(check["verdict"] != "inconclusive" for check in told)
        assert running.process.returncode == failed, output
        for check in told:
            fault = ALL[check["nodeid"].partition("::test_")[2]]
            assert check["verdict"] in (fault.verdict, "inconclusive"), output
    return Counter(check["verdict"] for check in told)


def test_runs_with_random_faults(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    seed = pytestconfig.getoption("seed")
    seed = random.randrange(10**6) if seed is None else seed
    end = time.monotonic() + 3600 * pytestconfig.getoption("hours")
    total: Counter[str] = Counter()
    runs = 0
    while runs == 0 or time.monotonic() < end:
        draw = random.Random(seed + runs)
        print(f"run {runs + 1}: --seed={seed + runs}", flush=True)
        names = draw.sample(sorted(ALL), draw.randint(1, 4))
        folder = tmp_path / str(runs)
        project = accepted_before(
            folder, {n: ALL[n] for n in names}, PROLOGUE, SOUND, ini="loaderperf_timeout = 5\n"
        )
        told = one_run(project, draw)
        assert not told["unchanged"], names
        total += told
        runs += 1
    print(f"{runs} runs, {total.total()} checks: {dict(total)}")
