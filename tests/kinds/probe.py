"""What a loader tells about itself and delivers, as JSON: run for each module of loaders.

It is a process of its own, since no process can import all frameworks.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import psutil

from pytest_loaderperf.arm.driver import Stream
from pytest_loaderperf.errors import LoaderError
from pytest_loaderperf.loaders.counting import settling_counter
from pytest_loaderperf.loaders.recognise import describe

_AT_MOST = 400  # batches: a loader that is endless has more


def main() -> None:
    """Look at functions of a module: arguments are its folder, that of the data, rows, names."""
    source, data, rows, *names = sys.argv[1:]
    sys.path.insert(0, source)
    loaders = importlib.import_module("loaders")
    folder = Path(data)
    if hasattr(loaders, "write") and not any(folder.iterdir()):
        loaders.write(folder, int(rows))
    found = {name: _look(getattr(loaders, name)(folder, int(rows), 0.0)) for name in names}
    print("\n" + json.dumps(found), flush=True)
    # Whatever threads and processes a framework has left.
    for process in psutil.Process().children(recursive=True):
        process.kill()
    os._exit(0)


def _look(given: Any) -> dict[str, Any]:
    try:
        known = describe(given)
    except LoaderError as error:
        return {"error": str(error)}
    facts = {
        name: getattr(known, name)
        for name in ("kind", "workers", "prefetch", "epoch_batches", "samples_per_epoch", "note")
    }
    facts["settings"] = dict(known.settings)
    try:
        facts["epochs"] = [_epoch(given) for _ in range(2)]
        opened = Stream(describe(given), None).open(7, 0, None)
        facts["workload"] = dataclasses.asdict(opened.workload)
    except LoaderError as error:
        facts["error"] = str(error)
    return facts


def _epoch(given: Any) -> list[int]:
    """Samples and batches of an epoch, counted as a trial does."""
    known = describe(given)
    count = known.count or settling_counter(known.batch_size, known.samples_per_epoch)
    samples = batches = 0
    for batch in known.start():
        samples += count(batch)
        batches += 1
        if batches == _AT_MOST:
            break
    return [samples, batches]


if __name__ == "__main__":
    main()
