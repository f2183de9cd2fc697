"""What all tests rely on."""

from __future__ import annotations

import compileall
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

import pytest_loaderperf
from pytest_loaderperf.items import ARM
from pytest_loaderperf.options import RUNS
from support import leftovers
from support.background import temporary
from support.leftovers import nothing_is_left
from support.project import Project

__all__ = ["nothing_is_left", "temporary"]

FOLDER = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Heed Ctrl-C: a shell has its jobs in the background ignore it, and their children too.

    Each worker of pytest-xdist gets a temporary folder of its own, and with it a lock of its own:
    the runs that it starts would else wait for those of the other workers. And a control group.
    """
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        folder = tempfile.mkdtemp(prefix=f"{worker}-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        leftovers.keep_apart()
    elif not (config.pluginmanager.has_plugin(ARM) or any(map(config.getoption, RUNS))):
        # Runs that tests start write no bytecode, and there are hundreds of them: none needs to
        # compile the package, nor to rewrite its assertions as pytest does for a plugin.
        compileall.compile_dir(Path(pytest_loaderperf.__file__).parent, quiet=2)
        _rewrite_assertions()
        leftovers.remove_groups()  # of workers that ended after their run
        config.add_cleanup(leftovers.remove_groups)
        config.option.loadscopereorder = False  # see pytest_collection_modifyitems
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _rewrite_assertions() -> None:
    """Have pytest keep its own bytecode of the package: of what a run of checks imports."""
    with tempfile.TemporaryDirectory() as folder:
        checks = {"test_it.py": "def test_it(loaderperf): pass\n"}
        project = Project.create(Path(folder, "project"), checks, git=False)
        project.pytest("--loaderperf", environment={"PYTHONDONTWRITEBYTECODE": ""})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files go to the workers of pytest-xdist in this order: those that take long first.

    So no worker has a long one left when the others have nothing to do any more.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: "unit" in item.path.relative_to(FOLDER).parts)
