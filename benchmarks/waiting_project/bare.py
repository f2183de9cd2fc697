"""The throughput of a loader in a plain loop, in samples/s: ``python bare.py NAME SECONDS``."""

from __future__ import annotations

import sys
import time
from typing import Any

from loaders import LOADERS

WARMUP = 1.0  # seconds


def main() -> None:
    """Go through the loader, epoch after epoch, and print its rate."""
    name, seconds = sys.argv[1], float(sys.argv[2])
    loader: Any = LOADERS[name]()
    began, samples, at = time.perf_counter(), 0, 0.0
    while True:
        for batch in loader() if callable(loader) else loader:
            now = time.perf_counter()
            if not at and now - began > WARMUP:
                at, samples = now, 0
            elif at:
                samples += len(batch)
                if now - at > seconds:
                    print(samples / (now - at))
                    return


if __name__ == "__main__":
    main()
