"""Keras's PyDataset: with the workers and the queue of ``fit``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kinds.harness import assert_guarded, guard, look, needs

pytestmark = needs("keras", "tensorflow")

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
NAMES = ["plain", "threads", "processes"]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return look(tmp_path_factory.mktemp("keras"), LOADERS, [*NAMES, "endless"])


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_counted(found: dict[str, Any], name: str) -> None:
    assert found[name]["epochs"] == [[105, 11]] * 2, found[name].get("error")
    assert found[name]["epoch_batches"] == 11
    assert found[name]["workload"]["batch"] == "tuple[int64[*,2], float64[*]]"


def test_an_endless_dataset_has_no_length(found: dict[str, Any]) -> None:
    assert found["endless"]["epoch_batches"] is None
    assert found["endless"]["epochs"][0][1] == 400  # where the test stopped


def test_settings_are_told(found: dict[str, Any]) -> None:
    assert found["threads"]["settings"] == {
        "workers": 2,
        "use_multiprocessing": False,
        "max_queue_size": 6,
        "backend": "tensorflow",
    }
    assert (found["threads"]["workers"], found["threads"]["prefetch"]) == (0, 6)
    assert (found["processes"]["workers"], found["processes"]["prefetch"]) == (2, 5)


def test_a_slowed_dataset_fails(tmp_path: Path) -> None:
    assert_guarded(guard(tmp_path, LOADERS, "threads", 4000))
