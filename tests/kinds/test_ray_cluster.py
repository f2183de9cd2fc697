"""Shards on the machines of a Ray cluster: three of them here, each with raylet and workers."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from kinds.harness import needs
from support import environment, leftovers, tiny
from support.background import wait_until
from support.project import Project

pytestmark = needs("ray")

MACHINES = 3
MODULES = [f"test_{letter}" for letter in "abcdef"]
CHECKS = """\
import paced
import pytest

@pytest.mark.parametrize("n", range(5))
def test_it(loaderperf, n):
    loaderperf.check(paced.Paced())
"""
EVERY = [f"{module}.py::test_it[{n}]" for module in MODULES for n in range(5)]
SLOWER = CHECKS.replace("paced.Paced()", "Slower() if n == 2 else paced.Paced()").replace(
    "import pytest",
    """\
import pytest
import time

class Slower(paced.Paced):
    def __iter__(self):
        for batch in paced.paced(self.batches):
            time.sleep(0.014)
            yield batch
""",
)


@dataclass(frozen=True)
class Machines:
    """A cluster of this test's own."""

    cluster: Any
    nodes: list[Any]
    temporary: Path


@pytest.fixture
def machines(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machines]:
    """Three machines of two CPUs; all that they start has a temporary folder of its own."""
    from ray.cluster_utils import Cluster

    for name, value in environment.clean(TMPDIR=str(temporary), **tiny.USUAL).items():
        monkeypatch.setenv(name, value)
    cluster = Cluster()
    try:
        yield Machines(cluster, [cluster.add_node(num_cpus=2) for _ in range(MACHINES)], temporary)
    finally:
        cluster.shutdown()
    wait_until(lambda: not leftovers.processes_of(temporary), 60)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Thirty checks in six modules. One check is worse than was accepted, in the working tree."""
    made = tiny.create(tmp_path / "project", test_a=CHECKS)
    made.write(**dict.fromkeys(MODULES, CHECKS))
    tiny.accept(made, *EVERY)
    made.write(test_d=SLOWER)
    return made


def run(
    project: Project,
    machines: Machines,
    *arguments: str,
    nodes: int = MACHINES,
    heard: Callable[[str], None] = lambda line: None,
) -> tuple[int, str]:
    """Measure on the cluster; ``heard`` gets each line as it is printed."""
    command = [sys.executable, "-m", "pytest_loaderperf.ray", f"--nodes={nodes}"]
    command += [f"--address={machines.cluster.address}", *arguments]
    lines = []
    with subprocess.Popen(
        command, cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        watch = threading.Timer(400, process.kill)
        watch.start()
        assert process.stdout is not None
        try:
            for line in process.stdout:
                lines.append(line)
                heard(line)
            status = process.wait()
        finally:
            watch.cancel()
            process.kill()
    return status, "".join(lines)


def test_all_verdicts_are_there_though_a_machine_dies(
    project: Project, machines: Machines, tmp_path: Path
) -> None:
    """As in one run: the shard of the machine that dies is measured again."""
    killed: list[str] = []

    def kill_one(line: str) -> None:
        if "begins on" in line and "this machine" not in line and not killed:
            killed.append(line)  # of the other one all would be lost
            measuring = "pytest_loaderperf.supervisor.cleanup"  # an arm is there
            wait_until(lambda: measuring in str(commands(machines)), 60)
            machines.cluster.remove_node(machine_in(line, machines), allow_graceful=False)

    report = tmp_path / "merged.json"
    reports = [f"--json={report}", f"--html={tmp_path / 'page.html'}"]
    status, output = run(project, machines, *reports, "--", tiny.WIDE, heard=kill_one)
    assert status == 1, output  # one check has regressed
    assert "was lost" in output
    assert "it is measured again" in output
    results = json.loads(report.read_text())
    assert results["problems"] == []
    verdicts = {check["nodeid"]: check["verdict"] for check in results["checks"]}
    assert list(verdicts) == EVERY
    assert {name for name, verdict in verdicts.items() if verdict == "regressed"} == {
        "test_d.py::test_it[2]"
    }
    assert results["commit"] == project.git("rev-parse", "HEAD")
    assert all(name in (tmp_path / "page.html").read_text() for name in EVERY)
    wait_until(lambda: "--loaderperf" not in str(commands(machines)), 60)
    # The cluster still runs, and Ray's own folder is its.
    wait_until(lambda: leftovers.files(machines.temporary) == ["ray"], 30)


def commands(machines: Machines) -> list[list[str]]:
    """What runs, of all that these machines have started."""
    found = []
    for process in leftovers.processes_of(machines.temporary):
        with contextlib.suppress(psutil.Error):  # it has ended
            found.append(process.cmdline())
    return found


def machine_in(line: str, machines: Machines) -> Any:
    """The machine that is named in a line."""
    return next(each for each in machines.nodes if each.node_id[:8] in line)


def test_what_cannot_be_is_said(project: Project, machines: Machines) -> None:
    status, output = run(project, machines, nodes=4)
    assert status == 2
    assert "--nodes 4: the cluster has 3 machines with CPUs" in output
    status, output = run(project, machines, "--", "--loaderperf-json=x.json")
    assert status == 2
    assert "--loaderperf-json is not for pytest here" in output
    status, output = run(project, machines, "--wait=1", "--address=127.0.0.1:1")
    assert status == 2
    assert "there is no Ray cluster at '127.0.0.1:1'" in output
