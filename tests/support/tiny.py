"""Tiny projects for tests that need no true numbers: their baselines are written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pytest_loaderperf.baselines import store
from pytest_loaderperf.baselines.store import Entry, Record, Stored
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.system.machine import machine_class
from support.environment import PLAIN
from support.project import Project, Run

# Batches of two samples every 2 ms.
THROUGHPUT = 950.0  # samples/s
WORKLOAD = Workload(batch="list[int, ...]", bytes_per_sample=8.0)
PACED = '''\
import time

def paced(batches=10**9, batch=(1, 2)):
    for _ in range(batches):
        time.sleep(0.002)
        yield list(batch)

class Paced:
    """A loader whose epochs have so many batches, as it says."""

    def __init__(self, batches=10**9):
        self.batches = batches

    def __len__(self):
        return self.batches

    def __iter__(self):
        return paced(self.batches)
'''
CHECK = """\
import paced

def test_paced(loaderperf):
    loaderperf.check(paced.Paced())
"""
# Answers at the pace of PACED, on the port that it is given.
SERVER = """\
import socket, sys, threading, time

def answer(connection):
    while connection.recv(1):
        time.sleep(0.002)
        connection.send(b"1")

listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    threading.Thread(target=answer, args=(listening.accept()[0],), daemon=True).start()
"""
# Short trials, of which two pairs settle a loader that sleeps, also on a busy machine.
SHORT = ("loaderperf_budget = 16", "loaderperf_throughput = 30%")
# As users run it; other runs measure always.
USUAL = {"PYTEST_ADDOPTS": PLAIN}
# With such a tolerance no machine is too busy for a verdict.
WIDE = "--loaderperf-throughput=60%"
# What is measured ends after one pair then, with an error.
SOON = ("-o", "loaderperf_budget=1")
KEY = "test_paced"
NODE = f"test_it.py::{KEY}"


def create(root: Path, *, git: bool = True, ini: str = "", **modules: str) -> Project:
    """A project with one module of checks, or with the modules that are given; not committed."""
    lines = [each for each in SHORT if each.partition(" ")[0] not in ini]
    files = {"pytest.ini": "\n".join(["[pytest]", *lines, ini])}
    project = Project.create(root, files, git=git)
    project.write(**{"paced": PACED, **(modules or {"test_it": CHECK})})
    return project


def accept(
    project: Project,
    *checks: str,
    throughput: float = THROUGHPUT,
    metrics: Sequence[str] = ("throughput", "peak_memory", "first_batch", "cpu_time"),
    workload: Workload = WORKLOAD,
    machine: str = "",
    commit: bool = True,
) -> Path:
    """Write, and commit, baselines of checks; returns the store of the first one's module."""
    values = {
        "throughput": throughput,
        "peak_memory": 6.0 * 2**20,
        "first_batch": 0.002,
        "cpu_time": 1e-5,
    }
    record = Record(
        metrics={name: Stored(value=values[name], spread=0.01) for name in metrics}, versions={}
    )
    entry = Entry(workload=workload, records={machine or machine_class({}): record})
    nodes = checks or (NODE,)
    modules: dict[str, store.Entries] = {}
    for node in nodes:
        module, _, key = node.partition("::")
        modules.setdefault(module, {})[key] = entry
    paths = [store.store_path(project.root, module) for module in modules]
    for path, entries in zip(paths, modules.values(), strict=True):
        store.save(path, entries)
    if commit:
        project.commit("accept the baselines")
    return paths[0]


@dataclass(frozen=True)
class Report:
    """A run, and what pytest's own report file says of each test."""

    run: Run
    outcomes: Mapping[str, str]
    texts: Mapping[str, str]  # what the report shows of a failure, an error or a skip

    @property
    def checks(self) -> dict[str, dict[str, Any]]:
        """What the results file says of each check, by the last part of its node id."""
        return {check["nodeid"].rpartition("::")[2]: check for check in self.run.results["checks"]}


def report(project: Project, *arguments: str, **options: Any) -> Report:
    """Run pytest, and read its report file."""
    file = project.root.parent / f"{project.root.name}-junit.xml"
    run = project.pytest(*arguments, f"--junitxml={file}", **options)
    outcomes: dict[str, str] = {}
    texts: dict[str, str] = {}
    for case in ElementTree.parse(file).iter("testcase"):
        name = case.get("name", "")
        results = [part for part in case if part.tag in ("failure", "error", "skipped")]
        outcomes[name] = results[0].tag if results else "passed"
        texts[name] = "\n".join(f"{part.get('message')}\n{part.text}" for part in results)
    return Report(run, outcomes, texts)


def assert_usage_error(project: Project, *arguments: str, says: list[str]) -> None:
    (project.root / "measured").unlink(missing_ok=True)
    run = project.pytest("--loaderperf", *arguments)
    assert run.status == 4, run.output
    error = run.output[run.output.index("ERROR: ") :]
    for part in says:
        assert part in error
    assert "Traceback" not in run.output
    assert "plugin.py" not in error
    assert not (project.root / "measured").exists()
