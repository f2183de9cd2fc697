"""NVIDIA DALI where its package is not installed: a recorded batch."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_loaderperf.loaders.batches import look, workload
from pytest_loaderperf.loaders.kinds import dali


def test_samples_of_a_recorded_batch_are_those_of_all_pipelines() -> None:
    """What an iterator over two GPUs gave: a list with a dict for each."""
    gpu = {"data": np.zeros((8, 3, 224, 224), "float32"), "label": np.zeros((8, 1), "int32")}
    last = {"data": np.zeros((5, 3, 224, 224), "float32"), "label": np.zeros((5, 1), "int32")}
    assert dali.count([gpu, gpu]) == 16
    assert dali.count([gpu, last]) == 13
    assert dali.count(gpu) == 8
    looked_at = look([gpu], dali.count)
    assert looked_at.samples == 8
    assert workload([looked_at], (), None).batch == (
        "list[dict[data: float32[*,3,224,224], label: int32[*,1]], ...]"
    )


@pytest.mark.parametrize("name", ["nvidia.dali.plugin.base_iterator"])
def test_its_iterators_are_looked_for_where_they_are(name: str) -> None:
    assert [kind.module for kind in dali.KINDS] == [name]
