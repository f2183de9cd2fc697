"""torchdata's nodes: a loader without workers of its own."""

from __future__ import annotations

from kinds.kind import Expected, Kind, Slowed

LOADERS = """\
import time
import torch
from torchdata.nodes import Batcher, IterableWrapper, Loader, Mapper, ParallelMapper, Prefetcher

class Row:
    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self, index):
        time.sleep(self.seconds)
        return torch.full((3,), float(index))

def stacked(rows):
    return {"rows": torch.stack(rows)}

def inline(folder, rows, seconds):
    node = Mapper(IterableWrapper(range(rows)), Row(seconds))
    return Loader(Mapper(Batcher(node, 10, drop_last=False), stacked))

def threads(folder, rows, seconds):
    node = ParallelMapper(IterableWrapper(range(rows)), Row(seconds), num_workers=2)
    node = Mapper(Batcher(node, 10, drop_last=False), stacked)
    return Loader(Prefetcher(node, prefetch_factor=4))

def processes(folder, rows, seconds):
    node = ParallelMapper(IterableWrapper(range(rows)), Row(seconds), num_workers=2,
                          method="process", multiprocessing_context="fork")
    return Loader(Mapper(Batcher(node, 10, drop_last=True), stacked))
"""
NAME = "torchdata nodes Loader"
KIND = Kind(
    needs=("torchdata",),
    source=LOADERS,
    loaders={
        "inline": Expected(kind=NAME, settings={"batch_size": 10, "num_workers": 0}),
        "threads": Expected(
            kind=NAME,
            tells={"workers": 0, "prefetch": 8},
            settings={
                "batch_size": 10,
                "num_workers": 2,
                "method": "thread",
                "prefetch_factor": 4,
            },
            batch="dict[rows: float32[*,3]]",
        ),
        "processes": Expected(epoch=(100, 10), kind=NAME, tells={"workers": 2}),
    },
    slowed={"threads": Slowed(rows=2000)},
)
