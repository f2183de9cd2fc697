"""Photographs through a torch DataLoader with two workers, in wrappers of other packages."""

from __future__ import annotations

from typing import Any

import accelerate
import pytest
import torch
from monai.data import ThreadBuffer, ThreadDataLoader
from timm.data.loader import MultiEpochsDataLoader, PrefetchLoader
from torch.utils.data import DataLoader

from perf.corpus import Photos
from perf.test_torch_photos import PhotoDataset
from pytest_loaderperf import LoaderPerf


def of_photos(kind: Any, photos: Photos, batch_size: int, **options: Any) -> Any:
    """Such a loader of photographs with two workers."""
    dataset = PhotoDataset(photos)
    return kind(dataset, batch_size=batch_size, shuffle=True, num_workers=2, **options)


@pytest.fixture
def timm_prefetch(batch_size: int, photos: Photos) -> Any:
    return PrefetchLoader(of_photos(DataLoader, photos, batch_size), device=torch.device("cpu"))


@pytest.fixture
def timm_multi_epochs(batch_size: int, photos: Photos) -> Any:
    return of_photos(MultiEpochsDataLoader, photos, batch_size)


@pytest.fixture
def accelerated(batch_size: int, photos: Photos) -> Any:
    loader = of_photos(DataLoader, photos, batch_size)
    return accelerate.Accelerator(cpu=True).prepare_data_loader(loader)


@pytest.fixture
def monai_ahead(batch_size: int, photos: Photos) -> Any:
    return of_photos(ThreadDataLoader, photos, batch_size)


@pytest.fixture
def monai_threads(batch_size: int, photos: Photos) -> Any:
    return of_photos(ThreadDataLoader, photos, batch_size, use_thread_workers=True)


@pytest.fixture
def monai_buffer(batch_size: int, photos: Photos) -> Any:
    return ThreadBuffer(of_photos(DataLoader, photos, batch_size))


def size(batch: Any) -> int:
    """How many images a batch has."""
    return len(batch[0])


@pytest.mark.loaderperf(batch_sizes=[64])
def test_timm_prefetch(timm_prefetch: Any, loaderperf: LoaderPerf) -> None:
    loaderperf.check(timm_prefetch, samples=size)


@pytest.mark.loaderperf(batch_sizes=[64])
def test_timm_multi_epochs(timm_multi_epochs: Any, loaderperf: LoaderPerf) -> None:
    loaderperf.check(timm_multi_epochs, samples=size)


@pytest.mark.loaderperf(batch_sizes=[64])
def test_accelerated(accelerated: Any, loaderperf: LoaderPerf) -> None:
    loaderperf.check(accelerated, samples=size)


@pytest.mark.loaderperf(batch_sizes=[64])
def test_monai_ahead(monai_ahead: Any, loaderperf: LoaderPerf) -> None:
    loaderperf.check(monai_ahead, samples=size)


@pytest.mark.loaderperf(batch_sizes=[64])
def test_monai_threads(monai_threads: Any, loaderperf: LoaderPerf) -> None:
    loaderperf.check(monai_threads, samples=size)


@pytest.mark.loaderperf(batch_sizes=[64])
def test_monai_buffer(monai_buffer: Any, loaderperf: LoaderPerf) -> None:
    loaderperf.check(monai_buffer, samples=size)
