"""Lightning's data modules: set up, and asked for the loader that is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kinds.harness import assert_guarded, guard, look, needs

pytestmark = needs("lightning", "torch")

LOADERS = """\
import time
import lightning
import torch
from torch.utils.data import DataLoader, Dataset

class Rows(Dataset):
    def __init__(self, rows, seconds):
        self.rows, self.seconds = rows, seconds

    def __len__(self):
        return self.rows

    def __getitem__(self, index):
        time.sleep(self.seconds)
        return torch.full((3,), float(index)), index

class Module(lightning.LightningDataModule):
    def __init__(self, rows, seconds):
        super().__init__()
        self.count, self.seconds = rows, seconds

    def setup(self, stage):
        self.rows = Rows(self.count, self.seconds)
        self.stage = stage

    def train_dataloader(self):
        assert self.stage == "fit"
        return DataLoader(self.rows, batch_size=10, num_workers=2, persistent_workers=True)

    def val_dataloader(self):
        assert self.stage == "validate"
        return DataLoader(Rows(self.count // 2, 0.0), batch_size=20)

    def predict_dataloader(self):
        return [DataLoader(self.rows), DataLoader(self.rows)]

    def test_dataloader(self):
        return None

def module(folder, rows, seconds):
    return Module(rows, seconds)

def train(folder, rows, seconds):
    return Module(rows, seconds).train_dataloader

def validation(folder, rows, seconds):
    return Module(rows, seconds).val_dataloader

def made(folder, rows, seconds):
    return lambda: Module(rows, seconds)

def several(folder, rows, seconds):
    return Module(rows, seconds).predict_dataloader

def none(folder, rows, seconds):
    return Module(rows, seconds).test_dataloader
"""
COUNTED = {"module": (105, 11), "train": (105, 11), "validation": (52, 3), "made": (105, 11)}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return look(tmp_path_factory.mktemp("lightning"), LOADERS, [*COUNTED, "several", "none"])


@pytest.mark.parametrize("name", COUNTED)
def test_samples_are_counted(found: dict[str, Any], name: str) -> None:
    samples, batches = COUNTED[name]
    assert found[name].get("epochs") == [[samples, batches]] * 2, found[name].get("error")


def test_the_loader_tells_its_settings(found: dict[str, Any]) -> None:
    assert found["module"]["kind"] == "Lightning train_dataloader of torch DataLoader"
    assert found["train"]["settings"]["num_workers"] == 2
    assert found["validation"]["kind"] == "Lightning val_dataloader of torch DataLoader"
    assert found["validation"]["settings"]["batch_size"] == 20


def test_what_is_no_single_loader_is_refused(found: dict[str, Any]) -> None:
    assert "predict_dataloader() gave 2 loaders in a list" in found["several"]["error"]
    assert "test_dataloader() made a NoneType, which cannot be iterated" in found["none"]["error"]


def test_a_slowed_module_fails(tmp_path: Path) -> None:
    assert_guarded(guard(tmp_path, LOADERS, "module", 2000, budget=90))
