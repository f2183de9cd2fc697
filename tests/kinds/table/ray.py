"""Ray Data on a local cluster."""

from __future__ import annotations

from kinds.kind import Expected, Kind, Slowed

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
KIND = Kind(
    needs=("ray.data",),
    source=LOADERS,
    loaders={
        "batches": Expected(
            kind="factory of ray iter_batches",
            batch="dict[image: float32[*,3,2], label: int64[*]]",
        ),
        "dataset": Expected(epoch=(105, 1), kind="ray iter_batches"),
        "iterator": Expected(epoch=(105, 1)),
    },
    # A cluster takes seconds to start, and so does an epoch.
    slowed={"batches": Slowed(rows=20_000, budget=150)},
)
