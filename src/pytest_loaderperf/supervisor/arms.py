"""All arms of a run, and what they have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from ..model.metrics import MemoryLimit
from ..model.ranks import ALONE, World
from ..model.version import Version
from ..system import strays
from .arm import CAN_FORK, Arm
from .cleanup import Guard
from .launch import Launch
from .memory_limit import Ceiling


class Arms:
    """The arms of a run: one for each version and module, kept for the checks that follow.

    Or one for each rank, where a check asks for several.
    """

    # An idle arm holds a few hundred megabytes: its imported framework.
    _AT_MOST = 4

    def __init__(self, launch: Launch, limit: MemoryLimit | None = None) -> None:
        self._launch = launch
        self._ceiling = Ceiling(limit or MemoryLimit())
        self._arms: dict[tuple[Version, str], Arm] = {}
        self._packages: dict[tuple[Version, str], Mapping[str, str]] = {}  # of arms that have ended
        self._mark = strays.new_mark()
        self._guard: Guard | None = None
        self._started = 0
        self._anew: dict[str, str] = {}

    def why_anew(self, module: str) -> str:
        """Why each trial of a module is a process of its own; "" where none of this run's is."""
        return self._anew.get(module, "")

    def may_start_anew(self, module: str, why: str) -> bool:
        """Have each trial of a module be a process of its own from now on, if it was a fork.

        False where nobody may decide that here, or it is so already.
        """
        if self._launch.fresh is not None or not CAN_FORK or module in self._anew:
            return False
        self._anew[module] = why
        return True

    def fork_again(self, module: str) -> None:
        """Fork the trials of a module again, which are lost as processes of their own, too."""
        self._anew.pop(module, None)

    def get(self, version: Version, module: str, world: World = ALONE) -> Arm:
        """The arm of a version for a module, started if there is none; does not wait for it.

        Of several ranks it is that of the first one, which leads the others.
        """
        key = version, module
        if key in self._arms and self._arms[key].world != world:
            self.drop(version, module)
        arm = self._arms.pop(key, None) or self._new(version, module, world)
        self._arms[key] = arm  # the most recently used comes last
        while len(self._arms) > self._AT_MOST:
            self.drop(*next(iter(self._arms)))
        return arm

    def packages(self, version: Version, module: str) -> Mapping[str, str] | None:
        """The versions of the packages that a module has imported, if an arm has told these."""
        key = version, module
        arm = self._arms.get(key)
        now = arm.packages if arm else None
        return self._packages.get(key) if now is None else now

    @contextlib.contextmanager
    def beside(self, version: Version, module: str, world: World) -> Iterator[Arm]:
        """One more arm of a version, in another world."""
        arm = self._new(version, module, world)
        try:
            yield arm
        finally:
            arm.close()

    @contextlib.contextmanager
    def watched(self, version: Version, module: str, how: str = "1") -> Iterator[Arm]:
        """One more arm of a version, which writes down which files are opened.

        With ``WHOLLY`` it does so apart, and its trials write down all that a record needs.
        """
        arm = self._new(version, module, ALONE, watch=how)
        try:
            yield arm
        finally:
            arm.close()

    def _new(self, version: Version, module: str, world: World, *, watch: str = "") -> Arm:
        if self._guard is None:
            self._guard = Guard(self._mark, self._launch.scratch, self._launch.root)
        self._started += 1
        mark = f"{self._mark}-{self._started}-"
        return Arm(
            self._launch, version, module, self._ceiling, mark, self._anew, watch=watch, world=world
        )

    def drop(self, version: Version, module: str) -> None:
        """End an arm, so that the next one is a fresh process."""
        key = version, module
        arm = self._arms.pop(key, None)
        if arm is not None:
            if arm.packages is not None:
                self._packages[key] = arm.packages
            arm.close()

    def drop_dead(self) -> None:
        """Let go of the arms that have died: whoever needs one next starts a new one."""
        for key in [key for key, arm in self._arms.items() if not arm.usable]:
            self.drop(*key)

    def close(self) -> None:
        """End all arms."""
        while self._arms:
            self._arms.popitem()[1].close()
        self._ceiling.close()
        if self._guard is not None:
            self._guard.close()
