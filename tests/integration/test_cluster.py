"""A shard on a machine that the project was sent to; the sending is another test's."""

from __future__ import annotations

import contextlib
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_loaderperf.cluster import bundles
from pytest_loaderperf.cluster.node import ShardRun
from support import environment, leftovers, tiny
from support.background import SECONDS, wait_until
from support.project import Project

# Stands for the process that is told to measure.
WORKER = """\
import pickle, sys
from pathlib import Path
from pytest_loaderperf.cluster import node
from pytest_loaderperf.model.shards import Shard

file, shard, *arguments = sys.argv[1:]
bundle = pickle.loads(Path(file).read_bytes())
measured = node.measure(bundle, Shard.parse(shard), arguments)
Path(file).write_bytes(pickle.dumps(measured))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two modules, of which the one that is not committed yet has no baseline."""
    made = tiny.create(tmp_path_factory.mktemp("cluster") / "project", test_a=tiny.CHECK)
    tiny.accept(made, "test_a.py::test_paced")
    made.write(test_b=tiny.CHECK)
    return made


@contextlib.contextmanager
def worker(
    project: Project, folder: Path, shard: str, *arguments: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that measures a shard of a project that it was sent; it uses a folder alone."""
    temporary = folder / "temporary"
    temporary.mkdir()
    (folder / "bundle").write_bytes(pickle.dumps(bundles.pack(project.root)))
    command = [sys.executable, "-c", WORKER, str(folder / "bundle"), shard, *arguments]
    variables = environment.clean(TMPDIR=str(temporary))
    with subprocess.Popen(command, cwd=folder, env=variables) as process:
        try:
            yield process
        finally:
            process.kill()


def answer(folder: Path) -> ShardRun:
    measured = pickle.loads((folder / "bundle").read_bytes())
    assert isinstance(measured, ShardRun)
    return measured


def test_a_shard_is_measured_where_the_project_was_sent(project: Project, tmp_path: Path) -> None:
    with worker(project, tmp_path, "2/2", "--loaderperf-update=new", tiny.WIDE) as process:
        assert process.wait(120) == 0
    measured = answer(tmp_path)
    assert measured.status == 0, measured.output
    assert "loaderperf: shard 2/2, 1 check" in measured.output
    assert measured.results is not None
    results = json.loads(measured.results)
    assert [check["nodeid"] for check in results["checks"]] == ["test_b.py::test_paced"]
    assert results["commit"] == project.git("rev-parse", "HEAD")
    assert b"+++ b/baselines/" in measured.patch  # it has a baseline now
    assert b"test_b" in measured.patch
    assert not (project.root / "baselines" / "test_b.json").exists()  # not here
    assert not leftovers.processes_of(tmp_path)
    assert not leftovers.files(tmp_path / "temporary")


def test_where_nobody_waits_any_more_nothing_goes_on(project: Project, tmp_path: Path) -> None:
    with worker(project, tmp_path, "1/1", "--loaderperf-budget=200") as process:
        wait_until(lambda: len(leftovers.processes_of(tmp_path)) > 4, 60)
        process.kill()
        process.wait()
    wait_until(lambda: not leftovers.processes_of(tmp_path), SECONDS)
    wait_until(lambda: not leftovers.files(tmp_path / "temporary"), SECONDS)
