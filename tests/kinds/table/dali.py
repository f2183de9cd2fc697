"""NVIDIA DALI: pipelines on the CPU."""

from __future__ import annotations

from kinds.kind import Expected, Kind, Slowed

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
KIND = Kind(
    needs=("nvidia.dali", "torch"),
    source=LOADERS,
    loaders={
        "partial": Expected(
            tells={"epoch_batches": 11},
            settings={
                "batch_size": 10,
                "pipelines": 1,
                "num_threads": 1,
                "last_batch_policy": "PARTIAL",
            },
            batch="list[dict[data: int64[*,3,2]], ...]",
        ),
        "filled": Expected(epoch=(100, 10)),
        "two_pipelines": Expected(epoch=(105, 6)),
    },
    slowed={"partial": Slowed(rows=1000)},
)
