"""Loaders of no framework: generators, one-shot iterators, and what has no length."""

from __future__ import annotations

from kinds.kind import Expected, Kind, Slowed

LOADERS = """\
import dataclasses
import time
import numpy as np

@dataclasses.dataclass
class Batch:
    image: np.ndarray
    names: list

def make(rows, seconds):
    for start in range(0, rows, 10):
        size = min(10, rows - start)
        time.sleep(size * seconds)
        yield {"image": np.zeros((size, 3)), "label": np.arange(size)}

class Again:
    def __init__(self, rows, seconds):
        self.rows, self.seconds = rows, seconds

    def __iter__(self):
        return make(self.rows, self.seconds)

def generator(folder, rows, seconds):
    return lambda: make(rows, seconds)

def iterable(folder, rows, seconds):
    return Again(rows, seconds)

def one_shot(folder, rows, seconds):
    return lambda: iter(list(make(rows, seconds)))

def records(folder, rows, seconds):
    return [[{"text": f"row {i}", "id": i} for i in range(s, min(s + 10, rows))]
            for s in range(0, rows, 10)]

def dataclasses_with_texts(folder, rows, seconds):
    return [Batch(b["image"], ["x"] * len(b["label"])) for b in make(rows, seconds)]

def shared(folder, rows, seconds):
    return [(b["image"], b["image"][:, :2], b["image"]) for b in make(rows, seconds)]
"""
KIND = Kind(
    needs=(),
    source=LOADERS,
    loaders={
        "generator": Expected(),
        "iterable": Expected(),
        "one_shot": Expected(),
        "records": Expected(),
        "dataclasses_with_texts": Expected(),
        "shared": Expected(bytes_per_sample=3 * 8),  # what two arrays share counts once
    },
    slowed={"generator": Slowed(rows=4000)},
)
