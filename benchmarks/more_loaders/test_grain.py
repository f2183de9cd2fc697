"""Photographs through grain, read by a worker process."""

from __future__ import annotations

from typing import Any

import grain
import pytest
from more_loaders.pixels import decode

from perf.corpus import Photos
from pytest_loaderperf import LoaderPerf


@pytest.fixture
def grain_loader(batch_size: int, photos: Photos) -> Any:
    rows = list(zip(photos.paths, photos.labels, strict=True))
    shuffled = grain.MapDataset.source(rows).shuffle(seed=0)
    decoded = shuffled.map(lambda row: (decode(row[0]), row[1]))
    workers = grain.multiprocessing.MultiprocessingOptions(num_workers=1)
    return decoded.to_iter_dataset().batch(batch_size).mp_prefetch(workers)


@pytest.mark.loaderperf(batch_sizes=[64])
def test_photos(grain_loader: Any, loaderperf: LoaderPerf) -> None:
    loaderperf.check(grain_loader)
