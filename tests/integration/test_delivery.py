"""Each sample once: real ranks and workers, with known overlaps and gaps."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import tiny
from support.project import Project

# Samples are their numbers. ``own`` says which ones a rank has.
LOADERS = """\
import os

RANK, WORLD = (int(os.environ.get(each, 0)) for each in ("RANK", "WORLD_SIZE"))
WORLD = WORLD or 1

def own():
    return range(RANK, 120, WORLD)

class Numbers:
    def __iter__(self):
        numbers = list(own())
        for start in range(0, len(numbers), 10):
            yield numbers[start : start + 10]
"""
TEST = """\
import loaders
import pytest

@pytest.mark.loaderperf(ranks=3)
def test_it(loaderperf):
    loaderperf.check_samples(loaders.Numbers())
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


def run(root: Path, own: str = "", **modules: str) -> tiny.Report:
    loaders = LOADERS.replace("range(RANK, 120, WORLD)", own) if own else LOADERS
    project: Project = tiny.create(root / "project", loaders=loaders, test_it=TEST)
    project.write(**modules)
    return tiny.report(project, "--loaderperf")


def test_ranks_that_share_the_samples_are_complete(tmp_path: Path) -> None:
    report = run(tmp_path)
    check = report.checks["test_it"]
    assert (check["verdict"], check["outcome"]) == ("complete", "passed"), report.run.output
    assert check["metrics"] == {}
    assert "120 samples of an epoch were read, 120 of one process alone" in report.run.output
    assert report.run.status == 0


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ("range(120)", "240 of 120 samples come once more than they should (rank 1 120, rank 2 12"),
        ("range(RANK, 110 if WORLD > 1 else 120, WORLD)", "10 of 120 samples are missing"),
        ("range(RANK + 5 * (WORLD > 1), 125, WORLD)", "5 of 120 samples are missing"),
    ],
)
def test_overlaps_and_gaps_are_told(tmp_path: Path, own: str, says: str) -> None:
    own = own.replace("125", "(120 + 5 * (WORLD > 1))")
    report = run(tmp_path, own)
    check = report.checks["test_it"]
    assert (check["verdict"], check["outcome"]) == ("incomplete", "failed"), report.run.output
    assert says in report.texts["test_it"]
    assert "Traceback" not in report.texts["test_it"]


def test_samples_that_change_with_each_epoch_tell_nothing(tmp_path: Path) -> None:
    report = run(tmp_path, "__import__('random').choices(range(10**9), k=120 // WORLD)")
    assert report.checks["test_it"]["verdict"] == "error"
    assert "each epoch has other samples" in report.texts["test_it"]


def test_samplers_and_workers_of_torch(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    report = run(tmp_path, test_it=SAMPLED)
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
