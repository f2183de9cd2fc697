"""SPDL: pipelines of threads and of processes, on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kinds.harness import assert_guarded, guard, look, needs

pytestmark = needs("spdl.pipeline", "torch")

LOADERS = """\
import time
import numpy as np
import torch
from spdl.dataloader import DataLoader, get_pytorch_dataloader
from spdl.pipeline import PipelineBuilder

class Slowly:
    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self, index):
        time.sleep(self.seconds)
        return np.full((3, 2), index)

class Rows(torch.utils.data.Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return self.rows

    def __getitem__(self, index):
        return torch.full((3, 2), index)

def loader(folder, rows, seconds):
    return DataLoader(range(rows), preprocessor=Slowly(seconds), batch_size=10,
                      aggregator=np.stack, num_threads=2, buffer_size=4)

def torch_loader(folder, rows, seconds):
    return get_pytorch_dataloader(Rows(rows), batch_size=10, num_workers=2)

def pipeline(folder, rows, seconds):
    def build():
        builder = PipelineBuilder().add_source(range(rows)).pipe(Slowly(seconds), concurrency=2)
        return builder.aggregate(10).pipe(np.stack).add_sink(3).build(num_threads=2)
    return build
"""
COUNTED = {"loader": (105, 11), "torch_loader": (105, 11), "pipeline": (105, 11)}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return look(tmp_path_factory.mktemp("spdl"), LOADERS, list(COUNTED))


@pytest.mark.parametrize("name", COUNTED)
def test_samples_are_counted(found: dict[str, Any], name: str) -> None:
    samples, batches = COUNTED[name]
    assert found[name].get("epochs") == [[samples, batches]] * 2, found[name].get("error")
    assert found[name]["workload"]["batch"] == "int64[*,3,2]"


def test_settings_are_told(found: dict[str, Any]) -> None:
    assert found["loader"]["kind"] == "spdl DataLoader"
    assert found["loader"]["settings"] == {"batch_size": 10, "num_threads": 2, "buffer_size": 4}
    assert found["torch_loader"]["kind"] == "spdl PyTorchDataLoader"
    assert found["torch_loader"]["settings"]["num_workers"] == 2
    assert found["pipeline"]["kind"] == "factory of spdl Pipeline"


def test_a_slowed_loader_fails(tmp_path: Path) -> None:
    assert_guarded(guard(tmp_path, LOADERS, "loader", 6000))
