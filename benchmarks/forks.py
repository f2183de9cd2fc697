"""Measures loaders whose libraries start threads while the tests are imported.

    pip install torch scikit-learn polars numba tokenizers lmdb opencv-python-headless duckdb daft
    python benchmarks/forks.py [--only NAME] [--budget 60]

Each library does some work when its test module is imported, and again in each batch. A trial that
is forked without heed hangs, is killed, or is slower than a plain loop. Each loader is checked
twice against its own commit: as it is, and with half as much work again. Printed are both
verdicts, the throughput beside that of a plain loop in a process of its own, and how trials were
started. Libraries that are not installed are left out, and named.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study import git, pytest

LOADER = """\
import numpy as np
{imported}

TIMES = 1.0

class Batches:
    \"\"\"Batches of 64 samples, each after some work of the library.\"\"\"

    def __iter__(self):
        while True:
            for _ in range(int({times} * TIMES)):
                {work}
            yield np.zeros((64, 8))

{work}
"""
CHECK = "import loaders\n\ndef test_it(loaderperf):\n    loaderperf.check(loaders.Batches())\n"
BARE = """\
import time, loaders
batches = iter(loaders.Batches())
def rate(seconds):
    count, began = 0, time.perf_counter()
    while time.perf_counter() < began + seconds:
        next(batches)
        count += 64
    return count / (time.perf_counter() - began)
rate(1)
print(rate(3))
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a library does at import and in each batch, so many times."""

    package: str
    imported: str
    work: str
    times: int


CASES: Mapping[str, Case] = {
    "torch": Case(
        package="torch",
        imported="import torch\nONES = torch.ones(1000, 1000)",
        work="ONES + ONES",
        times=4,
    ),
    "scikit-learn": Case(
        package="sklearn",
        imported="from sklearn.metrics import pairwise_distances_argmin\n"
        "ROWS = np.random.default_rng(1).random((2000, 8))",
        work="pairwise_distances_argmin(ROWS, ROWS[:100])",
        times=4,
    ),
    "polars": Case(
        package="polars",
        imported="import polars as pl\nROWS = pl.DataFrame({'a': range(100_000)})",
        work="ROWS.lazy().group_by(pl.col('a') % 7).agg(pl.len()).collect()",
        times=2,
    ),
    "numba": Case(
        package="numba",
        imported="import numba\nONES = np.ones(1_000_000)\n"
        "add = numba.njit(parallel=True)(lambda rows: (rows + rows).sum())",
        work="add(ONES)",
        times=6,
    ),
    "tokenizers": Case(
        package="tokenizers",
        imported="from tokenizers import Tokenizer, models, pre_tokenizers\n"
        "WORDS = Tokenizer(models.WordLevel({'a': 0}, unk_token='a'))\n"
        "WORDS.pre_tokenizer = pre_tokenizers.Whitespace()\nTEXTS = ['a b c d e f g h' * 9] * 64",
        work="WORDS.encode_batch(TEXTS)",
        times=4,
    ),
    "lmdb": Case(
        package="lmdb",
        imported="import lmdb\nOPEN = lmdb.open('rows', map_size=2**20)\n"
        "with OPEN.begin(write=True) as change:\n    change.put(b'a', bytes(1000))",
        work="[OPEN.begin().get(b'a') for _ in range(100)]",
        times=20,
    ),
    "opencv": Case(
        package="cv2",
        imported="import cv2\nIMAGE = np.ones((600, 600, 3), 'uint8')",
        work="cv2.GaussianBlur(IMAGE, (15, 15), 5)",
        times=4,
    ),
    "duckdb": Case(
        package="duckdb",
        imported="import duckdb",
        work="duckdb.sql('select sum(range) from range(1000000)').fetchall()",
        times=2,
    ),
    "daft": Case(
        package="daft",
        imported="import daft\nROWS = daft.from_pydict({'a': list(range(1000))})",
        work="ROWS.where(daft.col('a') > 5).collect()",
        times=1,
    ),
    "zarr": Case(
        package="zarr",
        imported="import zarr\nROWS = zarr.ones((200, 200), chunks=(50, 50))",
        work="ROWS[:]",
        times=2,
    ),
    "a thread": Case(
        package="threading",
        imported="from concurrent.futures import ThreadPoolExecutor\nPOOL = ThreadPoolExecutor(1)",
        work="POOL.submit(sum, range(20_000)).result()",
        times=10,
    ),
    "numpy": Case(
        package="numpy", imported="ONES = np.ones((300, 300))", work="ONES @ ONES", times=4
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(CASES), nargs="*", default=list(CASES))
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of judging")
    options = parser.parse_args()
    row = "{:<14} {:<14} {:<14} {:>8}  {}"
    print(row.format("library", "unchanged", "half as much", "of bare", "trials"), flush=True)
    for name in options.only:
        if importlib.util.find_spec(CASES[name].package) is None:
            print(row.format(name, "not installed", "", "", ""))
            continue
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder, "project")
            create(root, CASES[name], options.budget)
            same = checked(root)
            bare = plain(root)
            loaders = root / "loaders.py"
            loaders.write_text(loaders.read_text().replace("TIMES = 1.0", "TIMES = 1.5"))
            slower = checked(root)
        value = same["metrics"].get("throughput", {}).get("value")
        anew = [note for note in same["notes"] if "process of its own" in note]
        share = f"{value / bare:.3f}" if value else "-"
        started = anew[0].rpartition("longer: ")[2] if anew else "forked"
        print(row.format(name, same["verdict"], slower["verdict"], share, started), flush=True)


def create(root: Path, case: Case, budget: float) -> None:
    """A project with the check of a library, committed."""
    root.mkdir()
    files = {
        "loaders.py": LOADER.format(imported=case.imported, work=case.work, times=case.times),
        "test_it.py": CHECK,
        "pytest.ini": f"[pytest]\nloaderperf_budget = {budget:g}\n",
        ".gitignore": "rows/\n.loaderperf/\n",
    }
    for name, text in files.items():
        (root / name).write_text(text)
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "as it is")


def checked(root: Path) -> dict[str, Any]:
    """What a run says of the check."""
    (check,) = pytest(
        root, "--loaderperf", "--loaderperf-against=HEAD", "--loaderperf-always",
        "--loaderperf-timeout=60", "-p", "no:cacheprovider",
    )  # fmt: skip
    if check["verdict"] == "error":
        print(check["message"], file=sys.stderr)
    return check


def plain(root: Path) -> float:
    """Samples per second of a plain loop, the median of three."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", BARE]
    rates = [
        float(subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True,
                             text=True).stdout)
        for _ in range(3)
    ]  # fmt: skip
    return sorted(rates)[1]


if __name__ == "__main__":
    main()
