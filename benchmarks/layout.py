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

import torch
from overhead import ROOT

from perf.corpus import cut_photos, read_photos
from perf.test_torch_photos import PhotoDataset
from pytest_loaderperf import data
from pytest_loaderperf.arm.isolation import Heap, settle

ROUNDS = 12
PHOTOS = range(0, 640, 8)


def milliseconds(dataset: PhotoDataset) -> float:
    """CPU time of one photograph, over some of them."""
    started = time.process_time()
    for index in PHOTOS:
        dataset[index]
    return (time.process_time() - started) / len(PHOTOS) * 1e3


def in_process(dataset: PhotoDataset, shuffles: int) -> float:
    """The mean over some rounds in a process of its own, whose heap is shuffled so often."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        heap = Heap()
        milliseconds(dataset)  # warms up
        taken = []
        for number in range(ROUNDS):
            if number < shuffles:
                heap.shuffle()
            taken.append(milliseconds(dataset))
        os.write(writing, f"{statistics.fmean(taken):.3f}".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return float(text)


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=10)
    processes = parser.parse_args().processes
    torch.set_num_threads(1)
    dataset = PhotoDataset(read_photos(data.folder(data.root(ROOT), "photos", cut_photos)[0]))
    settle(keep=True)
    gc.freeze()
    ways = {"inherited": 0, "shuffled once": 1, "shuffled each round": ROUNDS}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(processes):  # in turns: the machine drifts
        for name, shuffles in ways.items():
            taken[name].append(in_process(dataset, shuffles))
    for name, values in taken.items():
        spread = statistics.stdev(values) / statistics.fmean(values)
        shown = " ".join(f"{value:.2f}" for value in sorted(values))
        print(f"{name:20}  sd {spread:.1%}  ms a photograph: {shown}", flush=True)


if __name__ == "__main__":
    main()
