"""A project whose loaders do a known amount of work: so many additions a sample, so much memory."""

from __future__ import annotations

from pathlib import Path

from support.project import Project

LOADERS = '''\
class Loader:
    """Batches of numbers; every sample costs ``work`` additions, the dataset keeps ``kept``."""

    def __init__(self, batch_size, work=WORK, megabytes=MEGABYTES):
        self.batch_size, self.work = batch_size, work
        self.kept = bytearray(b"x") * (megabytes * 2**20)

    def __len__(self):
        return 10**6

    def __iter__(self):
        for index in range(len(self)):
            batch = []
            for sample in range(self.batch_size):
                total = 0
                for term in range(self.work):
                    total += term
                batch.append(total)
            yield batch
'''
CHECKS = """\
import pytest
import loaders

@pytest.fixture
def train_loader(batch_size):
    return loaders.Loader(batch_size)

@pytest.mark.loaderperf(batch_sizes=[8])
def test_train(train_loader, loaderperf):
    perf = loaderperf(train_loader)
    assert perf.throughput >= perf.baseline.throughput
    assert perf.peak_memory <= perf.baseline.peak_memory

@pytest.mark.loaderperf
def test_other(loaderperf):
    loaderperf.check(loaders.Loader(8, work=2000, megabytes=20))
"""
TRAIN = "test_perf.py::test_train[8]"
OTHER = "test_perf.py::test_other"


def create(root: Path) -> Project:
    """A repository whose loaders have no baseline yet."""
    # Pairs of half a second are long enough for loaders without workers.
    project = Project.create(root, {"pytest.ini": "[pytest]\nloaderperf_budget = 16\n"})
    set_loader(project)
    project.write(test_perf=CHECKS)
    project.commit("loaders and their checks")
    return project


def set_loader(project: Project, *, work: int = 2000, megabytes: int = 20) -> None:
    """Write the loaders with this much work a sample, and so much memory kept."""
    text = LOADERS.replace("WORK", str(work)).replace("MEGABYTES", str(megabytes))
    project.write(loaders=text)
