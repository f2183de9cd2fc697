"""torchdata's nodes: a loader without workers of its own."""

from __future__ import annotations

from pathlib import Path

from kinds.harness import assert_guarded, guard, look, needs

pytestmark = needs("torchdata")

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


def test_samples_are_counted(tmp_path: Path) -> None:
    found = look(tmp_path, LOADERS, ["inline", "threads", "processes"])
    counted = {name: facts["epochs"] for name, facts in found.items()}
    assert counted == {
        "inline": [[105, 11]] * 2,
        "threads": [[105, 11]] * 2,
        "processes": [[100, 10]] * 2,
    }
    assert {facts["kind"] for facts in found.values()} == {"torchdata nodes Loader"}
    assert found["inline"]["settings"] == {"batch_size": 10, "num_workers": 0}
    assert found["threads"]["settings"] == {
        "batch_size": 10,
        "num_workers": 2,
        "method": "thread",
        "prefetch_factor": 4,
    }
    assert found["threads"]["workers"] == 0
    assert found["threads"]["prefetch"] == 8
    assert found["processes"]["workers"] == 2
    assert found["threads"]["workload"]["batch"] == "dict[rows: float32[*,3]]"


def test_a_slowed_loader_fails(tmp_path: Path) -> None:
    assert_guarded(guard(tmp_path, LOADERS, "threads", 2000))
