"""Photographs through a torch DataLoader without workers."""

from __future__ import annotations

import pytest
from torch import Tensor
from torch.utils.data import DataLoader

from perf.corpus import Photos
from perf.test_torch_photos import PhotoDataset
from pytest_loaderperf import LoaderPerf


@pytest.fixture
def lone_loader(batch_size: int, photos: Photos) -> DataLoader[tuple[Tensor, int]]:
    return DataLoader(PhotoDataset(photos), batch_size=batch_size, shuffle=True)


@pytest.mark.loaderperf(batch_sizes=[64])
def test_photos(lone_loader: DataLoader[tuple[Tensor, int]], loaderperf: LoaderPerf) -> None:
    loaderperf.check(lone_loader)
