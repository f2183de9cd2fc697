"""Wrappers around a DataLoader: timm's prefetcher, accelerate's loader, MONAI's threads."""

from __future__ import annotations

from kinds.kind import Expected, Kind, Slowed

ROWS = """\
import time
import torch
from torch.utils.data import DataLoader, Dataset

torch.set_num_threads(1)

class Rows(Dataset):
    def __init__(self, rows, seconds):
        self.rows, self.seconds = rows, seconds

    def __len__(self):
        return self.rows

    def __getitem__(self, index):
        time.sleep(self.seconds)
        return torch.zeros(3, 8, 8, dtype=torch.uint8), index

OPTIONS = {"batch_size": 10, "num_workers": 2, "persistent_workers": True}
"""
TIMM_LOADERS = """\
from timm.data.loader import MultiEpochsDataLoader, PrefetchLoader

def prefetched(folder, rows, seconds):
    return PrefetchLoader(DataLoader(Rows(rows, seconds), **OPTIONS), device=torch.device("cpu"))

def kept(folder, rows, seconds):
    return MultiEpochsDataLoader(Rows(rows, seconds), **OPTIONS)
"""
ACCELERATE_LOADERS = """\
import accelerate

def prepared(folder, rows, seconds):
    accelerator = accelerate.Accelerator(cpu=True)
    return accelerator.prepare_data_loader(DataLoader(Rows(rows, seconds), **OPTIONS))

def skipped(folder, rows, seconds):
    return accelerate.skip_first_batches(prepared(folder, rows, seconds), 3)
"""
MONAI_LOADERS = """\
from monai.data import ThreadBuffer, ThreadDataLoader

def ahead(folder, rows, seconds):
    return ThreadDataLoader(Rows(rows, seconds), **OPTIONS)

def threads(folder, rows, seconds):
    options = {"batch_size": 10, "num_workers": 2, "use_thread_workers": True}
    return ThreadDataLoader(Rows(rows, seconds), **options)

def buffered(folder, rows, seconds):
    return ThreadBuffer(DataLoader(Rows(rows, seconds), **OPTIONS))
"""
TOLD = {"workers": 2, "prefetch": 2, "epoch_batches": 11, "samples_per_epoch": 105}
SETTINGS = {
    "batch_size": 10,
    "num_workers": 2,
    "prefetch_factor": 2,
    "start_method": "fork",
    "persistent_workers": True,
    "pin_memory": False,
}
TIMM = Kind(
    needs=("torch", "timm"),
    source=ROWS + TIMM_LOADERS,
    loaders={
        "prefetched": Expected(
            kind="PrefetchLoader of torch DataLoader",
            tells=TOLD,
            settings=SETTINGS,
            batch="tuple[float32[*,3,8,8], int64[*]]",
        ),
        "kept": Expected(kind="torch DataLoader", tells=TOLD, settings=SETTINGS),
    },
    slowed={"prefetched": Slowed(rows=2000)},
)
ACCELERATE = Kind(
    needs=("torch", "accelerate"),
    source=ROWS + ACCELERATE_LOADERS,
    loaders={
        "prepared": Expected(kind="torch DataLoader", tells=TOLD, settings=SETTINGS),
        "skipped": Expected(
            epoch=(75, 8), tells={"workers": 2, "epoch_batches": 8, "samples_per_epoch": None}
        ),
    },
    slowed={"prepared": Slowed(rows=2000)},
)
MONAI = Kind(
    needs=("torch", "monai"),
    source=ROWS + MONAI_LOADERS,
    loaders={
        "ahead": Expected(kind="torch DataLoader", tells=TOLD, settings=SETTINGS),
        "threads": Expected(
            tells={"workers": 0, "prefetch": 4, "samples_per_epoch": 105},
            among_settings={"num_workers": 2, "start_method": "thread"},
        ),
        "buffered": Expected(
            kind="ThreadBuffer of torch DataLoader",
            tells={"workers": 2, "epoch_batches": None, "samples_per_epoch": None},
            settings=SETTINGS,
        ),
    },
    slowed={"ahead": Slowed(rows=2000), "threads": Slowed(rows=2000)},
)
