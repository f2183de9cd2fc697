"""webdataset: shards that the test writes, shuffle buffers, and its own loader."""

from __future__ import annotations

from kinds.kind import Expected, Kind, Slowed

LOADERS = """\
import time
import warnings
import numpy as np
import webdataset as wds

def write(folder, rows):
    for shard in range(4):
        with wds.TarWriter(str(folder / f"{shard}.tar")) as tar:
            for i in range(shard, rows, 4):
                tar.write({"__key__": f"{i:05}", "npy": np.full((3, 2), i), "cls": i})

class Slowly:
    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self, sample):
        time.sleep(self.seconds)
        return sample

def data(folder, rows, seconds):
    urls = [str(folder / f"{shard}.tar") for shard in range(4)]
    return (wds.WebDataset(urls, shardshuffle=False).shuffle(20).decode()
            .to_tuple("npy", "cls").map(Slowly(seconds)))

def samples(folder, rows, seconds):
    return data(folder, rows, seconds)

def batches(folder, rows, seconds):
    return data(folder, rows, seconds).batched(10)

def full_batches(folder, rows, seconds):
    return data(folder, rows, seconds).batched(10, partial=False)

def loader(folder, rows, seconds):
    return wds.WebLoader(batches(folder, rows, seconds), batch_size=None, num_workers=2)

def rebatched(folder, rows, seconds):
    ready = wds.WebLoader(batches(folder, rows, seconds), batch_size=None, num_workers=2)
    return ready.unbatched().shuffle(30).batched(10)

def epoch(folder, rows, seconds):
    return wds.WebLoader(batches(folder, rows, seconds), batch_size=None).with_epoch(7)

def unbatched(folder, rows, seconds):
    return wds.WebLoader(batches(folder, rows, seconds), batch_size=None).unbatched()
"""
UNKNOWN = {"epoch_batches": None}
KIND = Kind(
    needs=("webdataset", "torch"),
    source=LOADERS,
    loaders={
        "samples": Expected(epoch=(105, 105), tells=UNKNOWN),
        "batches": Expected(kind="webdataset pipeline", tells=UNKNOWN),
        "full_batches": Expected(epoch=(100, 10), tells=UNKNOWN),
        "loader": Expected(
            epoch=(105, 12),
            kind="webdataset WebLoader",
            tells={**UNKNOWN, "workers": 2},
            among_settings={"start_method": "fork"},
            batch="list[int64[*,3,2], int64[*]]",
        ),
        "rebatched": Expected(tells=UNKNOWN),
        "epoch": Expected(epoch=(70, 7), tells={"epoch_batches": 7}),
        "unbatched": Expected(epoch=(105, 105), tells=UNKNOWN),
    },
    slowed={"loader": Slowed(rows=4000)},
)
