"""Photographs through a torch DataLoader with two worker processes."""

from __future__ import annotations

import pytest
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import Compose, Normalize, Resize, ToTensor

from perf.corpus import Photos
from pytest_loaderperf import LoaderPerf


class PhotoDataset(Dataset[tuple[Tensor, int]]):
    """Photographs as normalised tensors, with their class."""

    def __init__(self, photos: Photos) -> None:
        self.photos = photos
        self.transform = Compose(
            [
                Resize((256, 256)),
                ToTensor(),
                Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),  # ImageNet's
            ]
        )

    def __len__(self) -> int:
        return len(self.photos.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        with Image.open(self.photos.paths[index]) as image:
            return self.transform(image.convert("RGB")), self.photos.labels[index]


@pytest.fixture
def train_loader(batch_size: int, photos: Photos) -> DataLoader[tuple[Tensor, int]]:
    return DataLoader(PhotoDataset(photos), batch_size=batch_size, shuffle=True, num_workers=2)


@pytest.mark.loaderperf(batch_sizes=[32, 64, 128])
def test_photos(train_loader: DataLoader[tuple[Tensor, int]], loaderperf: LoaderPerf) -> None:
    perf = loaderperf(train_loader)
    assert perf.throughput >= perf.baseline.throughput
    assert perf.peak_memory <= perf.baseline.peak_memory
