"""Loaders whose every stage takes some time; ``benchmarks/why.py`` makes one of them slower."""

import copy
import hashlib
import os
import pathlib
import random
import re
import threading
import time

import numpy as np

FILE = pathlib.Path(__file__).with_name("sample.bin")
METADATA = {f"key {n}": [n, str(n), {"value": n}] for n in range(40)}
LOCK = threading.Lock()
BATCH = 8
SAMPLES = 2000


def burn(rounds):
    """Use the CPU: some 30 us a round."""
    data = b"x" * 16384
    for _ in range(rounds):
        hashlib.sha256(data).digest()


def read():
    """Read a file."""
    data = FILE.read_bytes()
    # read
    return data


def decode(data):
    burn(90)
    # decode
    return np.frombuffer(data, np.uint8)[: 64 * 64].reshape(64, 64).astype(np.float32)


def augment(image):
    burn(40)
    # transform
    return image[::-1]


class Samples:
    """What torch, and others, call a dataset."""

    def __init__(self):
        self.metadata = copy.deepcopy(METADATA)
        self.holder = None

    def __len__(self):
        return SAMPLES

    def hold(self):
        """A lock that another thread holds now and then."""
        # thread
        return self

    def __getitem__(self, index):
        image = augment(decode(read()))
        metadata = self.metadata
        # getitem
        return image, len(metadata)


class Order:
    """A sampler."""

    def __len__(self):
        return SAMPLES

    def __iter__(self):
        numbers = list(range(SAMPLES))
        random.shuffle(numbers)
        for number in numbers:
            # sampler
            yield number


def collate(rows):
    images = np.stack([image for image, _ in rows])
    # collate
    return images, np.array([label for _, label in rows])


def start_worker(number=0):
    """What each worker begins with."""
    burn(200)
    # worker


def torch_loader(workers, method=None):
    import torch
    import torch.utils.data

    torch.set_num_threads(1)
    return torch.utils.data.DataLoader(
        Samples(),
        batch_size=BATCH,
        sampler=Order(),
        collate_fn=collate,
        num_workers=workers,
        multiprocessing_context=method if workers else None,
        worker_init_fn=start_worker if workers else None,
    )


class Plain:
    """An iterable of its own."""

    def __init__(self):
        self.samples = Samples()

    def __iter__(self):
        rows = []
        for number in Order():
            rows.append(self.samples[number])
            if len(rows) == BATCH:
                yield collate(rows)
                rows = []


def grain_loader():
    import grain.python as grain

    source = grain.MapDataset.source(Samples()).shuffle(seed=1).batch(BATCH, batch_fn=collate)
    return source.to_iter_dataset(grain.ReadOptions(num_threads=0))


def datasets_loader():
    import datasets
    import torch.utils.data

    samples = Samples()
    made = datasets.Dataset.from_dict({"index": list(range(SAMPLES))})
    made.set_transform(lambda rows: {"row": [samples[index] for index in rows["index"]]})
    return torch.utils.data.DataLoader(
        made, batch_size=BATCH, collate_fn=lambda rows: collate([each["row"] for each in rows])
    )


def make():
    """The loader that is asked for."""
    kind, _, method = os.environ["WHY_LOADER"].partition("-")
    if kind == "torch":
        return torch_loader(2 if method else 0, method or None)
    return {"plain": Plain, "grain": grain_loader, "datasets": datasets_loader}[kind]()
