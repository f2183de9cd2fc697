"""Each sample once, by the ways in which libraries split them, and by how one forgets to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from kinds.harness import needs
from support import environment, tiny

ROWS = (96, 101, 120)  # of three data sets: full shares, shares of other sizes, one more size
CHECKS = """\
import contextlib
import os
import pathlib
import loaders
import pytest

FOLDER = pathlib.Path({folder!r})

@pytest.fixture
def group():
    "What a training script does first, where it uses torch."
    with contextlib.ExitStack() as stack:
        if {grouped} and os.environ["WORLD_SIZE"] != "1":
            import torch.distributed as dist
            dist.init_process_group("gloo")
            stack.callback(dist.destroy_process_group)
        yield

@pytest.mark.loaderperf(ranks=2)
@pytest.mark.parametrize("rows", {rows})
def test_right(loaderperf, rows, group):
    loaderperf.check_samples(loaders.right(FOLDER / str(rows), rows), drops_last={drops})

@pytest.mark.loaderperf(ranks=2)
@pytest.mark.parametrize("rows", {rows})
def test_wrong(loaderperf, rows):
    loaderperf.check_samples(loaders.wrong(FOLDER / str(rows), rows), drops_last={drops})
"""
WRITING = """\
import pathlib, sys
import loaders

for rows in {rows}:
    folder = pathlib.Path(sys.argv[1]) / str(rows)
    folder.mkdir()
    getattr(loaders, "write", lambda *_: None)(folder, rows)
"""
WORLD = """\
import os
RANK, WORLD = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
"""


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a library splits samples over ranks: a module with ``right``, and ``wrong``."""

    needs: tuple[str, ...]
    source: str
    grouped: bool = False  # the right one needs a process group, and the wrong one has none
    drops: bool | None = None


TORCH = """\
import torch
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

def right(folder, rows):
    data = TensorDataset(torch.arange(rows))
    sampler = DistributedSampler(data, WORLD, RANK, shuffle=False)
    return DataLoader(data, batch_size=8, sampler=sampler, num_workers=1)

def wrong(folder, rows):  # no sampler: each rank reads everything
    return DataLoader(TensorDataset(torch.arange(rows)), batch_size=8, num_workers=1)
"""
TORCHDATA = """\
import torch
import torchdata.nodes as nodes
from torch.utils.data import SequentialSampler
from torch.utils.data.distributed import DistributedSampler

def over(sampler):
    rows = nodes.Mapper(nodes.SamplerWrapper(sampler), lambda index: index * 3)
    return nodes.Loader(nodes.Mapper(nodes.Batcher(rows, 8, drop_last=False), torch.tensor))

def right(folder, rows):
    return over(DistributedSampler(range(rows), WORLD, RANK, shuffle=False))

def wrong(folder, rows):  # a sampler without a rank
    return over(SequentialSampler(range(rows)))
"""
DATASETS = """\
import datasets
from datasets.distributed import split_dataset_by_node
from torch.utils.data import DataLoader

datasets.disable_progress_bars()

def data(rows):
    ready = datasets.Dataset.from_dict({"label": list(range(rows))})
    return ready.to_iterable_dataset(num_shards=4).with_format("torch")

def right(folder, rows):
    ready = split_dataset_by_node(data(rows), rank=RANK, world_size=WORLD)
    return DataLoader(ready, batch_size=8, num_workers=1)

def wrong(folder, rows):
    return DataLoader(data(rows), batch_size=8, num_workers=1)
"""
WEBDATASET = """\
import numpy as np
import webdataset as wds

def write(folder, rows):
    for shard in range(4):
        with wds.TarWriter(str(folder / f"{shard}.tar")) as tar:
            for i in range(shard, rows, 4):
                tar.write({"__key__": f"{i:05}", "npy": np.full(3, i), "cls": i})

def data(folder, splitter):
    urls = [str(folder / f"{shard}.tar") for shard in range(4)]
    rows = wds.WebDataset(urls, shardshuffle=False, nodesplitter=splitter).decode()
    return wds.WebLoader(rows.to_tuple("npy", "cls").batched(8), batch_size=None, num_workers=1)

def right(folder, rows):
    return data(folder, wds.split_by_node)

def wrong(folder, rows):
    return data(folder, lambda urls: urls)
"""
STREAMING = """\
import numpy as np
from streaming import MDSWriter, StreamingDataset
from torch.utils.data import DataLoader

def write(folder, rows):
    columns = {"image": "ndarray", "label": "int"}
    with MDSWriter(out=str(folder / "rows"), columns=columns, size_limit=2000) as out:
        for i in range(rows):
            out.write({"image": np.full(3, i), "label": i})

def data(folder, **options):
    ready = StreamingDataset(local=str(folder / "rows"), batch_size=8, shuffle=False, **options)
    return DataLoader(ready, batch_size=8, num_workers=1)

def right(folder, rows):
    return data(folder)

def wrong(folder, rows):  # both ranks are to have the same, as parts of one model would
    return data(folder, replication=2 if WORLD > 1 else None)
"""
LITDATA = """\
import torch
from litdata import StreamingDataLoader, StreamingDataset
from litdata.streaming.writer import BinaryWriter

def write(folder, rows):
    writer = BinaryWriter(str(folder / "rows"), chunk_size=6)
    for i in range(rows):
        writer[i] = {"image": torch.full((3,), i), "label": i}
    writer.done()
    writer.merge()

def right(folder, rows):
    ready = StreamingDataset(str(folder / "rows"), shuffle=False)
    return StreamingDataLoader(ready, batch_size=8, num_workers=1)

wrong = right  # without a process group it knows of no other rank
"""
GRAIN = """\
import grain

def over(rows, shards):
    sampler = grain.samplers.IndexSampler(
        rows, shuffle=True, seed=0, num_epochs=1, shard_options=shards)
    return grain.DataLoader(
        data_source=grain.sources.RangeDataSource(0, rows, 1), sampler=sampler,
        operations=[grain.transforms.Batch(8)], worker_count=0)

def right(folder, rows):
    return over(rows, grain.sharding.ShardOptions(shard_index=RANK, shard_count=WORLD))

def wrong(folder, rows):
    return over(rows, grain.sharding.NoSharding())
"""
TF_DATA = """\
import tensorflow as tf

def right(folder, rows):
    return tf.data.Dataset.range(rows).shard(WORLD, RANK).batch(8)

def wrong(folder, rows):  # sharded after it was shuffled, which each rank does in its own way
    return tf.data.Dataset.range(rows).shuffle(rows, seed=RANK).shard(WORLD, RANK).batch(8)
"""
WAYS: Mapping[str, Way] = {
    "torch": Way(needs=("torch",), source=TORCH),
    "torchdata": Way(needs=("torchdata",), source=TORCHDATA),
    "datasets": Way(needs=("datasets", "torch"), source=DATASETS),
    "webdataset": Way(needs=("webdataset", "torch"), source=WEBDATASET),
    "streaming": Way(needs=("streaming",), source=STREAMING),
    "litdata": Way(needs=("litdata",), source=LITDATA, grouped=True, drops=True),
    "grain": Way(needs=("grain",), source=GRAIN),
    "tf.data": Way(needs=("tensorflow",), source=TF_DATA),
}


@pytest.mark.parametrize(
    "way", [pytest.param(way, id=name, marks=needs(*way.needs)) for name, way in WAYS.items()]
)
def test_what_is_split_is_complete_and_what_is_not_is_found(way: Way, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    checks = CHECKS.format(folder=str(data), rows=ROWS, drops=way.drops, grouped=way.grouped)
    project = tiny.create(tmp_path / "project", loaders=WORLD + way.source, test_it=checks)
    writing = WRITING.format(rows=ROWS)
    subprocess.run(
        [sys.executable, "-c", writing, str(data)],
        cwd=project.root,
        env=environment.clean(TF_CPP_MIN_LOG_LEVEL="3"),
        check=True,
    )
    report = tiny.report(project, "--loaderperf", "--loaderperf-budget=30", timeout=500)
    verdicts = {name: check["verdict"] for name, check in report.checks.items()}
    assert verdicts == {
        **{f"test_right[{rows}]": "complete" for rows in ROWS},
        **{f"test_wrong[{rows}]": "incomplete" for rows in ROWS},
    }, report.run.output
    for rows in ROWS:
        assert "rank " in report.texts[f"test_wrong[{rows}]"]
