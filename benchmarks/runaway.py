"""Batch sizes that do not fit: a run survives them, and the machine with it.

    python benchmarks/runaway.py

The reference loaders at a batch size that fits and at one that does not, since their files and
sentences are repeated until a batch of them takes more than the memory limit (of the sentences,
which are small: 2 GiB). Prints each check's verdict, the least memory that the machine had left,
and the processes that are left. Ends with 1 unless every large batch was ended, every small one
measured, a tenth of the memory was left all the time, and no process at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psutil

from pytest_loaderperf.model.units import format_size

ROOT = Path(__file__).resolve().parents[1]
FITS = 32
# How often the data is repeated, so that there is such a batch.
_REPEATED = """

@pytest.fixture
def photos(loaderperf_data):
    some = read_photos(loaderperf_data("photos", cut_photos))
    return Photos(some.paths * 120, some.labels * 120)


@pytest.fixture
def sentences(loaderperf_data):
    some = read_sentences(loaderperf_data("sentences", collect_sentences))
    return some * (1_200_000 // len(some))
"""
RUNS = {
    "test_torch_photos.py": (60_000, "80%"),
    "test_tf_photos.py": (24_000, "80%"),
    "test_keras_text.py": (1_200_000, "2GiB"),
}


class Least:
    """The least memory that the machine has had available, as a share of it."""

    def __init__(self) -> None:
        self.share = 1.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Least:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.02):
            memory = psutil.virtual_memory()
            self.share = min(self.share, memory.available / memory.total)


def run(module: str, large: int, limit: str, folder: Path) -> bool:
    """Run the checks of one module; whether all is as it should be."""
    project, results = folder / module, folder / f"{module}.json"
    shutil.copytree(ROOT / "tests" / "perf", project / "perf")
    (project / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    (project / ".loaderperf").symlink_to(ROOT / ".loaderperf")
    conftest = project / "perf" / "conftest.py"
    conftest.write_text(conftest.read_text() + _REPEATED)
    checks = project / "perf" / module
    checks.write_text(checks.read_text().replace("[32, 64, 128]", f"[{FITS}, {large}]"))
    with Least() as least, tempfile.TemporaryDirectory(dir=folder) as scratch:
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "--loaderperf", f"perf/{module}"),
                *(f"--loaderperf-json={results}", f"--loaderperf-memory-limit={limit}"),
            ],
            cwd=project,
            env={**os.environ, "TMPDIR": scratch},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        left = [each.pid for each in psutil.process_iter() if _belongs(each, scratch)]
    good = not left and least.share > 0.1
    for check in json.loads(results.read_text())["checks"]:
        fits = check["batch_size"] == FITS
        good &= check["verdict"] == ("no_baseline" if fits else "error")
        good &= fits or "out of memory" in check["message"]
        print(f"{check['nodeid']}: {check['verdict']}: {check['message']} ({check['seconds']} s)")
    total = format_size(psutil.virtual_memory().total)
    print(
        f"{module}: exit status {ended.returncode}; at least {least.share:.0%} of {total} was "
        f"available; {len(left)} processes left",
        flush=True,
    )
    return good


def _belongs(each: psutil.Process, scratch: str) -> bool:
    try:
        return each.environ().get("TMPDIR", "").startswith(scratch)
    except psutil.Error:
        return False


def main() -> int:
    """Run all modules."""
    with tempfile.TemporaryDirectory() as folder:
        good = [run(module, *how, Path(folder)) for module, how in RUNS.items()]
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
