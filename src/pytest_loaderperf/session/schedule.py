"""How long a run takes: by its budgets at first, then by the checks that it has done."""

from __future__ import annotations

from collections.abc import Sequence


class Schedule:
    """The time that a run's checks take, given their budgets in seconds."""

    def __init__(self, budgets: Sequence[float]) -> None:
        self._budgets = list(budgets)
        self._done: list[float] = []

    @property
    def plan(self) -> str:
        """What a run is in for."""
        count = len(self._budgets)
        if not count:
            return "no checks"
        noun = "check" if count == 1 else "checks"
        return f"{count} {noun}, at most {_time(sum(self._budgets))} of judging"

    @property
    def now(self) -> str:
        """Which check it is, and what is left with it: at most that, before any is done."""
        left = self._budgets[len(self._done) :]
        place = f"{min(len(self._done) + 1, len(self._budgets))} of {len(self._budgets)}"
        if not self._done:
            return f"{place}, at most {_time(sum(left))} left"
        usual = sum(self._done) / len(self._done)
        return f"{place}, about {_time(usual * len(left))} left"

    def ended(self, seconds: float) -> None:
        """A check took so many seconds."""
        self._done.append(seconds)


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
