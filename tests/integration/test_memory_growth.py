"""Memory that grows while a loader runs: by a known amount, and by copies of what workers share."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_loaderperf.baselines import store
from support import tiny

MIB = 2**20
# Keeps so many KiB of each batch of two samples.
LEAKY = """\
from paced import Paced

kept = []

class Leaky(Paced):
    def __init__(self, kibibytes=LEAK):
        super().__init__()
        self.kibibytes = kibibytes

    def __iter__(self):
        for batch in super().__iter__():
            kept.append(bytearray(b"x") * (self.kibibytes << 10))
            yield batch
"""
CHECK = """\
import pytest
import leaky

@pytest.mark.loaderperf(metrics=["memory_growth"])
def test_paced(loaderperf):
    perf = loaderperf(leaky.Leaky())
    assert perf.memory_growth <= perf.baseline.memory_growth
"""
ASKS = """\
import leaky

def test_too_much(loaderperf):
    perf = loaderperf(leaky.Leaky(40))
    assert perf.memory_growth <= "12 MiB"

def test_little(loaderperf):
    perf = loaderperf(leaky.Leaky(20))
    assert perf.memory_growth <= "12 MiB"
"""


def leaky(kibibytes: int) -> str:
    return LEAKY.replace("LEAK", str(kibibytes))


def test_a_leak_is_a_regression_and_reads_as_it_is(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", leaky=leaky(0), test_it=CHECK)
    tiny.accept(project)
    project.write(leaky=leaky(20))
    run = project.pytest("--loaderperf")
    assert run.verdicts == {tiny.NODE: "regressed"}, run.output
    (check,) = run.results["checks"]
    growth = check["metrics"]["memory_growth"]
    # Of 500 batches, and what an interpreter takes in its first second.
    assert 500 * 20 * 1024 * 0.97 < growth["value"] < 500 * 20 * 1024 + MIB
    assert growth["baseline"] < MIB  # below what counts
    assert growth["unit"] == "bytes/1000 samples"
    assert re.search(r"memory_growth regressed: (9|10)[.\d]* MiB/1000 samples", run.output)
    assert re.search(r"private memory grew by [\d.]+ MiB/1000 samples \(95 %: ", run.output)


def test_a_budget_alone_asks_for_it(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, leaky=leaky(0), test_it=ASKS)
    report = tiny.report(project, "--loaderperf-update")
    assert report.run.status == 1
    assert report.outcomes == {"test_too_much": "failure", "test_little": "passed"}
    assert re.search(r"memory_growth: (19|20)[.\d]* MiB/1000 samples", report.run.output)
    assert "/1000 samples <= 12 MiB/1000 samples is false" in report.texts["test_too_much"]
    assert "baseline not written: the test failed" in report.run.output
    written = store.load(project.root / "baselines/test_it.json")
    assert set(written) == {"test_little"}
    (record,) = written["test_little"].records.values()
    assert "memory_growth" in record.metrics


EPOCHS = """\
import mmap
import time
import pytest

kept = []

def taken(size):
    # Given back as soon as it is freed: an allocator keeps some of it, as it happens.
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    block.write(b"x" * size)
    return block

class Epochs:
    \"\"\"Epochs of 100 batches that keep something for good, and something until they end.\"\"\"

    def __init__(self, for_good, in_an_epoch):
        self.for_good, self.in_an_epoch = for_good, in_an_epoch

    def __iter__(self):
        kept.append(bytearray(b"x") * self.for_good)
        kept.append(open(__file__))
        mine = []
        for _ in range(100):
            time.sleep(0.002)
            mine.append(taken(max(1, self.in_an_epoch // 100)))
            yield [1, 2]

@pytest.mark.loaderperf(metrics=["memory_growth"])
@pytest.mark.parametrize(("for_good", "in_an_epoch"), [(4, 0), (0, 8)], ids=["leak", "cache"])
def test_epochs(loaderperf, for_good, in_an_epoch):
    loaderperf(Epochs(for_good << 20, in_an_epoch << 20))
"""


def test_what_an_epoch_keeps_is_growth_and_what_it_frees_is_none(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_it=EPOCHS)
    run = project.pytest("--loaderperf")
    leak, cache = run.results["checks"]
    # 4 MiB in each epoch of 200 samples, and 8 MiB that each frees.
    assert 19 * MIB < leak["metrics"]["memory_growth"]["value"] < 22 * MIB, run.output
    assert cache["metrics"]["memory_growth"]["value"] < 2 * MIB, run.output
    for check in (leak, cache):
        (note,) = (note for note in check["notes"] if "memory grew" in note)
        assert re.search(r"more and more files are open: \S+/test_it\.py \(\d+ more\)", note)


SHARED = """\
import pytest
from torch.utils.data import DataLoader, Dataset

class Numbers(Dataset):
    def __init__(self):
        self.items = [(index, str(index)) for index in range(200_000)]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        number, text = self.items[index]  # its reference count is written to: the page is copied
        return number

@pytest.mark.loaderperf(metrics=["memory_growth"])
def test_paced(loaderperf):
    loader = DataLoader(Numbers(), 1000, num_workers=2)
    perf = loaderperf(loader)
    assert perf.memory_growth <= "50 KiB"
"""


def test_copies_of_what_workers_share_are_growth(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_it=SHARED)
    run = project.pytest("--loaderperf")
    assert run.status == 1, run.output
    growth = run.results["checks"][0]["metrics"]["memory_growth"]["value"]
    assert 50 * 2**10 < growth < 500 * 2**10, run.output
