"""webdataset: shards that the test writes, shuffle buffers, and its own loader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kinds.harness import assert_guarded, guard, look, needs

pytestmark = needs("webdataset", "torch")

LOADERS = """\
import time
import warnings
import numpy as np
import webdataset as wds

def write(folder, rows):
    for shard in range(4):
        with wds.TarWriter(str(folder / f"{shard}.tar")) as tar:
            for i in range(shard, rows, 4):
                tar.write({"__key__": f"{i:05}", "npy": np.full((3, 2), i), "cls": i})

class Slowly:
    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self, sample):
        time.sleep(self.seconds)
        return sample

def data(folder, rows, seconds):
    urls = [str(folder / f"{shard}.tar") for shard in range(4)]
    return (wds.WebDataset(urls, shardshuffle=False).shuffle(20).decode()
            .to_tuple("npy", "cls").map(Slowly(seconds)))

def samples(folder, rows, seconds):
    return data(folder, rows, seconds)

def batches(folder, rows, seconds):
    return data(folder, rows, seconds).batched(10)

def full_batches(folder, rows, seconds):
    return data(folder, rows, seconds).batched(10, partial=False)

def loader(folder, rows, seconds):
    return wds.WebLoader(batches(folder, rows, seconds), batch_size=None, num_workers=2)

def rebatched(folder, rows, seconds):
    ready = wds.WebLoader(batches(folder, rows, seconds), batch_size=None, num_workers=2)
    return ready.unbatched().shuffle(30).batched(10)

def epoch(folder, rows, seconds):
    return wds.WebLoader(batches(folder, rows, seconds), batch_size=None).with_epoch(7)

def unbatched(folder, rows, seconds):
    return wds.WebLoader(batches(folder, rows, seconds), batch_size=None).unbatched()
"""
COUNTED = {
    "samples": (105, 105, None),
    "batches": (105, 11, None),
    "full_batches": (100, 10, None),
    "loader": (105, 12, None),
    "rebatched": (105, 11, None),
    "epoch": (70, 7, 7),
    "unbatched": (105, 105, None),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return look(tmp_path_factory.mktemp("webdataset"), LOADERS, list(COUNTED))


@pytest.mark.parametrize("name", COUNTED)
def test_samples_are_counted(found: dict[str, Any], name: str) -> None:
    samples, batches, told = COUNTED[name]
    assert found[name].get("epochs") == [[samples, batches]] * 2, found[name].get("error")
    assert found[name]["epoch_batches"] == told


def test_settings_are_those_of_the_loader_inside(found: dict[str, Any]) -> None:
    assert found["batches"]["kind"] == "webdataset pipeline"
    assert found["loader"]["kind"] == "webdataset WebLoader"
    assert found["loader"]["workers"] == 2
    assert found["loader"]["settings"]["start_method"] == "fork"


def test_batches_are_described(found: dict[str, Any]) -> None:
    assert found["loader"]["workload"]["batch"] == "list[int64[*,3,2], int64[*]]"


def test_a_slowed_loader_fails(tmp_path: Path) -> None:
    assert_guarded(guard(tmp_path, LOADERS, "loader", 4000))
