"""Hugging Face's datasets: rows one at a time, in batches, and through a DataLoader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kinds.harness import assert_guarded, guard, look, needs

pytestmark = needs("datasets", "torch")

LOADERS = """\
import time
import datasets
from torch.utils.data import DataLoader

datasets.disable_progress_bars()

class Slowly:
    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self, batch):
        time.sleep(self.seconds * len(batch["label"]))
        return {"label": batch["label"], "pixels": batch["pixels"]}

def columns(rows):
    return {"label": list(range(rows)), "pixels": [[float(i)] * 6 for i in range(rows)],
            "text": [f"row {i}" for i in range(rows)],
            "tokens": [[i] * (i % 4 + 1) for i in range(rows)]}

def data(rows):
    return datasets.Dataset.from_dict(columns(rows))

def single_rows(folder, rows, seconds):
    return data(rows)

def torch_rows(folder, rows, seconds):
    return data(rows).select_columns(["label", "pixels"]).with_format("torch")

def batches(folder, rows, seconds):
    ready = data(rows).select_columns(["label", "pixels", "text"]).with_format("numpy")
    return lambda: ready.iter(batch_size=10)

def ragged_batches(folder, rows, seconds):
    ready = data(rows)
    return lambda: ready.iter(batch_size=10)

def batched_rows(folder, rows, seconds):
    return data(rows).select_columns(["label", "pixels"]).batch(10)

def read_rows(folder, rows, seconds):
    def generate():
        for i in range(rows):
            time.sleep(seconds)
            yield {"label": i, "pixels": [float(i)] * 6}
    return datasets.IterableDataset.from_generator(generate).with_format("numpy")

def read_batches(folder, rows, seconds):
    ready = read_rows(folder, rows, seconds).shuffle(seed=0, buffer_size=20).with_format("torch")
    return lambda: ready.iter(batch_size=10)

def labels(rows):
    return {"label": [row["label"] for row in rows]}

def through_a_loader(folder, rows, seconds):
    ready = data(rows).with_transform(Slowly(seconds), columns=["label", "pixels"])
    return DataLoader(ready, batch_size=10, collate_fn=labels)

def read_through_a_loader(folder, rows, seconds):
    ready = data(rows).select_columns(["label", "pixels"]).to_iterable_dataset(num_shards=4)
    return DataLoader(ready.with_format("torch"), batch_size=10, num_workers=2)
"""
COUNTED = {
    "single_rows": (105, 105, 105),
    "torch_rows": (105, 105, 105),
    "batches": (105, 11, None),
    "ragged_batches": (105, 11, None),
    "read_rows": (105, 105, None),
    "read_batches": (105, 11, None),
    "through_a_loader": (105, 11, 105),
    "read_through_a_loader": (105, 12, None),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return look(tmp_path_factory.mktemp("datasets"), LOADERS, [*COUNTED, "batched_rows"])


@pytest.mark.parametrize("name", COUNTED)
def test_samples_are_counted(found: dict[str, Any], name: str) -> None:
    samples, batches, told = COUNTED[name]
    assert found[name].get("epochs") == [[samples, batches]] * 2, found[name].get("error")
    assert found[name]["samples_per_epoch"] == told


def test_rows_that_may_be_batches_are_asked_for(found: dict[str, Any]) -> None:
    assert "may be a sample or a batch" in found["batched_rows"]["error"]


def test_formats_are_told(found: dict[str, Any]) -> None:
    assert found["single_rows"]["kind"] == "datasets Dataset"
    assert found["single_rows"]["settings"] == {"format": "python"}
    assert found["torch_rows"]["settings"] == {"format": "torch"}
    assert found["read_rows"]["kind"] == "datasets IterableDataset"
    assert found["read_rows"]["settings"] == {"format": "numpy"}


def test_batches_are_described(found: dict[str, Any]) -> None:
    assert found["batches"]["workload"]["batch"] == (
        "dict[label: int64[*], pixels: float32[*,6], text: str[*]]"
    )
    assert found["ragged_batches"]["workload"]["batch"] == (
        "dict[label: list[int, ...], pixels: list[list[float, ...], ...], text: list[str, ...], "
        "tokens: list[list[int, ...], ...]]"
    )


@pytest.mark.parametrize("name", ["through_a_loader", "read_batches"])
def test_a_slowed_dataset_fails(tmp_path: Path, name: str) -> None:
    assert_guarded(guard(tmp_path, LOADERS, name, 2000))
