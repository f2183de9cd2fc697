"""Loaders of torch, as they are and in wrappers. Each sample is some work of numpy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import accelerate
import numpy as np
import torch
from monai.data import ThreadBuffer, ThreadDataLoader
from timm.data.loader import MultiEpochsDataLoader, PrefetchLoader
from torch.utils.data import DataLoader, Dataset

torch.set_num_threads(1)
# torch's loaders guess at their type parameters; these give pairs of tensors.
OPTIONS: dict[str, Any] = {"batch_size": 16, "num_workers": 2, "persistent_workers": True}
THREADS: dict[str, Any] = {"batch_size": 16, "num_workers": 2, "use_thread_workers": True}


def samples(batch: Any) -> int:
    """How many images a batch has."""
    return len(batch[1])


class Rows(Dataset[Any]):
    """Images, shrunk and normalized."""

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = np.random.default_rng(index).integers(0, 256, (128, 128, 3), np.uint8)
        rows = (image[::2, ::2].astype(np.float32) - 127) / 64
        return torch.from_numpy(rows.transpose(2, 0, 1).copy()), index


def plain() -> Any:
    """A DataLoader as it is."""
    return DataLoader(Rows(), **OPTIONS)


LOADERS: dict[str, Callable[[], Any]] = {
    "plain": plain,
    "timm_prefetch": lambda: PrefetchLoader(plain(), device=torch.device("cpu")),
    "timm_multi_epochs": lambda: MultiEpochsDataLoader(Rows(), **OPTIONS),
    "accelerate": lambda: accelerate.Accelerator(cpu=True).prepare_data_loader(plain()),
    "monai_ahead": lambda: ThreadDataLoader(Rows(), **OPTIONS),
    "monai_threads": lambda: ThreadDataLoader(Rows(), **THREADS),
    "monai_buffer": lambda: ThreadBuffer(plain()),
}
