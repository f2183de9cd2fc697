"""grain: its DataLoader with worker processes, and its datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kinds.harness import assert_guarded, guard, look, needs

pytestmark = needs("grain")

LOADERS = """\
import time
import grain
import numpy as np

class Slowly(grain.transforms.Map):
    def __init__(self, seconds):
        self.seconds = seconds

    def map(self, index):
        time.sleep(self.seconds)
        return {"image": np.full((3, 2), index), "label": index}

def loader(folder, rows, seconds, worker_count=0, batch=True):
    sampler = grain.samplers.IndexSampler(rows, shuffle=True, seed=0, num_epochs=1)
    operations = [Slowly(seconds), *([grain.transforms.Batch(10)] if batch else [])]
    return grain.DataLoader(
        data_source=grain.sources.RangeDataSource(0, rows, 1), sampler=sampler,
        operations=operations, worker_count=worker_count, worker_buffer_size=2,
    )

def loader_of_rows(folder, rows, seconds):
    return loader(folder, rows, seconds, batch=False)

def loader_with_workers(folder, rows, seconds):
    return loader(folder, rows, seconds, worker_count=2)

def map_dataset(folder, rows, seconds):
    return grain.MapDataset.range(rows).shuffle(seed=0).map(Slowly(seconds)).batch(10)

def map_dataset_of_rows(folder, rows, seconds):
    return grain.MapDataset.range(rows).map(Slowly(seconds))

def iter_dataset(folder, rows, seconds):
    ready = grain.MapDataset.range(rows).map(Slowly(seconds)).to_iter_dataset()
    return ready.batch(10, drop_remainder=True)

def iter_dataset_with_workers(folder, rows, seconds):
    options = grain.multiprocessing.MultiprocessingOptions(num_workers=2)
    ready = grain.MapDataset.range(rows).map(Slowly(seconds)).to_iter_dataset()
    return ready.batch(10).mp_prefetch(options)
"""
COUNTED = {
    "loader": (105, 11),
    "loader_of_rows": (105, 105),
    "loader_with_workers": (105, 12),
    "map_dataset": (105, 11),
    "map_dataset_of_rows": (105, 105),
    "iter_dataset": (100, 10),
    "iter_dataset_with_workers": (105, 12),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return look(tmp_path_factory.mktemp("grain"), LOADERS, list(COUNTED))


@pytest.mark.parametrize("name", COUNTED)
def test_samples_are_counted(found: dict[str, Any], name: str) -> None:
    samples, batches = COUNTED[name]
    assert found[name].get("epochs") == [[samples, batches]] * 2, found[name].get("error")


def test_settings_are_told(found: dict[str, Any]) -> None:
    assert found["loader_with_workers"]["kind"] == "grain DataLoader"
    assert found["loader_with_workers"]["settings"] == {
        "worker_count": 2,
        "worker_buffer_size": 2,
        "start_method": "spawn",
        "num_threads": 16,
    }
    assert found["map_dataset"]["kind"] == "grain MapDataset"
    assert found["map_dataset"]["epoch_batches"] == 11
    assert found["iter_dataset_with_workers"]["kind"] == "grain IterDataset"
    assert found["iter_dataset_with_workers"]["settings"]["num_workers"] == 2
    assert found["iter_dataset_with_workers"]["workers"] == 2


def test_batches_are_described(found: dict[str, Any]) -> None:
    assert found["map_dataset"]["workload"]["batch"] == (
        "dict[image: int64[*,3,2], label: int64[*]]"
    )


def test_a_slowed_loader_fails(tmp_path: Path) -> None:
    assert_guarded(guard(tmp_path, LOADERS, "loader_with_workers", 6000))
