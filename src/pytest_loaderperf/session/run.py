"""One run with ``--loaderperf``: what it needs, its plugin objects, and its end."""

from __future__ import annotations

import contextlib
import signal

import pytest

from .collecting import Collecting
from .interrupt import interrupted_by, uninterrupted
from .resources import Resources
from .running import Running
from .summary import Summary, Updates


class Session:
    """A run from its beginning to its end. LoaderPerfError where its settings make no sense."""

    def __init__(self, config: pytest.Config) -> None:
        with contextlib.ExitStack() as cleanup:
            resources = Resources.opened(config, cleanup)
            self._cleanup = cleanup.pop_all()
        self.collecting = Collecting(resources)
        running = Running(resources, self._cleanup)
        self._others = {
            "loaderperf-collecting": self.collecting,
            "loaderperf-running": running,
            "loaderperf-updates": Updates(resources, running),
            "loaderperf-summary": Summary(resources, self.collecting, running),
        }

    def register(self, manager: pytest.PytestPluginManager, name: str) -> None:
        """Register all plugin objects of the run, this one by a name."""
        manager.register(self, name)
        for other, plugin in self._others.items():
            manager.register(plugin, other)

    def pytest_sessionstart(self) -> None:
        """Clean up after SIGTERM as after Ctrl-C: it is how CI cancels a run."""
        self._cleanup.enter_context(interrupted_by(signal.SIGTERM))

    def pytest_unconfigure(self) -> None:
        """Leave no process and no worktree behind, also where Ctrl-C is pressed twice."""
        with uninterrupted():
            self._cleanup.close()
