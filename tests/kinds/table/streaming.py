"""MosaicML's streaming and litdata: local shards, and their own loaders."""

from __future__ import annotations

from kinds.kind import Expected, Kind, Slowed

MOSAIC = """\
import time
import numpy as np
from streaming import MDSWriter, StreamingDataLoader, StreamingDataset
from torch.utils.data import DataLoader

def write(folder, rows):
    with MDSWriter(out=str(folder / "rows"), columns={"image": "ndarray", "label": "int"},
                   size_limit=2000) as out:
        for i in range(rows):
            out.write({"image": np.full((3, 2), i), "label": i})

class Rows(StreamingDataset):
    def __init__(self, folder, seconds):
        super().__init__(local=str(folder / "rows"), batch_size=10, shuffle=True)
        self.seconds = seconds

    def __getitem__(self, index):
        time.sleep(self.seconds)
        return super().__getitem__(index)

def samples(folder, rows, seconds):
    return Rows(folder, seconds)

def own_loader(folder, rows, seconds):
    return StreamingDataLoader(Rows(folder, seconds), batch_size=10, num_workers=2)

def torch_loader(folder, rows, seconds):
    return DataLoader(Rows(folder, seconds), batch_size=10)
"""
LITDATA = """\
import time
import torch
from litdata import StreamingDataLoader, StreamingDataset
from litdata.streaming.writer import BinaryWriter

def write(folder, rows):
    writer = BinaryWriter(str(folder / "rows"), chunk_size=20)
    for i in range(rows):
        writer[i] = {"image": torch.full((3, 2), i), "label": i}
    writer.done()
    writer.merge()

class Rows(StreamingDataset):
    def __init__(self, folder, seconds):
        super().__init__(str(folder / "rows"), shuffle=True)
        self.seconds = seconds

    def __getitem__(self, index):
        time.sleep(self.seconds)
        return super().__getitem__(index)

def samples(folder, rows, seconds):
    return Rows(folder, seconds)

def own_loader(folder, rows, seconds):
    return StreamingDataLoader(Rows(folder, seconds), batch_size=10, num_workers=2)

def torch_loader(folder, rows, seconds):
    return StreamingDataLoader(Rows(folder, seconds), batch_size=10, drop_last=True)
"""


def _kind(package: str, source: str, *, last: Expected) -> Kind:
    return Kind(
        needs=(package, "torch"),
        source=source,
        loaders={
            "samples": Expected(
                epoch=(105, 105),
                kind=f"{package} StreamingDataset",
                tells={"samples_per_epoch": 105},
            ),
            "own_loader": Expected(
                kind=f"{package} StreamingDataLoader",
                tells={"samples_per_epoch": 105},
                among_settings={"num_workers": 2},
                batch="dict[image: int64[*,3,2], label: int64[*]]",
            ),
            "torch_loader": last,
        },
        # Fresh processes, which confirm, need seconds to import it.
        slowed={"own_loader": Slowed(rows=2000, budget=40)},
    )


STREAMING = _kind("streaming", MOSAIC, last=Expected(tells={"samples_per_epoch": None}))
LITDATA_KIND = _kind(
    "litdata", LITDATA, last=Expected(epoch=(100, 10), tells={"samples_per_epoch": 100})
)
