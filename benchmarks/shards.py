"""Measure a project with many checks in one run and in shards, and compare the verdicts.

    python benchmarks/shards.py [--checks 200] [--shards 8]

Tiny checks, five in a module. Of every twenty modules one got twice as slow, and the text of
another one changed without effect; what nothing has changed is not measured. The shards run one
after the other. Then merges that must be red: of 12, four lack a shard, four have one twice, and
four have one of another run. Prints the figures, as JSON. Bars: no verdict differs, all 12 are red.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pytest_loaderperf.baselines import store
from pytest_loaderperf.baselines.store import Entry, Record, Stored
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.system.machine import machine_class

IN_A_MODULE = 5
_EVERY = 20  # modules
LOADER = """\
import time

class Loader:
    def __iter__(self):
        for _ in range(10**9):
            time.sleep({seconds})
            yield [1, 2]
"""
SAME = LOADER.format(seconds=0.002)
CHECKS = """\
import pytest
from {loader} import Loader

@pytest.mark.parametrize("n", range({count}))
def test_it(loaderperf, n):
    loaderperf.check(Loader())
"""
INI = "[pytest]\nloaderperf_budget = 16\nloaderperf_throughput = 30%\nloaderperf_why = never\n"


def run(folder: Path, *command: str) -> int:
    """The exit status of a command, of which nothing is shown."""
    return subprocess.run(command, cwd=folder, check=False, capture_output=True).returncode


def commit(folder: Path, message: str) -> None:
    """Commit all that there is."""
    user = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for command in (("add", "-A"), (*user, "commit", "-q", "-m", message)):
        subprocess.run(["git", *command], cwd=folder, check=True)


def project(folder: Path, modules: int) -> None:
    """A repository in which some loaders have changed since they were accepted."""
    folder.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
    (folder / ".gitignore").write_text("__pycache__/\n.loaderperf/\n.pytest_cache/\n")
    (folder / "pytest.ini").write_text(INI)
    values = {"throughput": 950.0, "peak_memory": 6.0 * 2**20}
    record = Record(
        metrics={name: Stored(value=value, spread=0.01) for name, value in values.items()},
        versions={},
    )
    workload = Workload(batch="list[int, ...]", bytes_per_sample=8.0)
    entry = Entry(workload=workload, records={machine_class({}): record})
    for number in range(modules):
        name = f"test_{number:02}.py"
        (folder / f"loader_{number:02}.py").write_text(SAME)
        text = CHECKS.format(loader=f"loader_{number:02}", count=IN_A_MODULE)
        (folder / name).write_text(text)
        entries = {f"test_it[{n}]": entry for n in range(IN_A_MODULE)}
        store.save(store.store_path(folder, name), entries)
    commit(folder, "accepted")
    for number in range(0, modules, _EVERY):
        (folder / f"loader_{number:02}.py").write_text(LOADER.format(seconds=0.004))
        (folder / f"loader_{number + _EVERY // 2:02}.py").write_text(SAME + "\nUNUSED = 1\n")
    commit(folder, "changed")


def measure(folder: Path, results: Path, *options: str) -> dict[str, Any]:
    """What a run has written to its results file."""
    command = (sys.executable, "-m", "pytest", "-q", "--loaderperf", f"--loaderperf-json={results}")
    run(folder, *command, *options)
    content: dict[str, Any] = json.loads(results.read_text())
    return content


def merge(folder: Path, files: Sequence[Path], results: Path) -> int:
    """The exit status of a merge."""
    names = map(str, files)
    return run(folder, sys.executable, "-m", "pytest_loaderperf.merge", *names, f"--json={results}")


def foreign(file: Path, place: Path, **fields: Any) -> Path:
    """The results file of a shard, as another run would have written it."""
    content = json.loads(file.read_text())
    record = json.loads(content["shard"]["record"])
    for name, value in fields.items():
        (record["share"] if name in record["share"] else record)[name] = value
    content["shard"]["record"] = json.dumps(record)
    place.write_text(json.dumps(content))
    return place


def broken(files: Sequence[Path], scratch: Path) -> Iterator[list[Path]]:
    """Twelve sets of files that are no whole run."""
    for at in range(4):
        yield [*files[:at], *files[at + 1 :]]
        yield [*files, files[at]]
    others: Sequence[dict[str, Any]] = (
        {"commit": "0" * 40},
        {"plugin": "0.0.0"},
        {"settings": "0" * 16},
        {"selection": ["test_00.py::test_it[0]"]},
    )
    for at, fields in enumerate(others):
        strange = foreign(files[at], scratch / f"foreign-{at}.json", **fields)
        yield [*files[:at], strange, *files[at + 1 :]]


def verdicts(results: dict[str, Any]) -> dict[str, str]:
    """The verdict of each check."""
    return {check["nodeid"]: check["verdict"] for check in results["checks"]}


def main() -> int:
    """Print the figures; 1 if they miss the bars."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--checks", type=int, default=200)
    parser.add_argument("--shards", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch, folder = Path(name), Path(name) / "project"
        project(folder, options.checks // IN_A_MODULE)
        started = time.monotonic()
        whole = measure(folder, scratch / "whole.json")
        seconds = [time.monotonic() - started]
        files = [scratch / f"shard-{n}.json" for n in range(1, options.shards + 1)]
        for number, file in enumerate(files, 1):
            started = time.monotonic()
            measure(folder, file, f"--loaderperf-shard={number}/{options.shards}")
            seconds.append(time.monotonic() - started)
        status = merge(folder, files, scratch / "merged.json")
        merged = json.loads((scratch / "merged.json").read_text())
        red = [merge(folder, each, scratch / "red.json") for each in broken(files, scratch)]
        problems = json.loads((scratch / "red.json").read_text())["problems"]
        mine, theirs = verdicts(merged), verdicts(whole)
        differ = {each: [theirs.get(each), mine.get(each)] for each in theirs | mine}
        differ = {each: both for each, both in differ.items() if both[0] != both[1]}
    figures = {
        "checks": len(theirs),
        "verdicts": dict(Counter(theirs.values())),
        "shards": [each["checks"] for each in merged["shards"]],
        "differ": differ,
        "alpha": [whole["alpha"], merged["alpha"]],
        "status": status,
        "problems": merged["problems"],
        "red": f"{sum(each == 1 for each in red)} of {len(red)}",
        "last problem": problems[:1],
        "seconds of the whole, and of each shard": [round(each) for each in seconds],
    }
    print(json.dumps(figures, indent=2))
    return int(bool(differ or merged["problems"] or set(red) != {1}))


if __name__ == "__main__":
    sys.exit(main())
