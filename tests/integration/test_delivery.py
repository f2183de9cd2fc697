"""Each sample once: real ranks and workers, with known overlaps and gaps."""

from __future__ import annotations

import pytest

from support import tiny

# Samples are their numbers, and some ranks have others than they should.
SHARES = """\
import os
import random
import pytest

RANK, WORLD = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
TOGETHER = WORLD > 1

class Numbers:
    def __init__(self, numbers):
        self.numbers = numbers

    def __iter__(self):
        numbers = list(self.numbers())
        for start in range(0, len(numbers), 10):
            yield numbers[start : start + 10]

SHARES = {
    "shared": lambda: range(RANK, 120, WORLD),
    "everything": lambda: range(120),
    "gap": lambda: range(RANK, 110 if TOGETHER else 120, WORLD),
    "shifted": lambda: range(RANK + 5 * TOGETHER, 120 + 5 * TOGETHER, WORLD),
    "random": lambda: random.choices(range(10**9), k=120 // WORLD),
}

@pytest.mark.loaderperf(ranks=3)
@pytest.mark.parametrize("name", SHARES)
def test_it(loaderperf, name):
    loaderperf.check_samples(Numbers(SHARES[name]))
"""


@pytest.fixture(scope="module")
def shares(tmp_path_factory: pytest.TempPathFactory) -> tiny.Report:
    """Three ranks that share the samples, or do not."""
    root = tmp_path_factory.mktemp("shares")
    return tiny.report(tiny.create(root / "project", test_it=SHARES), "--loaderperf")


def test_ranks_that_share_the_samples_are_complete(shares: tiny.Report) -> None:
    check = shares.checks["test_it[shared]"]
    assert (check["verdict"], check["outcome"]) == ("complete", "passed"), shares.run.output
    assert check["metrics"] == {}
    assert "120 samples of an epoch were read, 120 of one process alone" in shares.run.output


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("everything", "240 of 120 samples come once more than they should (rank 1 120, rank 2 12"),
        ("gap", "10 of 120 samples are missing"),
        ("shifted", "5 of 120 samples are missing"),
    ],
)
def test_overlaps_and_gaps_are_told(shares: tiny.Report, name: str, says: str) -> None:
    check = shares.checks[f"test_it[{name}]"]
    assert (check["verdict"], check["outcome"]) == ("incomplete", "failed"), shares.run.output
    assert says in shares.texts[f"test_it[{name}]"]
    assert "Traceback" not in shares.texts[f"test_it[{name}]"]


def test_samples_that_change_with_each_epoch_tell_nothing(shares: tiny.Report) -> None:
    assert shares.checks["test_it[random]"]["verdict"] == "error"
    assert "each epoch has other samples" in shares.texts["test_it[random]"]
