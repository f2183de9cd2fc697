"""What processes hold at their peaks, as memray has written it down; and batches in flight."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_loaderperf import child
from pytest_loaderperf.child.loaderperf_exchange import Exchange
from pytest_loaderperf.child.loaderperf_sources import EXCHANGE, RAN
from pytest_loaderperf.measure import calibration
from pytest_loaderperf.why import memory
from pytest_loaderperf.why.calls import MAIN_PROCESS, WORKERS, Files, Function, Node
from pytest_loaderperf.why.memory import held, in_flight

CHILD = str(Path(child.__file__).parent)
CODE = """\
import os, multiprocessing, sys
import loaderperf_allocations

def keep(mib):
    return bytearray(mib * 2**20)

def work():
    kept = keep(16)
    os._exit(0)

if __name__ == "__main__":
    loaderperf_allocations.tracking(sys.argv[2]).__enter__()
    kept = keep(8)
    for _ in range(2):
        process = multiprocessing.get_context(sys.argv[1]).Process(target=work)
        process.start()
        process.join()
    os._exit(0)
"""


def took(node: Node, *functions: str) -> float:
    """What functions of the project hold, each called by the one before."""
    for name in functions:
        (node,) = (each for key, each in node.children.items() if key.name == name)
    return node.took[0]


def deepest(node: Node, name: str) -> list[Node]:
    found = [each for key, each in node.children.items() if key.name == name and key.ours]
    return found or [each for below in node.children.values() for each in deepest(below, name)]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_each_process_holds_what_it_holds_at_its_own_peak(tmp_path: Path, method: str) -> None:
    pytest.importorskip("memray")
    project, written = tmp_path / "project", tmp_path / "written"
    for folder in (project, written, tmp_path / "ran"):
        folder.mkdir()
    (project / "main.py").write_text(CODE)
    (tmp_path / "exchange").write_text(Exchange("", "", {}).dump())
    variables = {
        "PYTHONPATH": CHILD,
        EXCHANGE: str(tmp_path / "exchange"),
        RAN: str(tmp_path / "ran"),
    }
    command = [sys.executable, "main.py", method, str(written)]
    subprocess.run(command, cwd=project, env=variables, check=True)
    both = held(written, Files(top=str(project)))
    (in_both,) = deepest(both.children[Function(file="", name=WORKERS)], "work")
    assert in_both.took[0] == pytest.approx(32, abs=0.5)
    root = held(written, Files(top=str(project)), count=1)  # the second came after the first
    main = root.children[Function(file="", name=MAIN_PROCESS)]
    workers = root.children[Function(file="", name=WORKERS)]
    (in_main,) = deepest(main, "keep")
    assert in_main.took[0] == pytest.approx(8, abs=0.5)
    assert list(in_main.lines) == [5]
    (in_work,) = deepest(workers, "work")
    assert in_work.took[0] == pytest.approx(16, abs=0.5)
    assert took(in_work, "keep") == pytest.approx(16, abs=0.5)

    subprocess.run(command, cwd=project, env=variables, check=True)  # a second rank
    ranks = held(written, Files(top=str(project)), count=1)
    mains = ranks.children[Function(file="", name=MAIN_PROCESS)]
    assert sum(each.took[0] for each in deepest(mains, "keep")) == pytest.approx(16, abs=0.5)
    (in_works,) = deepest(ranks.children[Function(file="", name=WORKERS)], "work")
    assert in_works.took[0] == pytest.approx(32, abs=0.5)


def side(workers: int, prefetch: int, *seen: Sequence[str]) -> Any:
    return SimpleNamespace(
        memory=[SimpleNamespace(processes=dict.fromkeys(each, 1)) for each in seen],
        loader=SimpleNamespace(workers=workers, prefetch=prefetch),
        values={"throughput": 320.0},
        pace=10.0,  # batches of 32
        workload=SimpleNamespace(bytes_per_sample=2.0**20),
    )


@pytest.mark.parametrize(
    ("told", "seen", "count"),
    [
        (2, [["main"]], 2),
        (0, [["main"], ["main", "child 1", "child 2"], ["main", "child 3"]], 2),
        (0, [["rank 0", "rank 1", "child 1", "child 2", "child 3"]], 2),
        (0, [["main"]], 0),
        (0, [], 0),
    ],
)
def test_workers_are_as_many_as_were_seen_where_the_loader_does_not_tell(
    told: int, seen: list[list[str]], count: int
) -> None:
    assert memory.workers(side(told, 0, *seen)) == count


@pytest.mark.parametrize(("grown", "clear"), [(0.0, True), (1.0, True), (16.0, False)])
def test_a_line_is_named_only_if_it_holds_some_of_what_the_peak_has_grown(
    monkeypatch: pytest.MonkeyPatch, grown: float, *, clear: bool
) -> None:
    trees = []
    for size in (100.5, 100.0):
        tree = Node()
        deep = tree.child(Function(file="x.py", name="load", ours=True))
        for node in (tree, deep):
            node.took = [size] * len(node.took)
        trees.append(tree)
    monkeypatch.setattr(memory, "held", lambda *_: trees.pop(0))
    monkeypatch.setattr(calibration, "calibrate", lambda *_, **__: side(0, 0))
    one: Any = SimpleNamespace(arm=None, nodeid="")
    own, nothing = Files(top=""), cast(Any, None)
    why = memory.why_larger((one, one), (own, own), nothing, nothing, grown)
    assert (why.clear, bool(why.culprits)) == (clear, clear)
    assert why.lost == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("now", "before", "found"),
    [
        ((2, 24), (2, 2), (44, 44 * 32.0)),
        ((2, 2), (2, 2), (0, 0.0)),
        ((0, 0), (2, 2), (-4, -128.0)),
    ],
)
def test_batches_in_flight_are_those_that_all_workers_hold_ahead(
    now: tuple[int, int], before: tuple[int, int], found: tuple[int, float]
) -> None:
    assert in_flight(side(*now), side(*before)) == found
