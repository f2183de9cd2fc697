"""What all tests rely on."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Heed Ctrl-C: a shell has its jobs in the background ignore it, and their children too.

    Each worker of pytest-xdist gets a temporary folder of its own, and with it a lock of its own:
    the runs that it starts would else wait for those of the other workers.
    """
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        folder = tempfile.mkdtemp(prefix=f"{worker}-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        os.environ["TMPDIR"] = tempfile.tempdir = folder
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
