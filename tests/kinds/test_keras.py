"""Keras's PyDataset: with the workers and the queue of ``fit``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kinds.harness import assert_guarded, guard, look, needs

pytestmark = needs("keras", "tensorflow")

LOADERS = """\
import math
import os
import threading
import time
import keras
import numpy as np

class Rows(keras.utils.PyDataset):
    def __init__(self, rows, seconds, **options):
        super().__init__(**options)
        self.rows, self.seconds = rows, seconds

    def __len__(self):
        return math.ceil(self.rows / 10)

    def __getitem__(self, index):
        rows = min(10, self.rows - 10 * index)
        time.sleep(rows * self.seconds)
        where = os.getpid(), threading.get_ident() % 2**31
        return np.full((rows, 2), where, "int64"), np.zeros(rows)

class Endless(Rows):
    @property
    def num_batches(self):
        return None

def plain(folder, rows, seconds):
    return Rows(rows, seconds)

def threads(folder, rows, seconds):
    return Rows(rows, seconds, workers=2, max_queue_size=6)

def processes(folder, rows, seconds):
    return Rows(rows, seconds, workers=2, use_multiprocessing=True)

def endless(folder, rows, seconds):
    return Endless(rows, seconds, workers=2)
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return look(tmp_path_factory.mktemp("keras"), LOADERS, ["plain", "threads", "processes"])


@pytest.mark.parametrize("name", ["plain", "threads", "processes"])
def test_samples_are_counted(found: dict[str, Any], name: str) -> None:
    assert found[name]["epochs"] == [[105, 11]] * 2, found[name].get("error")
    assert found[name]["epoch_batches"] == 11
    assert found[name]["workload"]["batch"] == "tuple[int64[*,2], float64[*]]"


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
