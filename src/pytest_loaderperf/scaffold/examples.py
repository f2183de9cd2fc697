"""A check for each framework, to begin with: a whole test file, which runs as it is.

Its loader is made of numbers, where a project puts its own.
"""

from __future__ import annotations

# What follows behind the fixture that makes the loader.
_CHECK = """\


@pytest.mark.loaderperf(batch_sizes=[64])
def test_train_loader(train_loader, loaderperf):
    loaderperf.check(train_loader)
"""
_TORCH = """\
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset


@pytest.fixture
def train_loader(batch_size):
    rows = torch.arange(40_000, dtype=torch.float32).reshape(10_000, 4)
    return DataLoader(TensorDataset(rows), batch_size=batch_size, shuffle=True)
"""
_TENSORFLOW = """\
import pytest
import tensorflow as tf


@pytest.fixture
def train_loader(batch_size):
    rows = tf.random.uniform([10_000, 4])
    return tf.data.Dataset.from_tensor_slices(rows).shuffle(1_000).batch(batch_size).prefetch(2)
"""
_KERAS = """\
import keras
import numpy as np
import pytest


class Rows(keras.utils.PyDataset):
    def __init__(self, batch_size):
        super().__init__(workers=2)
        self.batch_size = batch_size
        self.rows = np.zeros((10_000, 4), dtype="float32")

    def __len__(self):
        return len(self.rows) // self.batch_size

    def __getitem__(self, index):
        batch = self.rows[index * self.batch_size : (index + 1) * self.batch_size]
        return batch + 1, batch.sum(axis=1)


@pytest.fixture
def train_loader(batch_size):
    return Rows(batch_size)
"""
_DATASETS = """\
import pytest
from datasets import Dataset


@pytest.fixture
def train_set():
    return Dataset.from_dict({"text": ["a row"] * 10_000}).with_format("numpy")


@pytest.mark.loaderperf(batch_sizes=[64])
def test_train_set(train_set, batch_size, loaderperf):
    loaderperf.check(lambda: train_set.iter(batch_size=batch_size))
"""
_WEBDATASET = """\
import pytest
import webdataset as wds


def write_shard(folder):
    with wds.TarWriter(str(folder / "rows.tar")) as shard:
        for row in range(5_000):
            shard.write({"__key__": f"{row:05}", "txt": f"row {row}", "cls": row % 10})


@pytest.fixture
def train_loader(batch_size, loaderperf_data):
    shard = loaderperf_data("rows", write_shard) / "rows.tar"
    dataset = wds.WebDataset(str(shard), shardshuffle=False)
    return dataset.decode().to_tuple("txt", "cls").batched(batch_size)
"""
_ITERABLE = """\
import pytest


class Rows:
    def __init__(self, batch_size):
        self.batch_size = batch_size

    def __iter__(self):
        for first in range(0, 10_000, self.batch_size):
            yield [row**0.5 for row in range(first, first + self.batch_size)]


@pytest.fixture
def train_loader(batch_size):
    return Rows(batch_size)
"""
EXAMPLES = {
    "": _ITERABLE + _CHECK,
    "torch": _TORCH + _CHECK,
    "tensorflow": _TENSORFLOW + _CHECK,
    "keras": _KERAS + _CHECK,
    "datasets": _DATASETS,
    "webdataset": _WEBDATASET + _CHECK,
}
# What a loader is called in each of them.
KINDS = {
    "": "anything that can be iterated",
    "torch": "a torch DataLoader",
    "tensorflow": "a tf.data.Dataset",
    "keras": "a keras PyDataset",
    "datasets": "a Hugging Face Dataset",
    "webdataset": "a WebDataset",
}
