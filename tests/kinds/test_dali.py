"""NVIDIA DALI: pipelines on the CPU where its package is installed, a recorded batch elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinds.harness import assert_guarded, guard, look, needs
from pytest_loaderperf.loaders.batches import example
from pytest_loaderperf.loaders.kinds import dali

LOADERS = """\
import time
import warnings
import numpy as np
from nvidia.dali import fn, pipeline_def
from nvidia.dali.plugin.pytorch import DALIGenericIterator, LastBatchPolicy

warnings.simplefilter("ignore")

def write(folder, rows):
    for i in range(rows):
        np.save(folder / f"{i:05}.npy", np.full((3, 2), i, dtype="int64"))

def pipeline(folder, seconds, shard=0, shards=1):
    def slowly(row):
        time.sleep(seconds)
        return row

    @pipeline_def(batch_size=10, num_threads=1, device_id=None, exec_async=False,
                  exec_pipelined=False)
    def read():
        rows = fn.readers.numpy(file_root=str(folder), file_filter="*.npy", name="rows",
                                shard_id=shard, num_shards=shards)
        return fn.python_function(rows, function=slowly) if seconds else rows

    return read()

def partial(folder, rows, seconds):
    return DALIGenericIterator(pipeline(folder, seconds), ["data"], reader_name="rows",
                               last_batch_policy=LastBatchPolicy.PARTIAL, auto_reset=True)

def filled(folder, rows, seconds):
    return DALIGenericIterator(pipeline(folder, seconds), ["data"], reader_name="rows",
                               last_batch_policy=LastBatchPolicy.DROP)

def two_pipelines(folder, rows, seconds):
    pipelines = [pipeline(folder, seconds, shard, 2) for shard in range(2)]
    return DALIGenericIterator(pipelines, ["data"], reader_name="rows",
                               last_batch_policy=LastBatchPolicy.PARTIAL, auto_reset=True)
"""


def test_samples_of_a_recorded_batch_are_those_of_all_pipelines() -> None:
    """What an iterator over two GPUs gave: a list with a dict for each."""
    gpu = {"data": np.zeros((8, 3, 224, 224), "float32"), "label": np.zeros((8, 1), "int32")}
    last = {"data": np.zeros((5, 3, 224, 224), "float32"), "label": np.zeros((5, 1), "int32")}
    assert dali.count([gpu, gpu]) == 16
    assert dali.count([gpu, last]) == 13
    assert dali.count(gpu) == 8
    looked_at = example([gpu], dali.count)
    assert looked_at.samples == 8
    assert looked_at.signature == ("list[dict[data: float32[*,3,224,224], label: int32[*,1]], ...]")


@needs("nvidia.dali", "torch")
def test_samples_are_counted(tmp_path: Path) -> None:
    found: dict[str, Any] = look(tmp_path, LOADERS, ["partial", "filled", "two_pipelines"])
    counted = {name: facts.get("epochs") for name, facts in found.items()}
    assert counted == {
        "partial": [[105, 11]] * 2,
        "filled": [[100, 10]] * 2,
        "two_pipelines": [[105, 6]] * 2,
    }
    assert found["partial"]["epoch_batches"] == 11
    assert found["partial"]["settings"] == {
        "batch_size": 10,
        "pipelines": 1,
        "num_threads": 1,
        "last_batch_policy": "PARTIAL",
    }
    assert found["partial"]["workload"]["batch"] == "list[dict[data: int64[*,3,2]], ...]"


@needs("nvidia.dali", "torch")
def test_a_slowed_pipeline_fails(tmp_path: Path) -> None:
    assert_guarded(guard(tmp_path, LOADERS, "partial", 1000))


@pytest.mark.parametrize("name", ["nvidia.dali.plugin.base_iterator"])
def test_its_iterators_are_looked_for_where_they_are(name: str) -> None:
    assert [kind.module for kind in dali.KINDS] == [name]
