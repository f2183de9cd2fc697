"""Lightning's data modules: set up, and asked for the loader that is named."""

from __future__ import annotations

from kinds.kind import Expected, Kind, Slowed

LOADERS = """\
import time
import lightning
import torch
from torch.utils.data import DataLoader, Dataset

class Rows(Dataset):
    def __init__(self, rows, seconds):
        self.rows, self.seconds = rows, seconds

    def __len__(self):
        return self.rows

    def __getitem__(self, index):
        time.sleep(self.seconds)
        return torch.full((3,), float(index)), index

class Module(lightning.LightningDataModule):
    def __init__(self, rows, seconds):
        super().__init__()
        self.count, self.seconds = rows, seconds

    def setup(self, stage):
        self.rows = Rows(self.count, self.seconds)
        self.stage = stage

    def train_dataloader(self):
        assert self.stage == "fit"
        return DataLoader(self.rows, batch_size=10, num_workers=2, persistent_workers=True)

    def val_dataloader(self):
        assert self.stage == "validate"
        return DataLoader(Rows(self.count // 2, 0.0), batch_size=20)

    def predict_dataloader(self):
        return [DataLoader(self.rows), DataLoader(self.rows)]

    def test_dataloader(self):
        return None

def module(folder, rows, seconds):
    return Module(rows, seconds)

def train(folder, rows, seconds):
    return Module(rows, seconds).train_dataloader

def validation(folder, rows, seconds):
    return Module(rows, seconds).val_dataloader

def made(folder, rows, seconds):
    return lambda: Module(rows, seconds)

def several(folder, rows, seconds):
    return Module(rows, seconds).predict_dataloader

def none(folder, rows, seconds):
    return Module(rows, seconds).test_dataloader
"""
KIND = Kind(
    needs=("lightning", "torch"),
    source=LOADERS,
    loaders={
        "module": Expected(kind="Lightning train_dataloader of torch DataLoader"),
        "train": Expected(among_settings={"num_workers": 2}),
        "validation": Expected(
            epoch=(52, 3),
            kind="Lightning val_dataloader of torch DataLoader",
            among_settings={"batch_size": 20},
        ),
        "made": Expected(),
        "several": Expected(error=("predict_dataloader() gave 2 loaders in a list",)),
        "none": Expected(error=("test_dataloader() made a NoneType, which cannot be iterated",)),
    },
    slowed={"module": Slowed(rows=2000, budget=90)},
)
