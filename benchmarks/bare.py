"""The throughput of a loader in a plain loop, in samples/s: ``python bare.py FOLDER NAME SECONDS``.

The folder has a module ``loaders``, which says how many samples a batch has.
"""

from __future__ import annotations

import importlib
import sys
import time
from typing import Any

WARMUP = 1.0  # seconds


def main() -> None:
    """Go through the loader, epoch after epoch, and print its rate."""
    folder, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    sys.path.insert(0, folder)
    loaders = importlib.import_module("loaders")
    loader: Any = loaders.LOADERS[name]()
    began, samples, at = time.perf_counter(), 0, 0.0
    while True:
        for batch in loader() if callable(loader) else loader:
            now = time.perf_counter()
            if not at and now - began > WARMUP:
                at, samples = now, 0
            elif at:
                samples += loaders.samples(batch)
                if now - at > seconds:
                    print(samples / (now - at))
                    return


if __name__ == "__main__":
    main()
