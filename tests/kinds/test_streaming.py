"""MosaicML's streaming and litdata: local shards, and their own loaders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kinds.harness import assert_guarded, guard, look, needs

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
PACKAGES = [
    pytest.param("streaming", MOSAIC, marks=needs("streaming", "torch")),
    pytest.param("litdata", LITDATA, marks=needs("litdata", "torch")),
]


@pytest.mark.parametrize(("package", "source"), PACKAGES)
def test_samples_are_counted(tmp_path: Path, package: str, source: str) -> None:
    found: dict[str, Any] = look(tmp_path, source, ["samples", "own_loader", "torch_loader"])
    last = {"streaming": ([105, 11], None), "litdata": ([100, 10], 100)}[package]
    expected = {
        "samples": ([105, 105], 105),
        "own_loader": ([105, 11], 105),
        "torch_loader": last,
    }
    for name, (epoch, told) in expected.items():
        assert found[name].get("epochs") == [epoch] * 2, (name, found[name].get("error"))
        assert found[name]["samples_per_epoch"] == told
    assert found["samples"]["kind"] == f"{package} StreamingDataset"
    assert found["own_loader"]["kind"] == f"{package} StreamingDataLoader"
    assert found["own_loader"]["settings"]["num_workers"] == 2
    assert found["own_loader"]["workload"]["batch"] == "dict[image: int64[*,3,2], label: int64[*]]"


@pytest.mark.parametrize(("package", "source"), PACKAGES)
def test_a_slowed_loader_fails(tmp_path: Path, package: str, source: str) -> None:
    # Fresh processes, which confirm, need seconds to import it.
    assert_guarded(guard(tmp_path, source, "own_loader", 2000, budget=40))
