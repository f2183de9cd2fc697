"""grain: its DataLoader with worker processes, and its datasets."""

from __future__ import annotations

from kinds.kind import Expected, Kind, Slowed

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
KIND = Kind(
    needs=("grain",),
    source=LOADERS,
    loaders={
        "loader": Expected(),
        "loader_of_rows": Expected(epoch=(105, 105)),
        "loader_with_workers": Expected(
            epoch=(105, 12),
            kind="grain DataLoader",
            settings={
                "worker_count": 2,
                "worker_buffer_size": 2,
                "start_method": "spawn",
                "num_threads": 16,
            },
        ),
        "map_dataset": Expected(
            kind="grain MapDataset",
            tells={"epoch_batches": 11},
            batch="dict[image: int64[*,3,2], label: int64[*]]",
        ),
        "map_dataset_of_rows": Expected(epoch=(105, 105)),
        "iter_dataset": Expected(epoch=(100, 10)),
        "iter_dataset_with_workers": Expected(
            epoch=(105, 12),
            kind="grain IterDataset",
            tells={"workers": 2},
            among_settings={"num_workers": 2},
        ),
    },
    slowed={"loader_with_workers": Slowed(rows=6000)},
)
