"""One run with ``--loaderperf``: what it needs, its plugin objects, and its end."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

import pytest

from ..system.signals import heed_children
from .collecting import Collecting
from .first_test import FirstTest
from .resources import Resources
from .running import Running
from .summary import Summary, Updates


class Session:
    """A run from its beginning to its end. LoaderPerfError where its settings make no sense."""

    def __init__(self, config: pytest.Config) -> None:
        heed_children()
        asked = config.getoption("loaderperf_init")
        first = FirstTest.planned(config, asked) if asked else None
        with contextlib.ExitStack() as cleanup:
            resources = Resources.opened(config, cleanup)
            if first is not None:
                first.write(config)
            self._cleanup = cleanup.pop_all()
        self.collecting = Collecting(resources)
        running = Running(resources, self.collecting, self._cleanup)
        updates = Updates(resources, running)
        self._others = {
            "loaderperf-collecting": self.collecting,
            "loaderperf-running": running,
            "loaderperf-updates": updates,
            "loaderperf-summary": Summary(resources, self.collecting, running, updates, first),
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


# Signals that end a run come as KeyboardInterrupt: pytest then unwinds and cleans up.


@contextlib.contextmanager
def interrupted_by(number: signal.Signals) -> Iterator[None]:
    """Have a signal raise KeyboardInterrupt, unless somebody handles it already."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt(number.name)

    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(number) is not signal.SIG_DFL:
        yield
        return
    signal.signal(number, interrupt)
    try:
        yield
    finally:
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C and SIGTERM for good: what happens in here is the end of the run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
