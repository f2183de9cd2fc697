"""torch's DataLoader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kinds.harness import Guarded
from kinds.kind import Expected, Kind, Slowed

LOADERS = """\
import dataclasses
import time
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset
from torch.utils.data import RandomSampler, SequentialSampler, SubsetRandomSampler

torch.set_num_threads(1)

@dataclasses.dataclass
class Pair:
    image: torch.Tensor
    name: str

class Rows(Dataset):
    def __init__(self, rows, seconds=0.0, shape="tuple"):
        self.rows, self.seconds, self.shape = rows, seconds, shape

    def __len__(self):
        return self.rows

    def __getitem__(self, index):
        if isinstance(index, list):
            return torch.stack([self[i][0] for i in index])
        time.sleep(self.seconds)
        image = torch.full((3, 4), float(index))
        return {
            "tuple": (image, index),
            "dict": {"image": image, "meta": {"name": f"row {index}", "label": index}},
            "text": f"row {index}",
            "array": image,
            "pair": Pair(image, "name"),
        }[self.shape]

class Stream(IterableDataset):
    def __init__(self, rows, batch=None):
        self.rows, self.batch = rows, batch

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        first, step = (info.id, info.num_workers) if info else (0, 1)
        for index in range(first, self.rows, step):
            yield torch.zeros(self.batch, 2) if self.batch else (torch.zeros(2), index)

class Sized(Stream):
    def __len__(self):
        return self.rows

def pairs(samples):
    return Pair(torch.stack([s.image for s in samples]), [s.name for s in samples])

def plain(folder, rows, seconds):
    return DataLoader(Rows(rows, seconds), batch_size=10)

def dicts(folder, rows, seconds):
    return DataLoader(Rows(rows, shape="dict"), batch_size=10, drop_last=True)

def texts(folder, rows, seconds):
    return DataLoader(Rows(rows, shape="text"), batch_size=10)

def dataclass_batches(folder, rows, seconds):
    return DataLoader(Rows(rows, shape="pair"), batch_size=10, collate_fn=pairs)

def workers(folder, rows, seconds, **options):
    return DataLoader(Rows(rows, seconds), batch_size=10, num_workers=2, **options)

def persistent(folder, rows, seconds):
    prefetch = 3 if seconds < 0.0015 else 4  # the slowed one is set in another way, too
    return workers(folder, rows, seconds, persistent_workers=True, prefetch_factor=prefetch)

def spawned(folder, rows, seconds):
    return workers(folder, rows, seconds, multiprocessing_context="spawn", persistent_workers=True)

def forkserver(folder, rows, seconds):
    return workers(folder, rows, seconds, multiprocessing_context="forkserver",
                   persistent_workers=True)

def sampled(folder, rows, seconds):
    return DataLoader(Rows(rows), batch_size=10, sampler=SubsetRandomSampler(range(0, rows, 2)))

def batch_sampled(folder, rows, seconds):
    sampler = BatchSampler(RandomSampler(range(rows)), 10, drop_last=True)
    return DataLoader(Rows(rows), batch_sampler=sampler)

def own_batch_sampler(folder, rows, seconds):
    return DataLoader(Rows(rows), batch_sampler=[[0, 1, 2], [3], [4, 5]])

def whole_batches(folder, rows, seconds):
    sampler = BatchSampler(SequentialSampler(range(rows)), 10, drop_last=False)
    return DataLoader(Rows(rows, shape="array"), batch_size=None, sampler=sampler)

def single_rows(folder, rows, seconds):
    return DataLoader(Rows(rows), batch_size=None)

def single_arrays(folder, rows, seconds):
    return DataLoader(Rows(rows, shape="array"), batch_size=None)

def streamed(folder, rows, seconds):
    return DataLoader(Stream(rows), batch_size=10)

def streamed_by_workers(folder, rows, seconds):
    return DataLoader(Sized(rows), batch_size=10, num_workers=3)

def streamed_batches(folder, rows, seconds):
    return DataLoader(Stream(rows, batch=8), batch_size=None)

def streamed_rows(folder, rows, seconds):
    return DataLoader(Stream(rows), batch_size=None)

def pinned(folder, rows, seconds):
    return DataLoader(Rows(rows), batch_size=10, pin_memory=True)

def made_by_a_callable(folder, rows, seconds):
    return lambda: workers(folder, rows, seconds)

def stateful(folder, rows, seconds, num_workers=0):
    from torchdata.stateful_dataloader import StatefulDataLoader
    return StatefulDataLoader(Rows(rows, seconds), batch_size=10, num_workers=num_workers)

def stateful_workers(folder, rows, seconds):
    return stateful(folder, rows, seconds, 2)
"""
# Samples and batches of an epoch, and samples as the loader tells them.
COUNTED = {
    "plain": (105, 11, 105),
    "dicts": (100, 10, 100),
    "texts": (105, 11, 105),
    "dataclass_batches": (105, 11, 105),
    "workers": (105, 11, 105),
    "persistent": (105, 11, 105),
    "spawned": (105, 11, 105),
    "forkserver": (105, 11, 105),
    "sampled": (53, 6, 53),
    "batch_sampled": (100, 10, 100),
    "own_batch_sampler": (6, 3, None),
    "whole_batches": (105, 11, None),
    "single_rows": (105, 105, None),
    "streamed": (105, 11, None),
    "streamed_by_workers": (105, 12, None),
    "streamed_batches": (840, 105, None),
    "pinned": (105, 11, 105),
    "made_by_a_callable": (105, 11, 105),
}
# What else they tell.
TOLD: Mapping[str, dict[str, Any]] = {
    "plain": {
        "settings": {"batch_size": 10, "num_workers": 0, "pin_memory": False},
        "batch": "list[float32[*,3,4], int64[*]]",
    },
    "dicts": {
        "batch": ("dict[image: float32[*,3,4], meta: dict[name: list[str, ...], label: int64[*]]]")
    },
    "texts": {"batch": "list[str, ...]"},
    "dataclass_batches": {"batch": "Pair[image: float32[*,3,4], name: list[str, ...]]"},
    "persistent": {
        "settings": {
            "batch_size": 10,
            "num_workers": 2,
            "prefetch_factor": 3,
            "start_method": "fork",
            "persistent_workers": True,
            "pin_memory": False,
        }
    },
    "spawned": {"among_settings": {"start_method": "spawn"}},
    "forkserver": {"among_settings": {"start_method": "forkserver"}},
    "pinned": {"among_settings": {"pin_memory": True}},
}
# An item may be a sample or a batch, so that must be asked.
UNCLEAR = Expected(error=("may be a sample or a batch", "samples=lambda"))


def _told_apart(guarded: Guarded) -> None:
    """Settings are told, and that those of the slowed loader differ."""
    unchanged, slowed = guarded.result("test_unchanged"), guarded.result("test_slowed")
    assert unchanged["loader"]["kind"] == "torch DataLoader"
    assert unchanged["loader"]["settings"]["prefetch_factor"] == 3
    assert not [note for note in unchanged["notes"] if "settings" in note]
    assert "settings differ: prefetch_factor 3 -> 4" in slowed["notes"]


KIND = Kind(
    needs=("torch",),
    source=LOADERS,
    loaders={
        **{
            name: Expected(
                epoch=(samples, batches), tells={"samples_per_epoch": told}, **TOLD.get(name, {})
            )
            for name, (samples, batches, told) in COUNTED.items()
        },
        "single_arrays": UNCLEAR,
        "streamed_rows": UNCLEAR,
    },
    slowed={"persistent": Slowed(rows=2000, also=_told_apart)},
)
STATEFUL = Kind(
    needs=("torch", "torchdata"),
    source=LOADERS,
    loaders={
        "stateful": Expected(kind="torch DataLoader", tells={"samples_per_epoch": 105}),
        "stateful_workers": Expected(
            kind="torch DataLoader",
            tells={"samples_per_epoch": 105},
            among_settings={"num_workers": 2},
        ),
    },
    slowed={"stateful_workers": Slowed(rows=2000)},
)
