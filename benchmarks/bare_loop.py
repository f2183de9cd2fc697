"""A reference loader in a plain ``for batch in loader`` loop: what the guard is compared with.

Run by ``overhead.py``; reads one request a line on standard input, forks, and prints samples/s.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perf.corpus import collect_sentences, cut_photos, read_photos, read_sentences
from pytest_loaderperf.data import folder

Make = Callable[[int], Any]


def maker(module: str, fixture: str, data: Path) -> Make:
    """The function behind a loader's fixture, given what its other fixtures would give."""
    tests = importlib.import_module(f"perf.{module}")
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


def bare_throughput(loader: Any, warmup: int, drain: int, batches: int, epoch: int) -> float:
    """Samples/s of the loop over the stretch that the guard times."""
    seconds = 0.0
    timed = samples = 0
    while timed < batches:
        started = 0.0
        for index, batch in enumerate(loader, 1):
            if index == 1 + warmup:
                started = time.perf_counter()
            elif index > 1 + warmup:
                timed += 1
                samples += len(batch[0])
                if timed == batches or index == epoch - drain:
                    # Before the loop ends: then the loader ends its workers.
                    seconds += time.perf_counter() - started
                    break
    return samples / seconds


def main() -> None:
    """Answer requests, each in a forked process of its own."""
    module, fixture, data = sys.argv[1:]
    make = maker(module, fixture, Path(data))
    for line in sys.stdin:
        request = json.loads(line)
        if os.fork() == 0:
            value = bare_throughput(make(request.pop("batch_size")), **request)
            print(value, flush=True)
            os._exit(0)
        os.wait()


if __name__ == "__main__":
    main()
