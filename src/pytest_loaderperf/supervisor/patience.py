"""How long an answer has been waited for, without the time for which it could not come."""

from __future__ import annotations

import time
from collections.abc import Callable


class Patience:
    """A stopwatch that stands still while a process is frozen."""

    def __init__(self, limit: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._spent = 0.0
        self._since: float | None = clock()

    def renew(self) -> None:
        """Wait for another answer from now on."""
        self._spent = 0.0
        if self._since is not None:
            self._since = self._clock()

    def pause(self) -> None:
        """The process has been frozen."""
        if self._since is not None:
            self._spent += self._clock() - self._since
            self._since = None

    def go_on(self) -> None:
        """It has been resumed."""
        if self._since is None:
            self._since = self._clock()

    @property
    def is_over(self) -> bool:
        """Whether the answer has taken longer than it may."""
        running = 0.0 if self._since is None else self._clock() - self._since
        return self._spent + running > self.limit
