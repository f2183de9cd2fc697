"""Batches that are not collated, and records of all packages."""

from __future__ import annotations

from kinds.kind import Expected, Kind, Slowed

LOADERS = """\
import time
import attrs
import numpy as np
import pydantic
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

torch.set_num_threads(1)

@attrs.define
class Attrs:
    image: object
    label: object

class Model(pydantic.BaseModel, arbitrary_types_allowed=True):
    image: object
    label: object

class Rows(Dataset):
    def __init__(self, rows, make, seconds=0.0):
        self.rows, self.make, self.seconds = rows, make, seconds

    def __len__(self):
        return self.rows

    def __getitem__(self, index):
        time.sleep(self.seconds)
        return self.make(index)

def as_they_are(rows, make, seconds=0.0):
    return DataLoader(Rows(rows, make, seconds), batch_size=10, collate_fn=list)

def image(index):
    return torch.full((3, 16, 16), float(index))

def labelled(folder, rows, seconds):
    return as_they_are(rows, lambda i: (image(i), i), seconds)

def images(folder, rows, seconds):
    return as_they_are(rows, image)

def last_colours(folder, rows, seconds):
    return as_they_are(rows, lambda i: np.zeros((16, 12, 3), "uint8"))

def of_all_sizes(folder, rows, seconds):
    return as_they_are(rows, lambda i: torch.zeros(3, 16 + i % 3, 16))

def vectors(folder, rows, seconds):
    return as_they_are(rows, lambda i: (torch.zeros(16), i))

def tokens(folder, rows, seconds):
    return as_they_are(rows, lambda i: [i] * (i % 4 + 1))

def tokens_of_one_length(folder, rows, seconds):
    return as_they_are(rows, lambda i: [i, i, i])

def pairs(folder, rows, seconds):
    return as_they_are(rows, lambda i: (i, i))

def pictures(folder, rows, seconds):
    return as_they_are(rows, lambda i: (Image.new("RGB", (20 + i % 2, 16)), i))

def attrs_rows(folder, rows, seconds):
    return as_they_are(rows, lambda i: Attrs(image(i), i))

def attrs_batches(folder, rows, seconds):
    return [Attrs(torch.ones(n, 4), ["a"] * n) for n in [10] * 10 + [5]]

def model_batches(folder, rows, seconds):
    return [Model(image=torch.ones(n, 4), label=torch.ones(n)) for n in [10] * 10 + [5]]

def two_kinds(folder, rows, seconds):
    return [{("image", "tokens")[i % 2]: np.ones((10 - 5 * (i == 10), 4))} for i in range(11)]
"""
KIND = Kind(
    needs=("torch", "attrs", "pydantic", "PIL"),
    source=LOADERS,
    loaders={
        "labelled": Expected(batch="list[tuple[float32[3,16,16], int], ...]"),
        "images": Expected(batch="list[float32[3,16,16], ...]", bytes_per_sample=3072),
        "last_colours": Expected(batch="list[uint8[16,12,3], ...]"),
        "of_all_sizes": Expected(batch="list[float32[3,*,16], ...]"),
        "vectors": Expected(batch="list[tuple[float32[16], int], ...]"),
        "tokens": Expected(batch="list[list[int, ...], ...]"),
        "tokens_of_one_length": Expected(batch="list[list[int, ...], ...]"),
        "pairs": Expected(batch="list[tuple[int, ...], ...]", bytes_per_sample=16),
        "pictures": Expected(
            batch="list[tuple[Image[RGB: uint8[16,*,3]], int], ...]",
            bytes_per_sample=20.5 * 16 * 3 + 8,
        ),
        "attrs_rows": Expected(batch="list[Attrs[image: float32[3,16,16], label: int], ...]"),
        "attrs_batches": Expected(batch="Attrs[image: float32[*,4], label: list[str, ...]]"),
        "model_batches": Expected(
            batch="Model[image: float32[*,4], label: float32[*]]", bytes_per_sample=20
        ),
        "two_kinds": Expected(
            batch="dict[image: absent | float64[*,4], tokens: absent | float64[*,4]]"
        ),
    },
    slowed={"labelled": Slowed(rows=2000)},
)
