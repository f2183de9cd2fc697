"""Is memory that grows told from memory that does not? Leaks of a known size, and caches.

    python benchmarks/growth.py [--only NAME ...] [--rounds 1]

Each loader is measured by a run of `pytest --loaderperf` that asks for `memory_growth`. Printed are
the figure, what is true by construction (both in MiB per 1000 samples), and the notes. A leak is
found if its figure is within 15 % of the truth. A cache is none if its figure is below 1 MiB, which
never counts. The loaders of torch are left out where it is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from pathlib import Path
from typing import Any

from study import pytest

MIB = 2**20
# Batches of two samples every 2 ms; epochs of 100 batches, where they end.
LOADERS = '''\
import collections, ctypes, functools, gc, itertools, tempfile, time
from multiprocessing import shared_memory

KIB = 1024
kept = []

def block(kib):
    return bytearray(b"x") * (kib * KIB)

class Epochs:
    """Epochs of so many batches; each batch does something, and each epoch at its start."""

    def __init__(self, each=None, epoch=None, batches=100):
        self.each, self.epoch, self.batches = each, epoch, batches

    def __iter__(self):
        mine = []
        if self.epoch:
            self.epoch()
        for number in range(self.batches):
            time.sleep(0.002)
            if self.each:
                self.each(number, mine)
            yield [1, 2]

def endless(each):
    return Epochs(each, batches=10**9)

# --- leaks

def leak_in_batches():  # 20 KiB each
    return endless(lambda number, mine: kept.append(block(20)))

def leak_in_batches_of_epochs():
    return Epochs(lambda number, mine: kept.append(block(20)))

def leak_with_epochs():  # 4 MiB each
    return Epochs(epoch=lambda: kept.append(block(4 * KIB)))

def leak_of_files():  # a buffer of 64 KiB each
    def each(number, mine):
        file = open("/dev/zero", "rb", buffering=64 * KIB)
        file.read(1)
        kept.append(file)
    return Epochs(each, batches=20)

def leak_of_shared_memory():  # 1 MiB in every 50 batches
    def each(number, mine):
        if number % 50 == 0:
            made = shared_memory.SharedMemory(create=True, size=KIB * KIB)
            made.buf[:] = bytes(KIB * KIB)
            made.unlink()
            kept.append(made)
    return Epochs(each)

def leak_in_c():  # 30 KiB each
    library = ctypes.CDLL(None)
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    def each(number, mine):
        ctypes.memset(library.malloc(30 * KIB), 1, 30 * KIB)
    return endless(each)

# --- caches

def cache_of_an_epoch():
    return Epochs(lambda number, mine: mine.append(block(20)))

def cache_that_is_full():
    cached = functools.lru_cache(50)(lambda number: block(20))
    return endless(lambda number, mine: cached(number % 1000))

def cache_of_a_dataset():
    cached = functools.cache(lambda number: block(20))
    return Epochs(lambda number, mine: cached(number))

def queue_of_batches():
    held = collections.deque(maxlen=50)
    return endless(lambda number, mine: held.append(block(20)))

def shuffle_buffer():
    held = []
    def each(number, mine):
        if not held:
            held.extend(block(20) for _ in range(40))
        held.pop()
    return endless(each)

def garbage_in_cycles():
    def each(number, mine):
        for _ in range(20):
            cycle = [block(1)]
            cycle.append(cycle)
    return endless(each)
'''
TORCH = '''\
import time
import loaders
from torch.utils.data import DataLoader, Dataset

kept = []

class Rows(Dataset):
    """Of each row, a worker keeps so many KiB; at the first row of an epoch it may forget them."""

    def __init__(self, kib, forgets=False):
        self.kib, self.forgets = kib, forgets

    def __len__(self):
        return 400

    def __getitem__(self, index):
        time.sleep(0.001)
        if self.forgets and index < 4:
            kept.clear()
        if self.kib:
            kept.append(loaders.block(self.kib))
        return index

def of_rows(rows, **options):
    return DataLoader(rows, batch_size=4, num_workers=1, **options)

def leak_in_workers():  # 10 KiB a sample
    return of_rows(Rows(10))

def leak_in_workers_that_stay():
    return of_rows(Rows(10), persistent_workers=True)

def workers_that_keep_nothing():
    return of_rows(Rows(0))

def workers_that_forget():
    return of_rows(Rows(10, forgets=True), persistent_workers=True)
'''
CHECK = """\
import pytest, {module}

@pytest.mark.loaderperf(metrics=["memory_growth"])
def test_it(loaderperf):
    loaderperf({module}.{name}())
"""
KIB = 1024.0
# What is true, in bytes per 1000 samples.
TRUE = {
    "leak_in_batches": 500 * 20 * KIB,
    "leak_in_batches_of_epochs": 500 * 20 * KIB,
    "leak_with_epochs": 5 * 4 * MIB,
    "leak_of_files": 500 * 64 * KIB,
    "leak_of_shared_memory": 10 * MIB,
    "leak_in_c": 500 * 30 * KIB,
    "leak_in_workers": 1000 * 10 * KIB,
    "leak_in_workers_that_stay": 1000 * 10 * KIB,
    **dict.fromkeys(
        ["cache_of_an_epoch", "cache_that_is_full", "cache_of_a_dataset", "queue_of_batches",
         "shuffle_buffer", "garbage_in_cycles", "workers_that_keep_nothing", "workers_that_forget"],
        0.0,
    ),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(TRUE), nargs="*", default=list(TRUE))
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    has_torch = importlib.util.find_spec("torch") is not None
    right = told = 0
    print(f"{'loader':<28} {'MiB':>8} {'true':>8}  right")
    for _ in range(options.rounds):
        for name in options.only:
            module = "loaders" if f"def {name}()" in LOADERS else "of_torch"
            if module == "of_torch" and not has_torch:
                print(f"{name:<28} torch is not installed")
                continue
            check = measured(module, name)
            value = check["metrics"]["memory_growth"]["value"]
            well = abs(value - TRUE[name]) <= 0.15 * TRUE[name] if TRUE[name] else value < MIB
            told, right = told + 1, right + well
            notes = "; ".join(note for note in check["notes"] if "memory" in note)
            print(
                f"{name:<28} {value / MIB:8.2f} {TRUE[name] / MIB:8.2f}  "
                f"{'yes' if well else 'NO'}  {notes}",
                flush=True,
            )
    print(f"{right} of {told} right")


def measured(module: str, name: str) -> dict[str, Any]:
    """What a run says of a loader."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "project")
        root.mkdir()
        files = {
            "loaders.py": LOADERS,
            "of_torch.py": TORCH,
            "test_it.py": CHECK.format(module=module, name=name),
            "pytest.ini": "[pytest]\n",
        }
        for file, text in files.items():
            (root / file).write_text(text)
        (check,) = pytest(root, "--loaderperf")
        if "memory_growth" not in check["metrics"]:
            raise SystemExit(f"{name} was not measured: {check['message']}")
        return check


if __name__ == "__main__":
    main()
