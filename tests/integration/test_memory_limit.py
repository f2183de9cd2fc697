"""Batch sizes that do not fit: the check says so, the others go on."""

from __future__ import annotations

from pathlib import Path

from support import tiny

GREEDY = '''\
import time

import pytest

class Greedy:
    """Keeps the last batch, of a MiB for every sample."""

    def __init__(self, batch_size):
        self.batch_size = batch_size

    def __iter__(self):
        while True:
            batch = []
            for _ in range(self.batch_size):
                batch.append(bytearray(b"x") * 2**20)
                time.sleep(0.0005)
            yield batch

@pytest.mark.loaderperf(batch_sizes=[4, 4000, 8])
def test_greedy(batch_size, loaderperf):
    loaderperf.check(Greedy(batch_size), samples=len)
'''


def test_batch_size_that_does_not_fit_takes_only_its_own_check_along(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", test_it=GREEDY)
    tiny.accept(project, *(f"test_it.py::test_greedy[{size}]" for size in (4, 4000, 8)))
    report = tiny.report(project, "--loaderperf", "--loaderperf-memory-limit=300MiB")
    verdicts = {name: check["verdict"] for name, check in report.checks.items()}
    # The others are measured: they are not what the hand-written baselines say.
    assert verdicts == {
        "test_greedy[4]": "incomparable",
        "test_greedy[4000]": "error",
        "test_greedy[8]": "incomparable",
    }
    text = report.texts["test_greedy[4000]"]
    assert "out of memory at batch size 4000: " in text
    assert "MiB needed, limit 300 MiB" in text
    assert "--loaderperf-memory-limit" in text
