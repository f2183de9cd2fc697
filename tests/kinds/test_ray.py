"""Ray Data on a local cluster."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from kinds.harness import assert_guarded, guard, look, needs
from pytest_loaderperf.loaders.kinds import ray

pytestmark = needs("ray.data")

LOADERS = """\
import os
import sys
import time
import numpy as np

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
import ray

def start():
    if not ray.is_initialized():
        ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
                 object_store_memory=100 * 2**20)
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        ray.data.DataContext.get_current().enable_progress_bars = False

class Slowly:
    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self, batch):
        for _ in batch["id"]:  # at once it would sleep on where it is frozen
            time.sleep(4 * self.seconds)  # what Ray itself does for it varies
        return {"image": np.zeros((len(batch["id"]), 3, 2), "float32"), "label": batch["id"]}

def data(rows, seconds):
    start()
    blocks = max(21, rows // 100)
    return ray.data.range(rows, override_num_blocks=blocks).map_batches(Slowly(seconds))

def batches(folder, rows, seconds):
    ready = data(rows, seconds)
    return lambda: ready.iter_batches(batch_size=10)

def dataset(folder, rows, seconds):
    return data(rows, seconds)

def iterator(folder, rows, seconds):
    return data(rows, seconds).iterator()
"""


def test_samples_are_counted(tmp_path: Path) -> None:
    found = look(tmp_path, LOADERS, ["batches", "dataset", "iterator"])
    counted = {name: facts.get("epochs") for name, facts in found.items()}
    assert counted == {
        "batches": [[105, 11]] * 2,
        "dataset": [[105, 1]] * 2,
        "iterator": [[105, 1]] * 2,
    }
    assert found["batches"]["kind"] == "factory of ray iter_batches"
    assert found["dataset"]["kind"] == "ray iter_batches"
    assert found["batches"]["workload"]["batch"] == ("dict[image: float32[*,3,2], label: int64[*]]")


def test_a_slowed_dataset_fails(tmp_path: Path) -> None:
    # A cluster takes seconds to start, and so does an epoch.
    assert_guarded(guard(tmp_path, LOADERS, "batches", 20_000, budget=150))


def test_a_cluster_of_others_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Node:
        def __init__(self, head: bool) -> None:
            self.is_head = lambda: head

    worker = ModuleType("ray._private.worker")
    monkeypatch.setitem(sys.modules, "ray._private.worker", worker)
    for node, noted in ((None, False), (Node(True), False), (Node(False), True)):
        worker._global_node = node  # type: ignore[attr-defined]
        known = ray.batches([])
        assert ("has not started this Ray cluster" in known.note) is noted
        assert known.scattered is not noted
