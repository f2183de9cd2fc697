"""Ranks and samples of torch: process groups, samplers and workers, as projects have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import tiny

# As a torch project has it: every rank joins the group before it makes its loader.
GLOO = """\
import os
import pytest

torch = pytest.importorskip("torch")

@pytest.fixture
def world():
    torch.distributed.init_process_group("gloo")
    yield torch.distributed
    torch.distributed.destroy_process_group()

@pytest.mark.loaderperf(ranks=2)
def test_it(loaderperf, world):
    assert str(world.get_rank()) == os.environ["RANK"]
    total = torch.ones(1) * (1 + world.get_rank())
    world.all_reduce(total)
    assert total.item() == 3
    perf = loaderperf([[world.get_rank()] * 8] * 1000)
    world.barrier()
    assert perf.throughput > 0
"""


SAMPLED = """\
import itertools
import os
import pytest

torch = pytest.importorskip("torch")
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from torch.utils.data.distributed import DistributedSampler

def make(**options):
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    dataset = TensorDataset(torch.arange(101), torch.arange(101) % 7)
    sampler = DistributedSampler(dataset, world, rank, **options)
    return DataLoader(dataset, batch_size=8, sampler=sampler, num_workers=1), sampler

@pytest.mark.loaderperf(ranks=2)
def test_forgotten(loaderperf):
    loaderperf.check_samples(make()[0])

@pytest.mark.loaderperf(ranks=2)
def test_called(loaderperf):
    loader, sampler = make()
    epochs = itertools.count()

    def next_epoch():
        sampler.set_epoch(next(epochs))
        return loader

    loaderperf.check_samples(next_epoch)

class Everything(IterableDataset):
    def __iter__(self):
        yield from range(60)

class Shared(IterableDataset):
    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        first, step = (info.id, info.num_workers) if info else (0, 1)
        yield from range(first, 60, step)

def test_workers_repeat(loaderperf):
    loaderperf.check_samples(DataLoader(Everything(), batch_size=8, num_workers=2))

def test_workers_share(loaderperf):
    loaderperf.check_samples(DataLoader(Shared(), batch_size=8, num_workers=2, drop_last=True))
"""


def test_ranks_join_a_group_in_their_fixtures(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    report = tiny.report(tiny.create(tmp_path / "project", test_it=GLOO), "--loaderperf")
    check = report.checks["test_it"]
    assert check["verdict"] == "no_baseline", report.run.output
    assert check["metrics"]["throughput"]["value"] > 0


def test_samplers_and_workers_of_torch(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    report = tiny.report(tiny.create(tmp_path / "project", test_it=SAMPLED), "--loaderperf")
    verdicts = {name: check["verdict"] for name, check in report.checks.items()}
    assert verdicts == {
        "test_forgotten": "incomplete",
        "test_called": "complete",
        "test_workers_repeat": "incomplete",
        "test_workers_share": "complete",
    }, report.run.output
    assert "call sampler.set_epoch(epoch)" in report.texts["test_forgotten"]
    repeated = "60 of 60 samples come once more than they should"
    assert repeated in report.texts["test_workers_repeat"]
