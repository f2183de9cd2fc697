"""SPDL: pipelines of threads and of processes, on the CPU."""

from __future__ import annotations

from kinds.kind import Expected, Kind, Slowed

LOADERS = """\
import time
import numpy as np
import torch
from spdl.dataloader import DataLoader, get_pytorch_dataloader
from spdl.pipeline import PipelineBuilder

class Slowly:
    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self, index):
        time.sleep(self.seconds)
        return np.full((3, 2), index)

class Rows(torch.utils.data.Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return self.rows

    def __getitem__(self, index):
        return torch.full((3, 2), index)

def loader(folder, rows, seconds):
    return DataLoader(range(rows), preprocessor=Slowly(seconds), batch_size=10,
                      aggregator=np.stack, num_threads=2, buffer_size=4)

def torch_loader(folder, rows, seconds):
    return get_pytorch_dataloader(Rows(rows), batch_size=10, num_workers=2)

def pipeline(folder, rows, seconds):
    def build():
        builder = PipelineBuilder().add_source(range(rows)).pipe(Slowly(seconds), concurrency=2)
        return builder.aggregate(10).pipe(np.stack).add_sink(3).build(num_threads=2)
    return build
"""
BATCH = "int64[*,3,2]"
KIND = Kind(
    needs=("spdl.pipeline", "torch"),
    source=LOADERS,
    loaders={
        "loader": Expected(
            kind="spdl DataLoader",
            settings={"batch_size": 10, "num_threads": 2, "buffer_size": 4},
            batch=BATCH,
        ),
        "torch_loader": Expected(
            kind="spdl PyTorchDataLoader", among_settings={"num_workers": 2}, batch=BATCH
        ),
        "pipeline": Expected(kind="factory of spdl Pipeline", batch=BATCH),
    },
    slowed={"loader": Slowed(rows=6000)},
)
