"""What the allocator does with memory that is freed: counted in page faults of real processes."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's allocator")

# Frees 64 MiB in blocks of 1 MiB and takes it again, ten times: faults of the last nine times.
FAULTS = """
import resource, subprocess, sys
from pytest_loaderperf.arm.isolation import settle
if sys.argv[1] == "keep":
    print(settle(keep=True))
rounds = '''
import resource
faults = []
for _ in range(10):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [bytearray(2**20) for _ in range(64)]
    del blocks
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(sum(faults[1:]))
'''
exec(rounds)
subprocess.run([sys.executable, "-c", rounds], check=True)
"""
PAGES = 64 * 2**20 // os.sysconf("SC_PAGE_SIZE")


def run(mode: str, **environment: str) -> list[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-u", "-c", FAULTS, mode],
        env={**kept, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split()


@glibc
def test_freed_memory_is_taken_again_without_page_faults() -> None:
    kept, here, started = run("keep")
    assert kept == "True"
    assert int(here) < PAGES / 10
    assert int(started) < PAGES / 10  # a process that is started keeps its memory as well


@glibc
def test_without_it_the_same_loop_faults_every_page_in_again() -> None:
    here, started = map(int, run("leave"))
    assert min(here, started) > 5 * PAGES


# Blocks of 1 MiB, freed while a small one above them stays: what is resident then, in MiB.
RESIDENT = """
import os, sys
from pathlib import Path
from pytest_loaderperf.arm.isolation import settle
if sys.argv[1] == "return":
    settle(keep=False)
bytearray(2**24)  # once that is freed, glibc takes smaller blocks from the heap
blocks = [bytearray(b"x") * 2**20 for _ in range(64)]
above = [bytes(10_000) for _ in range(100)]
del blocks
pages = int(Path("/proc/self/statm").read_text().split()[1])
print(pages * os.sysconf("SC_PAGE_SIZE") // 2**20)
"""


@glibc
def test_memory_is_given_back_whatever_lies_above_it() -> None:
    sizes = {}
    for mode in ("leave", "return"):
        code = [sys.executable, "-c", RESIDENT, mode]
        done = subprocess.run(code, check=True, capture_output=True, text=True)
        sizes[mode] = int(done.stdout)
    assert sizes["leave"] - sizes["return"] > 60


@pytest.mark.parametrize("variable", ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES", "MALLOC_CONF"])
def test_an_allocator_that_the_user_has_set_up_is_left_alone(variable: str) -> None:
    value = "glibc.malloc.arena_max=1" if variable == "GLIBC_TUNABLES" else "1"
    assert run("keep", **{variable: value})[0] == "False"
