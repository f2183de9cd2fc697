"""Photographs through Hugging Face's datasets, decoded in the process that asks for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from more_loaders.pixels import decode

from perf.corpus import Photos
from pytest_loaderperf import LoaderPerf


class Batches:
    """The batches of a dataset, in an order that is drawn once, as its users write it."""

    def __init__(self, dataset: Dataset, batch_size: int) -> None:
        self.dataset, self.batch_size = dataset, batch_size

    def __len__(self) -> int:
        return len(self.dataset) // self.batch_size

    def __iter__(self) -> Any:
        return self.dataset.iter(batch_size=self.batch_size, drop_last_batch=True)


def decoded(rows: dict[str, Any]) -> dict[str, Any]:
    return {"image": np.stack([decode(path) for path in rows["path"]]), "label": rows["label"]}


@pytest.fixture
def dataset_loader(batch_size: int, photos: Photos) -> Batches:
    dataset = Dataset.from_dict({"path": photos.paths, "label": photos.labels})
    return Batches(dataset.with_transform(decoded), batch_size)


@pytest.mark.loaderperf(batch_sizes=[64])
def test_photos(dataset_loader: Batches, loaderperf: LoaderPerf) -> None:
    loaderperf.check(dataset_loader)
