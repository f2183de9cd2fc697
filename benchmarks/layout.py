"""How much does the layout of a heap matter? One photograph loader in many processes.

    PYTHONPATH=tests python benchmarks/layout.py [--processes 10]

Each process is forked from this one and transforms the same photographs, which takes as much CPU
time as the layout of its heap makes it. Three ways to lay it out: as it was inherited; shuffled
once; shuffled before every round. The spread of the first is between runs of this script.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import time
from collections.abc import Callable

import torch
from overhead import ROOT

from perf.corpus import cut_photos, read_photos
from perf.test_torch_photos import PhotoDataset
from pytest_loaderperf import data
from pytest_loaderperf.allocator import keep_memory
from pytest_loaderperf.heap import Heap

ROUNDS = 12
PHOTOS = range(0, 640, 8)


def milliseconds(dataset: PhotoDataset) -> float:
    """CPU time of one photograph, over some of them."""
    started = time.process_time()
    for index in PHOTOS:
        dataset[index]
    return (time.process_time() - started) / len(PHOTOS) * 1e3


def in_process(dataset: PhotoDataset, before: Callable[[], None], each: Callable[[], None]) -> str:
    """The mean over some rounds in a process of its own."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        before()
        milliseconds(dataset)  # warms up
        taken = []
        for _ in range(ROUNDS):
            each()
            taken.append(milliseconds(dataset))
        os.write(writing, f"{statistics.fmean(taken):.3f}".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return text


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=10)
    processes = parser.parse_args().processes
    torch.set_num_threads(1)
    dataset = PhotoDataset(read_photos(data.folder(data.root(ROOT), "photos", cut_photos)[0]))
    keep_memory()
    heap = Heap()
    gc.freeze()

    def seeded() -> None:
        heap._random.seed()
        heap.shuffle()

    ways: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        "inherited": (lambda: None, lambda: None),
        "shuffled once": (seeded, lambda: None),
        "shuffled each round": (seeded, heap.shuffle),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(processes):  # in turns: the machine drifts
        for name, way in ways.items():
            taken[name].append(float(in_process(dataset, *way)))
    for name, values in taken.items():
        spread = statistics.stdev(values) / statistics.fmean(values)
        shown = " ".join(f"{value:.2f}" for value in sorted(values))
        print(f"{name:20}  sd {spread:.1%}  ms a photograph: {shown}", flush=True)


if __name__ == "__main__":
    main()
