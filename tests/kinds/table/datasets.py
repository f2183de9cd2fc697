"""Hugging Face's datasets: rows one at a time, in batches, and through a DataLoader."""

from __future__ import annotations

from kinds.kind import Expected, Kind, Slowed

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
ALL, UNKNOWN = {"samples_per_epoch": 105}, {"samples_per_epoch": None}
KIND = Kind(
    needs=("datasets", "torch"),
    source=LOADERS,
    loaders={
        "single_rows": Expected(
            epoch=(105, 105), kind="datasets Dataset", tells=ALL, settings={"format": "python"}
        ),
        "torch_rows": Expected(epoch=(105, 105), tells=ALL, settings={"format": "torch"}),
        "batches": Expected(
            tells=UNKNOWN, batch="dict[label: int64[*], pixels: float32[*,6], text: str[*]]"
        ),
        "ragged_batches": Expected(
            tells=UNKNOWN,
            batch=(
                "dict[label: list[int, ...], pixels: list[list[float, ...], ...], "
                "text: list[str, ...], tokens: list[list[int, ...], ...]]"
            ),
        ),
        "batched_rows": Expected(error=("may be a sample or a batch",)),
        "read_rows": Expected(
            epoch=(105, 105),
            kind="datasets IterableDataset",
            tells=UNKNOWN,
            settings={"format": "numpy"},
        ),
        "read_batches": Expected(tells=UNKNOWN),
        "through_a_loader": Expected(tells=ALL),
        "read_through_a_loader": Expected(epoch=(105, 12), tells=UNKNOWN),
    },
    slowed={"through_a_loader": Slowed(rows=2000), "read_batches": Slowed(rows=2000)},
)
