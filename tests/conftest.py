"""What all tests rely on."""

from __future__ import annotations

import signal

import pytest

from pytest_loaderperf.options import RUNS


@pytest.hookimpl(tryfirst=True)  # xdist reads its options in the same hook
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run the whole suite in two processes, each file in one: most tests wait most of the time.

    The loader checks of this project are run one at a time, as all checks are.
    """
    if hasattr(config, "workerinput"):  # one of the two, which must not start more
        return
    option = config.option
    measures = any(getattr(option, name) for name in (*RUNS, "loaderperf_prune"))
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if whole and not measures and getattr(option, "numprocesses", 0) is None and not option.usepdb:
        option.numprocesses, option.dist = 2, "loadfile"
        option.loadscopereorder = False  # the integration tests, which are long, begin


def pytest_configure() -> None:
    """Heed Ctrl-C: a shell has its jobs in the background ignore it, and their children too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
