"""A reference loader in a plain ``for batch in loader`` loop: what the guard is compared with.

Started by ``overhead.py``. Reads a request from standard input, forks a process that runs the
loop, and answers with seconds and samples of each stretch. The loop stops itself, workers and all,
as soon as a stretch ends, until it is resumed and reads when that was: what workers would do
meanwhile is done for nothing, and milliseconds of it count.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perf.corpus import collect_sentences, cut_photos, read_photos, read_sentences
from pytest_loaderperf.arm import isolation
from pytest_loaderperf.arm.isolation import Heap
from pytest_loaderperf.data import folder

Make = Callable[[int], Any]

# Unbuffered: the process and its children take turns in reading lines.
REQUESTS = os.fdopen(0, "rb", buffering=0)


def maker(module: str, fixture: str, data: Path) -> Make:
    """The function behind a loader's fixture, given what its other fixtures would give."""
    tests = importlib.import_module(module)
    make = inspect.unwrap(getattr(tests, fixture))
    wanted = inspect.signature(make).parameters

    def build(batch_size: int) -> Any:
        given: dict[str, object] = {"batch_size": batch_size}
        if "photos" in wanted:
            given["photos"] = read_photos(folder(data, "photos", cut_photos)[0])
        if "sentences" in wanted:
            sentences = read_sentences(folder(data, "sentences", collect_sentences)[0])
            given["sentences"] = sentences
            given["labels"] = [len(sentence.split()) for sentence in sentences]
        return make(**given)

    return build


def loop(loader: Any, heap: Heap, warmup: int, drain: int, batches: int, epoch: int) -> None:
    """Go through the loader for ever; time the stretches that the guard times."""
    seconds, samples, left, started = 0.0, 0, 0, 0.0
    while True:
        for index, batch in enumerate(loader, 1):
            if index > 1 + warmup:
                part = next(iter(batch.values())) if isinstance(batch, dict) else batch[0]
                samples += len(part)
                left -= 1
            if index > 1 + warmup and (left == 0 or index == epoch - drain):
                seconds += time.perf_counter() - started
            if index >= 1 + warmup and left == 0:
                print(json.dumps([seconds, samples]), flush=True)
                os.killpg(os.getpgrp(), signal.SIGSTOP)
                resumed = REQUESTS.readline()
                if resumed == b"stop\n":
                    os._exit(0)
                heap.shuffle()
                seconds, samples, left = 0.0, 0, batches
                started = float(resumed)
            elif index <= 1 + warmup:
                started = time.perf_counter()
            if index == epoch - drain:
                break


def main() -> None:
    """Answer requests, each in a forked process that leads a group of its own."""
    module, fixture, data = sys.argv[1:]
    make = maker(module, fixture, Path(data))
    while line := REQUESTS.readline():
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            os.setsid()
            # As in the guard's trial: what this would differ by is luck (the modules say why).
            isolation.settle(keep=True)
            heap = Heap()
            heap.shuffle_workers()
            print(os.getpid(), flush=True)
            loop(make(request.pop("batch_size")), heap, **request)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
