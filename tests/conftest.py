"""What all tests rely on."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Heed Ctrl-C: a shell has its jobs in the background ignore it, and their children too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
