"""What is asked of a Ray cluster, and what becomes of it: Ray itself is another test's."""

from __future__ import annotations

import itertools
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pytest_loaderperf import ray
from pytest_loaderperf.cluster.bundles import Bundle
from pytest_loaderperf.cluster.node import ShardRun
from pytest_loaderperf.errors import LoaderPerfError

BUNDLE = Bundle(history=b"", changes=b"", commit="0" * 40, prefix="")
DONE = ShardRun(status=0, output="", results=b"{}", patch=b"")


class RayError(Exception):
    pass


class TaskError(RayError):
    cause = "no git"


class Cluster(ray.Cluster):
    """Some machines, of which some are busy with other jobs; the first that measures fails."""

    def __init__(self, names: str, busy: str, failure: type[RayError] = RayError) -> None:
        self._failure = failure
        self.begun: list[tuple[str, int]] = []
        self.waited: list[float] = []
        exceptions = SimpleNamespace(RayTaskError=TaskError, RayError=RayError)
        super().__init__(
            SimpleNamespace(
                remote=lambda **_: lambda function: function,
                put=lambda bundle: bundle,
                wait=lambda answers, timeout: (answers[:1], answers[1:]),
                get=self._get,
                exceptions=exceptions,
            ),
            wait=600,
        )
        self._names, self._busy = names, busy

    def _get(self, answer: int, timeout: float) -> ShardRun:
        if answer == 0:
            raise self._failure("gone")
        return DONE

    def machines(self) -> list[ray.Machine]:
        return [
            ray.Machine(name=each, address=each, here=False, resources={"CPU": 2})
            for each in self._names
        ]

    def reserve(self, machines: Any, wait: float | None = None) -> None:
        self.waited.append(self._wait if wait is None else wait)
        if any(each.name in self._busy for each in machines):
            raise LoaderPerfError("busy")
        for each in machines:
            self._places[each.name] = ray._Place(group=None, index=0)
            self._machines[each.name] = each

    def start(self, name: str, bundle: Any, shard: Any, arguments: Any) -> int:
        self.begun.append((name, shard.number))
        return len(self.begun) - 1


def measured(cluster: Cluster, nodes: int) -> list[int]:
    cluster.reserve(cluster.machines()[:nodes])
    return [shard.number for shard, _ in itertools.islice(cluster.measure(BUNDLE, nodes, []), 9)]


def test_a_lost_shard_goes_to_a_machine_that_is_free() -> None:
    cluster = Cluster("abcd", busy="c")
    assert measured(cluster, 2) == [2, 1]
    assert cluster.begun == [("a", 1), ("b", 2), ("d", 1)]


def test_a_machine_that_cannot_measure_costs_nothing_that_others_have_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster = Cluster("ab", busy="", failure=TaskError)
    assert measured(cluster, 2) == [2, 1]
    assert cluster.begun == [("a", 1), ("b", 2), ("b", 1)]
    told = capsys.readouterr().out
    assert "could not measure it (no git)" in told
    assert "it is measured again" in told


def test_a_busy_machine_does_not_cost_what_others_have_measured() -> None:
    cluster = Cluster("abc", busy="c")
    assert measured(cluster, 2) == [2, 1]
    assert cluster.begun == [("a", 1), ("b", 2), ("b", 1)]
    assert cluster.waited[1] < 60  # others measure meanwhile


def test_where_nobody_else_measures_a_busy_machine_is_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster = Cluster("ab", busy="b")
    assert measured(cluster, 1) == []
    assert cluster.waited == [600, 600]
    assert "shard 1/1: there is no machine left to measure it" in capsys.readouterr().out


@pytest.mark.parametrize("address", ["localhost:99999999", "localhost:port", "localhost:1"])
def test_where_no_cluster_is_that_is_said(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    with pytest.raises(LoaderPerfError, match=f"no Ray cluster at '{address}'"):
        ray.connected(address).__enter__()


@pytest.mark.parametrize("nodes", ["0", "-1", "two", "1.5"])
def test_there_is_a_machine_at_least(nodes: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        ray.main([f"--nodes={nodes}"])
    assert f"'{nodes}': give a number of machines" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argument",
    ["--loaderperf-shard", "--loaderperf-shard=1/2", "--loaderperf-json=x", "--junitxml=x.xml"],
)
def test_files_of_a_shard_are_nobody_elses(
    argument: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        ray.main(["--nodes=1", "--", argument])
    assert f"{argument.partition('=')[0]} is not for pytest here" in capsys.readouterr().err
