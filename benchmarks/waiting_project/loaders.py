"""Ten loaders that wait: for a server, a disk, a timer, or a thread. All give batches of 8 samples.

``FACTOR`` is how much slower the server is, or the client where there is none.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import queue
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

FACTOR = 1.0
BATCH = [0] * 8
READ = 1 << 20  # bytes of a file for a batch
samples = len  # of a batch


class Loader:
    """A loader with epochs of a known length."""

    def __init__(self, batches: int, make: Callable[[int], Iterator[list[int]]]) -> None:
        self._batches = batches
        self._make = make

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[int]]:
        return self._make(self._batches)


def endless(make: Callable[[int], Iterator[list[int]]]) -> Callable[[], Iterator[list[int]]]:
    """A loader whose epoch nobody sees the end of."""
    return lambda: make(1 << 40)


def requests(fetch: Callable[[int], object], threads: int, batches: int) -> Iterator[list[int]]:
    """Batches in order, so many of them fetched at a time."""
    with ThreadPoolExecutor(threads) as pool:
        numbers = iter(range(batches))
        pending: deque[Future[object]] = deque(
            pool.submit(fetch, number) for number in itertools.islice(numbers, threads)
        )
        try:
            while pending:
                pending.popleft().result()
                for number in itertools.islice(numbers, 1):
                    pending.append(pool.submit(fetch, number))
                yield BATCH
        finally:
            for future in pending:
                future.cancel()


def server(latency: float, threads: int) -> Callable[[int], Iterator[list[int]]]:
    """A server that answers after so many seconds, asked by so many threads."""
    return lambda batches: requests(lambda _: time.sleep(FACTOR * latency), threads, batches)


def coroutines(latency: float, tasks: int) -> Callable[[int], Iterator[list[int]]]:
    """The same server, asked by coroutines of an event loop that runs in the loop's thread."""

    async def answer() -> None:
        await asyncio.sleep(FACTOR * latency)

    def make(batches: int) -> Iterator[list[int]]:
        loop = asyncio.new_event_loop()
        numbers = iter(range(batches))
        pending: deque[asyncio.Task[None]] = deque(
            loop.create_task(answer()) for _ in itertools.islice(numbers, tasks)
        )
        try:
            while pending:
                loop.run_until_complete(pending.popleft())
                for _ in itertools.islice(numbers, 1):
                    pending.append(loop.create_task(answer()))
                yield BATCH
        finally:
            for task in pending:
                task.cancel()
            if pending:
                loop.run_until_complete(asyncio.wait(pending))
            loop.close()

    return make


def disk(threads: int) -> Callable[[int], Iterator[list[int]]]:
    """A file that is read from the disk each time: none of it stays in the page cache."""
    path = Path(tempfile.gettempdir()) / "waiting-loaders"
    size = int(READ * FACTOR) & -4096

    def fetch(number: int) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            start = number % 200 * 2 * READ
            os.posix_fadvise(descriptor, start, size, os.POSIX_FADV_DONTNEED)
            os.pread(descriptor, size, start)
            os.posix_fadvise(descriptor, start, size, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)

    if not path.exists():
        unfinished = path.with_name(f"waiting-{os.getpid()}")
        with unfinished.open("wb") as file:
            for _ in range(400):
                file.write(os.urandom(READ))
            os.fsync(file.fileno())
        unfinished.rename(path)
    return lambda batches: requests(fetch, threads, batches)


def sleeps(batches: int) -> Iterator[list[int]]:
    """A client that sleeps before each batch."""
    for _ in range(batches):
        time.sleep(FACTOR * 0.01)
        yield BATCH


def limiter(batches: int) -> Iterator[list[int]]:
    """A limiter that keeps an absolute schedule: who was late is served at once."""
    began = time.monotonic()
    for number in range(batches):
        due = began + number * FACTOR * 0.008
        time.sleep(max(0.0, due - time.monotonic()))
        yield BATCH


def producer(batches: int) -> Iterator[list[int]]:
    """A thread that works ahead, as far as a queue of 64 allows."""
    ready: queue.Queue[list[int]] = queue.Queue(64)
    over = threading.Event()

    def put(batch: list[int]) -> None:
        while not over.is_set():
            try:
                ready.put(batch, timeout=0.1)
                return
            except queue.Full:
                pass

    def fill() -> None:
        for _ in range(batches):
            if over.is_set():
                return
            time.sleep(FACTOR * 0.01)
            put(BATCH)

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        for _ in range(batches):
            yield ready.get()
    finally:
        over.set()
        thread.join()


LOADERS: dict[str, Callable[[], object]] = {
    "server_150ms_32": lambda: endless(server(0.15, 32)),
    "server_100ms_48": lambda: Loader(3000, server(0.1, 48)),
    "server_40ms_24": lambda: endless(server(0.04, 24)),
    "server_20ms_1": lambda: Loader(150, server(0.02, 1)),
    "coroutines_50ms_16": lambda: Loader(2000, coroutines(0.05, 16)),
    "disk_1": lambda: endless(disk(1)),
    "disk_4": lambda: endless(disk(4)),
    "sleeps": lambda: Loader(300, sleeps),
    "limiter": lambda: endless(limiter),
    "producer": lambda: endless(producer),
}
