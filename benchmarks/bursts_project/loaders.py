"""Twelve loaders whose loss lives in a part of an epoch: ``LOSS`` is its share of the epoch.

An epoch takes three seconds or so on a machine of today. All work is checksums, so that a loss is
the same share on any machine.
"""

from __future__ import annotations

import gc
import random
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

LOSS = 0.0
BATCHES = 1000
UNITS = 200  # of work for a batch
BUFFER = bytes(32 << 10)
EXTRA = LOSS / (1 - LOSS) * UNITS  # units of work that a batch takes more, on average
FOLDER = Path(tempfile.gettempdir()) / "bursts"


def work(units: float) -> None:
    """Some 10 us for each unit."""
    for _ in range(round(units)):
        zlib.crc32(BUFFER)


def unit_seconds() -> float:
    """How long a unit takes on this machine: found once, so that all trials wait as long."""
    path = FOLDER / "unit_seconds"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        moments = [time.perf_counter()]
        while moments[-1] - moments[0] < 3:  # which is as long as an epoch
            work(UNITS)
            moments.append(time.perf_counter())
        found = (moments[-1] - moments[0]) / (len(moments) - 1) / UNITS
        path.with_suffix(".new").write_text(str(found))
        path.with_suffix(".new").rename(path)
    return float(path.read_text())


class Loader:
    """Batches of eight samples; before each one ``extra`` may work, or wait."""

    def __init__(self, extra: Callable[[int], None]) -> None:
        self._extra = extra

    def __len__(self) -> int:
        return BATCHES

    def __iter__(self) -> Iterator[list[int]]:
        for number in range(BATCHES):
            work(UNITS)
            self._extra(number)
            yield [number] * 8


def every(batches: int) -> Loader:
    """A stall of work after every so many batches."""
    return Loader(lambda number: work(EXTRA * batches * (number % batches == batches - 1)))


def every_wait(batches: int) -> Loader:
    """A wait after every so many batches."""
    seconds = EXTRA * BATCHES * unit_seconds() / (BATCHES // batches)
    return Loader(lambda number: time.sleep(seconds) if number % batches == batches - 1 else None)


class AtRandom(Loader):
    """Waits of 20 ms: in each epoch as many, in other places."""

    def __init__(self) -> None:
        super().__init__(lambda number: time.sleep(0.02) if number in self._places else None)
        self._waits = round(EXTRA * BATCHES * unit_seconds() / 0.02)
        self._places: set[int] = set()

    def __iter__(self) -> Iterator[list[int]]:
        self._places = {*random.sample(range(BATCHES), self._waits)}
        return super().__iter__()


def part(first: float, last: float) -> Loader:
    """All of the loss in one part of the epoch."""
    extra = EXTRA / (last - first)
    return Loader(lambda n: work(extra * (first * BATCHES <= n < last * BATCHES)))


class Cached(Loader):
    """Items that come again and again, from a cache; with a loss it stops serving in the end."""

    def __init__(self) -> None:
        super().__init__(self._item)
        self._cache: dict[int, int] = {}

    def __iter__(self) -> Iterator[list[int]]:
        self._cache.clear()
        return super().__iter__()

    def _item(self, number: int) -> None:
        key = number % (BATCHES // 4)
        late = LOSS and number >= BATCHES * 3 // 4
        if late or key not in self._cache:
            work(4 * (EXTRA or 0.1 / 0.9 * UNITS))
            self._cache[key] = number


class ByTheClock(Loader):
    """A wait whenever another second begins by the clock of the wall, within an epoch."""

    def __init__(self) -> None:
        super().__init__(self._wait)
        self._seen = 0

    def __iter__(self) -> Iterator[list[int]]:
        self._seen = int(time.monotonic())
        return super().__iter__()

    def _wait(self, _: int) -> None:
        if LOSS and int(time.monotonic()) != self._seen:
            time.sleep(LOSS)
            self._seen = int(time.monotonic())


def collected() -> Loader:
    """The collector of garbage, over many objects, as often as makes up the loss."""
    objects = [[number] for number in range(200_000)]
    began = time.perf_counter()
    gc.collect()
    seconds = time.perf_counter() - began
    batches = max(1, round(seconds / (EXTRA * unit_seconds()))) if LOSS else 0

    def extra(number: int) -> None:
        if batches and number % batches == 0 and objects:
            gc.collect()

    return Loader(extra)


SHARDS = 4
# What reading a batch takes beside, in units of work: it is a part of the epoch.
READING_TAR, READING_PARQUET = 90, 130


def extra_of_a_shard(reading: float) -> float:
    """The units of work that make up the loss of a shard."""
    return LOSS / (1 - LOSS) * (UNITS + reading) * BATCHES / SHARDS


def webdataset() -> Any:
    """Shards of a real webdataset; with a loss each shard is checked when it is opened."""
    import webdataset as wds

    folder = FOLDER / "shards"
    if not folder.exists():
        folder.mkdir(parents=True)
        for shard in range(SHARDS):
            with tarfile.open(folder / f"{shard}.tar", "w") as file:
                for number in range(BATCHES // SHARDS):
                    entry = tarfile.TarInfo(f"{shard:03}{number:06}.bin")
                    entry.size = 1000
                    file.addfile(entry, BytesIO(bytes(1000)))

    def checked(source: Iterator[Any]) -> Iterator[Any]:
        for shard in source:
            work(extra_of_a_shard(READING_TAR))
            yield shard

    def batch(sample: dict[str, Any]) -> list[int]:
        work(UNITS)
        return [len(sample["bin"])] * 8

    return wds.DataPipeline(
        wds.SimpleShardList([str(folder / f"{shard}.tar") for shard in range(SHARDS)]),
        checked,
        wds.tarfile_to_samples(),
        wds.map(batch),
    )


def parquet() -> Any:
    """Row groups of a real Parquet file; with a loss each group is checked when it is read."""
    import pyarrow
    import pyarrow.parquet

    path = FOLDER / "rows.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pyarrow.table({"sample": list(range(8 * BATCHES))})
        pyarrow.parquet.write_table(table, path, row_group_size=8 * BATCHES // SHARDS)

    class Rows:
        def __len__(self) -> int:
            return BATCHES

        def __iter__(self) -> Iterator[list[int]]:
            file = pyarrow.parquet.ParquetFile(path)
            for group in range(file.num_row_groups):
                work(extra_of_a_shard(READING_PARQUET))
                for rows in file.read_row_group(group).to_batches(8):
                    work(UNITS)
                    yield rows.column("sample").to_pylist()

    return Rows()


LOADERS: dict[str, Callable[[], Any]] = {
    "every_100": lambda: every(100),
    "every_300_waits": lambda: every_wait(300),
    "every_900_waits": lambda: every_wait(900),
    "at_random": AtRandom,
    "slow_start": lambda: part(0, 0.1),
    "slow_end": lambda: part(0.9, 1),
    "slow_half": lambda: part(0.5, 1),
    "cache": Cached,
    "wall_clock": ByTheClock,
    "collector": collected,
    "webdataset": webdataset,
    "row_groups": parquet,
}
