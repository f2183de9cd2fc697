"""Tensors of all layouts, and by name, as batches of a DataLoader."""

from __future__ import annotations

import pytest

from kinds.kind import Expected, Kind, Slowed

LOADERS = """\
import torch
from torch.utils.data import DataLoader

torch.set_num_threads(1)

def sparse(folder, rows, seconds):
    data = [torch.sparse_coo_tensor([[i % 9]], [1.0], (9,)) for i in range(rows)]
    return DataLoader(data, batch_size=10, collate_fn=torch.stack)

def of_rows(rows, collate):
    return DataLoader(torch.ones(rows, 4), batch_size=10, collate_fn=collate)

def compressed(folder, rows, seconds):
    return of_rows(rows, lambda batch: torch.stack(batch).to_sparse_csr())

def lengths(rows):
    return [torch.ones(i % 5 + 1, 2) for i in range(rows)]

def jagged(folder, rows, seconds):
    def collate(batch):
        return torch.nested.nested_tensor(batch, layout=torch.jagged)
    return DataLoader(lengths(rows), batch_size=10, collate_fn=collate)

def strided(folder, rows, seconds):
    return DataLoader(lengths(rows), batch_size=10, collate_fn=torch.nested.nested_tensor)

def small(folder, rows, seconds):
    return of_rows(rows, lambda batch: torch.stack(batch).bfloat16())
"""
TENSORS = Kind(
    needs=("torch",),
    source=LOADERS,
    loaders={
        # A value of four bytes, and its place of two numbers.
        "sparse": Expected(batch="sparse_float32[*,9]", bytes_per_sample=20),
        # Four values with their columns, and where the rows begin.
        "compressed": Expected(
            batch="sparse_float32[*,4]", bytes_per_sample=pytest.approx(4 * 12 + 8.8, abs=0.1)
        ),
        "jagged": Expected(batch="float32[*,*,2]", bytes_per_sample=24),
        "strided": Expected(batch="float32[*,*,2]", bytes_per_sample=24),
        "small": Expected(batch="bfloat16[*,4]", bytes_per_sample=8),
    },
    slowed={},
)
BY_NAME_LOADERS = """\
import time
import torch
from tensordict import TensorDict, tensorclass
from torch.utils.data import DataLoader

torch.set_num_threads(1)

@tensorclass
class Rows:
    x: torch.Tensor

def named(rows, **nested):
    return TensorDict({"x": torch.ones(rows, 4), **nested}, batch_size=[rows])

def tensor_dicts(folder, rows, seconds):
    def collate(batch):
        time.sleep(seconds * len(batch))
        return batch
    data = named(rows, more=named(rows))
    return DataLoader(data, batch_size=10, collate_fn=collate)

def without_a_batch_size(folder, rows, seconds):
    return [TensorDict({"x": torch.ones(size, 4)}, batch_size=[]) for size in [10] * 10 + [5]]

def tensor_classes(folder, rows, seconds):
    return [Rows(x=torch.ones(size, 4), batch_size=[size]) for size in [10] * 10 + [5]]
"""
TENSORDICT = Kind(
    needs=("torch", "tensordict"),
    source=BY_NAME_LOADERS,
    loaders={
        "tensor_dicts": Expected(
            batch="TensorDict[x: float32[*,4], more: TensorDict[x: float32[*,4]]]",
            bytes_per_sample=32,
        ),
        "without_a_batch_size": Expected(batch="TensorDict[x: float32[*,4]]", bytes_per_sample=16),
        "tensor_classes": Expected(batch="Rows[x: float32[*,4]]", bytes_per_sample=16),
    },
    slowed={"tensor_dicts": Slowed(rows=2000)},
)
