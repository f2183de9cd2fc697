"""Graphs of PyG: a sample is a graph, or a seed of a neighbour loader."""

from __future__ import annotations

from kinds.kind import Expected, Kind, Slowed

LOADERS = """\
import time
import torch
from torch_geometric.data import Data, HeteroData
from torch_geometric.loader import DataLoader

torch.set_num_threads(1)

class Graphs(torch.utils.data.Dataset):
    def __init__(self, rows, seconds):
        self.rows, self.seconds = rows, seconds

    def __len__(self):
        return self.rows

    def __getitem__(self, i):
        time.sleep(self.seconds)
        edges = torch.zeros(2, i % 3 + 1, dtype=torch.long)
        return Data(x=torch.ones(i % 5 + 1, 3), edge_index=edges, y=torch.tensor([i]))

def batches(folder, rows, seconds):
    return DataLoader(Graphs(rows, seconds), batch_size=10, num_workers=2, persistent_workers=True)

def lists(folder, rows, seconds):
    return torch.utils.data.DataLoader(Graphs(rows, seconds), batch_size=10, collate_fn=list)

def of_kinds(i):
    graph = HeteroData()
    graph["user"].x = torch.ones(i % 4 + 1, 2)
    return graph

def of_several_kinds(folder, rows, seconds):
    return DataLoader([of_kinds(i) for i in range(rows)], batch_size=10)
"""
KIND = Kind(
    needs=("torch", "torch_geometric"),
    source=LOADERS,
    loaders={
        "batches": Expected(
            kind="torch DataLoader",
            tells={"workers": 2, "samples_per_epoch": 105},
            batch=(
                "DataBatch[x: float32[*,3], edge_index: int64[*,*], y: int64[*], batch: int64[*], "
                "ptr: int64[*]]"
            ),
        ),
        "lists": Expected(
            batch="list[Data[x: float32[*,3], edge_index: int64[2,*], y: int64[1]], ...]"
        ),
        "of_several_kinds": Expected(),
    },
    slowed={"batches": Slowed(rows=2000, budget=40)},
)
