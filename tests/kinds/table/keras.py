"""Keras's PyDataset: with the workers and the queue of ``fit``."""

from __future__ import annotations

from unittest.mock import ANY

from kinds.kind import Expected, Kind, Slowed

LOADERS = """\
import math
import multiprocessing
import threading
import time
import keras
import numpy as np

MAIN = threading.main_thread()

class Rows(keras.utils.PyDataset):
    def __init__(self, rows, seconds, **options):
        super().__init__(**options)
        self.rows, self.seconds = rows, seconds
        self.by_hand = 0
        self.only_workers = "workers" in options

    def __len__(self):
        return math.ceil(self.rows / 10)

    def __getitem__(self, index):
        rows = min(10, self.rows - 10 * index)
        time.sleep(rows * self.seconds)
        # A few batches show what their tensors are like; all others come from the workers.
        if multiprocessing.parent_process() is None and threading.current_thread() is MAIN:
            self.by_hand += 1
            assert self.by_hand <= 10 or not self.only_workers
        return np.zeros((rows, 2), "int64"), np.zeros(rows)

class Endless(Rows):
    @property
    def num_batches(self):
        return None

    def __getitem__(self, index):
        return super().__getitem__(index % 10)

def plain(folder, rows, seconds):
    return Rows(rows, seconds)

def threads(folder, rows, seconds):
    return Rows(rows, seconds, workers=2, max_queue_size=6)

def processes(folder, rows, seconds):
    return Rows(rows, seconds, workers=2, use_multiprocessing=True)

def endless(folder, rows, seconds):
    return Endless(rows, seconds, workers=2)
"""
BATCH = "tuple[int64[*,2], float64[*]]"
KIND = Kind(
    needs=("keras", "tensorflow"),
    source=LOADERS,
    loaders={
        "plain": Expected(tells={"epoch_batches": 11}, batch=BATCH),
        "threads": Expected(
            tells={"epoch_batches": 11, "workers": 0, "prefetch": 6},
            settings={
                "workers": 2,
                "use_multiprocessing": False,
                "max_queue_size": 6,
                "backend": "tensorflow",
            },
            batch=BATCH,
        ),
        "processes": Expected(
            tells={"epoch_batches": 11, "workers": 2, "prefetch": 5}, batch=BATCH
        ),
        # It has no length: 400 is where the test stopped.
        "endless": Expected(epoch=(ANY, 400), tells={"epoch_batches": None}),
    },
    slowed={"threads": Slowed(rows=4000)},
)
