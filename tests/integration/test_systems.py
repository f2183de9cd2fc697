"""Systems that are set up in another way: what a run relies on is there, or is done without."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from support import tiny

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is made for Linux")

# As programs do that want no zombies; what they start inherits it.
HEEDLESS = """\
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-m", "pytest", *sys.argv[1:]])
"""
CHECKS = """\
import multiprocessing, os
import paced

def work(queue):
    for batch in paced.paced():
        queue.put(batch)

class Served:
    def __iter__(self):
        context = multiprocessing.get_context("forkserver")
        queue = context.Queue(4)
        context.Process(target=work, args=(queue,), daemon=True).start()
        while True:
            yield queue.get()

class Dying:
    def __iter__(self):
        os.abort()

def test_served(loaderperf):
    loaderperf.check(Served())

def test_dies(loaderperf):
    loaderperf.check(Dying())
"""


def test_ignored_children_and_a_long_temporary_folder(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_it=CHECKS)
    # As long as a socket of multiprocessing directly below it can have.
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="x" * 50) as temporary:
        report = tiny.report(
            project,
            "--loaderperf",
            command=(sys.executable, "-c", HEEDLESS),
            environment={"TMPDIR": temporary},
        )
    verdicts = {name: check["verdict"] for name, check in report.checks.items()}
    assert verdicts == {"test_served": "no_baseline", "test_dies": "error"}, report.run.output
    assert "was killed by SIGABRT" in report.texts["test_dies"]
