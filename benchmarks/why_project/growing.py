"""Loaders that hold little; ``benchmarks/why_growths.py`` has one of their lines hold more."""

import os
from multiprocessing import shared_memory

import numpy as np

SIDE = 64  # an image of 16 KiB
SAMPLES = 6000
BATCH = 16
NAMES = 120_000
KEPT = []


def decode(index):
    image = np.full((SIDE, SIDE), index, np.float32)
    # decode
    return image


def share(size):
    """Shared memory of so many bytes, all of which is used."""
    made = shared_memory.SharedMemory(create=True, size=size)
    made.buf[:] = bytes(size)
    made.unlink()
    return made


class Images:
    """What torch, and others, call a dataset."""

    def __init__(self):
        self.names = [f"the name of image {number}" for number in range(NAMES)]
        # init

    def __len__(self):
        return SAMPLES

    def __getitem__(self, index):
        image = decode(index)
        # getitem
        return image


class Plain:
    """An iterable of its own."""

    def __init__(self):
        self.images = Images()

    def __iter__(self):
        for first in range(0, SAMPLES - BATCH, BATCH):
            yield np.stack([self.images[first + number] for number in range(BATCH)])


def torch_loader(method):
    import torch
    import torch.utils.data

    torch.set_num_threads(1)
    ahead = 2  # batches
    return torch.utils.data.DataLoader(
        Images(),
        batch_size=BATCH,
        num_workers=2 if method else 0,
        prefetch_factor=ahead if method else None,
        multiprocessing_context=method or None,
    )


def make():
    """The loader that is asked for."""
    kind, _, method = os.environ["WHY_LOADER"].partition("-")
    return torch_loader(method) if kind == "torch" else Plain()
