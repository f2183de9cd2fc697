"""Where the time of a check goes."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator


class Phases:
    """The seconds of each phase so far: those of a phase inside of another count in it alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._inner: list[float] = []  # the seconds of inner phases, for each phase that goes on
        self.seconds = defaultdict[str, float](float)

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """A phase, however it ends."""
        began = self._clock()
        self._inner.append(0.0)
        try:
            yield
        finally:
            took = self._clock() - began
            self.seconds[name] += took - self._inner.pop()
            if self._inner:
                self._inner[-1] += took
