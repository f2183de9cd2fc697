"""torch's DataLoader, and torchdata's StatefulDataLoader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kinds.harness import assert_guarded, guard, look, needs

pytestmark = needs("torch")

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
# Samples and batches of an epoch of 105 rows, and samples as the loader tells them.
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
UNCLEAR = ("single_arrays", "streamed_rows")
STATEFUL = {"stateful": (105, 11, 105), "stateful_workers": (105, 11, 105)}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return look(tmp_path_factory.mktemp("torch"), LOADERS, [*COUNTED, *UNCLEAR])


@pytest.mark.parametrize("name", COUNTED)
def test_samples_are_counted(found: dict[str, Any], name: str) -> None:
    samples, batches, told = COUNTED[name]
    assert found[name]["epochs"] == [[samples, batches]] * 2, found[name].get("error")
    assert found[name]["samples_per_epoch"] == told


@pytest.mark.parametrize("name", UNCLEAR)
def test_where_an_item_may_be_a_sample_or_a_batch_that_is_asked(
    found: dict[str, Any], name: str
) -> None:
    assert "may be a sample or a batch" in found[name]["error"]
    assert "samples=lambda" in found[name]["error"]


def test_settings_are_told(found: dict[str, Any]) -> None:
    assert found["plain"]["settings"] == {"batch_size": 10, "num_workers": 0, "pin_memory": False}
    assert found["persistent"]["settings"] == {
        "batch_size": 10,
        "num_workers": 2,
        "prefetch_factor": 3,
        "start_method": "fork",
        "persistent_workers": True,
        "pin_memory": False,
    }
    assert found["spawned"]["settings"]["start_method"] == "spawn"
    assert found["forkserver"]["settings"]["start_method"] == "forkserver"
    assert found["pinned"]["settings"]["pin_memory"] is True


def test_batches_are_described(found: dict[str, Any]) -> None:
    assert {name: found[name]["workload"]["batch"] for name in ("plain", "dicts", "texts")} == {
        "plain": "list[float32[*,3,4], int64[*]]",
        "dicts": "dict[image: float32[*,3,4], meta: dict[name: list[str, ...], label: int64[*]]]",
        "texts": "list[str, ...]",
    }
    assert found["dataclass_batches"]["workload"]["batch"] == (
        "Pair[image: float32[*,3,4], name: list[str, ...]]"
    )


@needs("torchdata")
def test_a_stateful_loader(tmp_path: Path) -> None:
    found = look(tmp_path, LOADERS, list(STATEFUL))
    for name, (samples, batches, told) in STATEFUL.items():
        assert found[name]["kind"] == "torch DataLoader"
        assert found[name]["epochs"] == [[samples, batches]] * 2
        assert found[name]["samples_per_epoch"] == told
    assert found["stateful_workers"]["settings"]["num_workers"] == 2


def test_a_slowed_loader_fails(tmp_path: Path) -> None:
    guarded = guard(tmp_path, LOADERS, "persistent", 2000)
    assert_guarded(guarded)
    unchanged, slowed = guarded.result("test_unchanged"), guarded.result("test_slowed")
    assert unchanged["loader"]["kind"] == "torch DataLoader"
    assert unchanged["loader"]["settings"]["prefetch_factor"] == 3
    assert not [note for note in unchanged["notes"] if "settings" in note]
    assert "settings differ: prefetch_factor 3 -> 4" in slowed["notes"]


@needs("torchdata")
def test_a_slowed_stateful_loader_fails(tmp_path: Path) -> None:
    assert_guarded(guard(tmp_path, LOADERS, "stateful_workers", 2000))
