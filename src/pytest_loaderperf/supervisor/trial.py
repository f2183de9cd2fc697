"""The coordinator's side of one trial: talk to it, suspend it, end it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar, cast

from ..errors import ArmError, HangError, HungTrialError, LostTrialError, MemoryLimitError
from ..model.version import Version
from ..protocol.channel import Channel, ChannelClosed
from ..protocol.messages import (
    Begin,
    Deliveries,
    End,
    EpochEnd,
    Finished,
    Handed,
    Message,
    Opened,
    Probe,
    Slice,
    Started,
)
from ..system import process_tree, signals
from ..system.files import tail
from . import diagnostics
from .diagnostics import ending, shown, stuck
from .memory_limit import Ceiling


class Patience:
    """A stopwatch that stands still while a process is suspended."""

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
        """The process has been suspended."""
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


M = TypeVar("M", bound=Message)
# In a stack: a rank waits for another one.
_WAITS = re.compile(r'ranks\.py", line \d+ in (_exactly|_read)')
_OF_PATIENCE = 0.75  # for a batch of another rank: then its leader says which it waits for
_LAST_WORDS = 5.0  # seconds, for other ranks to end their tests
LOOK_EVERY = 0.5  # seconds between looks at whether a silent process is still alive
# What a trial does while one of these is awaited.
_WORK: dict[type, str] = {
    Handed: "setting up its test",
    Opened: "making its first batches",
    Slice: "making batches",
    EpochEnd: "reading an epoch",
    Deliveries: "reading whole epochs",
    Finished: "ending its test",
}


class TrialArm(Protocol):
    version: Version
    ceiling: Ceiling
    timeout: float

    def reap(self, pid: int) -> int | None:
        """The exit status of an ended trial; None if the arm has died."""

    def died(self) -> ArmError:
        """How the arm ended."""

    def check_seen(self, pid: int) -> None:
        """ArmError if there is a Python below a process that does not show what it runs."""


class TrialOver(Exception):  # noqa: N818  (it is no error by itself)
    """The test ended before the trial had measured: it failed, was skipped, or never called."""

    def __init__(self, finished: Finished, version: Version, who: str = "") -> None:
        super().__init__("the test ended early")
        self.finished = finished
        self.version = version
        self.who = who  # of several ranks

    @property
    def reason(self) -> str:
        """The first line of the error that ended the test, if pytest says so."""
        told = [report.get("longrepr") for report in self.finished.reports]
        crashes = [each.get("reprcrash") for each in told if isinstance(each, dict)]
        return next((str(each["message"]).partition("\n")[0] for each in crashes if each), "")


class Trial:
    """A trial, or that of the first of several ranks, which leads the others.

    It is talked with alone then, and all are suspended, resumed and ended together.
    """

    def __init__(
        self, arm: TrialArm, channel: Channel, started: Started, rank: int | None = None
    ) -> None:
        self._arm = arm
        self._rank = rank  # if there are several
        self._others: Sequence[Trial] = ()  # those that it leads
        self._handed = False
        self._finished: Finished | None = None  # of one that is led
        self._finished_at = 0.0
        self._channel = channel
        self.pid = started.pid
        self._output = Path(started.output)
        self._patience = Patience(arm.timeout)
        self.scattered = False  # whether its processes are in several groups
        self._ended = False
        self._ended_for: tuple[float, float | None] | None = None

    @property
    def _who(self) -> str:
        own = "" if self._rank is None else f"rank {self._rank} of "
        return f"{own}a trial of {self._arm.version.name}"

    def lead(self, others: Sequence[Trial]) -> None:
        """Have it lead the trials of other ranks."""
        self._others = others
        process_tree.join(self.pid, [each.pid for each in others])

    def ask(self, message: Message, expected: type[M]) -> M:
        """Send a message and wait for its answer.

        Raises TrialOver when the test ends instead, ArmError when the process dies.
        """
        self.send(message)
        return self.answer(expected)

    def send(self, message: Message) -> None:
        """Send a message; a trial that has ended shows when the answer is awaited."""
        self._patience.renew()
        if isinstance(message, Begin):
            for each in self._others:
                each.send(message)
            pids, patience = [each.pid for each in self._others], _OF_PATIENCE * self._arm.timeout
            message = replace(message, others=pids, patience=patience)
        if isinstance(message, End | Probe):  # its workers run still
            self._arm.check_seen(self.pid)
        with contextlib.suppress(ChannelClosed):
            self._channel.send(message)

    def answer(self, expected: type[M], *, meanwhile: Callable[[], None] | None = None) -> M:
        """Wait for a message, calling ``meanwhile`` every half second."""
        while (message := self.poll(expected, LOOK_EVERY)) is None:
            if meanwhile is not None:
                meanwhile()
        return message

    def poll(self, expected: type[M], seconds: float) -> M | None:
        """A message, or None if none has come within so many seconds; raises as ``ask`` does."""
        for each in self._others:
            each.hear(ending=issubclass(expected, Finished))
        try:
            message = next_message(self._channel, seconds, lambda: process_tree.alive(self.pid))
        except ChannelClosed:
            raise self._died() from None
        if message is None and self._patience.is_over:
            raise self._stuck(expected)
        if isinstance(message, Finished) and issubclass(expected, Finished):
            return cast(M, self._of_all(message))
        if message is None or isinstance(message, expected):
            return message
        if isinstance(message, Finished):
            self._reap()
            raise TrialOver(message, self._arm.version)
        raise ArmError(f"expected {expected.__name__}, got {message}")

    def hear(self, *, ending: bool) -> None:
        """Hear what one that is led by another trial says, and whether it lives.

        Raises TrialOver if its test ends before it is to be ``ending``, ArmError when it dies.
        """
        if self._finished is not None:
            self._wait_for_leader(self._finished)
            return
        try:
            message = next_message(self._channel, 0.0, lambda: process_tree.alive(self.pid))
        except ChannelClosed:
            raise self._died() from None
        self._handed |= isinstance(message, Handed)
        if isinstance(message, Finished):
            self._finished, self._finished_at = message, time.monotonic()
            if not ending:
                self._reap()
                raise TrialOver(message, self._arm.version, self._who)

    def _wait_for_leader(self, finished: Finished) -> None:
        """Wait no longer for a first rank that may wait for this one, whose test has failed."""
        failed = any(report["outcome"] == "failed" for report in finished.reports)
        if failed and time.monotonic() > self._finished_at + _LAST_WORDS:
            raise TrialOver(finished, self._arm.version, self._who)

    def _of_all(self, finished: Finished) -> Finished:
        """What is to be said of the test of all ranks: what went wrong, if it did in one of them.

        One that does not end by itself is ended with the others.
        """
        until = time.monotonic() + _LAST_WORDS
        while time.monotonic() < until and any(each._finished is None for each in self._others):
            for each in self._others:
                each.hear(ending=True)
            time.sleep(0.005)
        every = [finished, *(each._finished for each in self._others if each._finished)]
        failed = (e for e in every if any(r["outcome"] == "failed" for r in e.reports))
        return next(failed, finished)

    def wait(self, seconds: float) -> bool:
        """Wait for a message, but no longer than that; whether there is one."""
        return self._channel.wait(seconds)

    def suspend(self) -> float:
        """Stop the whole trial, workers included; since when it stands (``perf_counter``)."""
        since = signals.suspend(self.pid)
        self._patience.pause()
        if self.scattered:
            self._signal_strays(signal.SIGSTOP)
            since = time.perf_counter()
        return since

    def resume(self) -> None:
        """Let it go on."""
        if self.scattered:
            self._signal_strays(signal.SIGCONT)
        signals.resume(self.pid)
        self._patience.go_on()

    def _signal_strays(self, number: int) -> None:
        for pid in process_tree.leaders(self.pid):
            signals.signal_strays(pid, number)

    def end(self) -> Finished | None:
        """Have the test unwound and wait for the process to end; None if it died of that.

        What it has measured holds all the same. HangError if it does not end.
        """
        if self._ended:
            return None
        self.resume()
        self.send(End())
        try:
            finished = self.answer(Finished)
        except (HangError, MemoryLimitError):
            raise
        except ArmError:
            return None
        return self._over(finished)

    def finished(self) -> Finished:
        """Wait for the end of a test that is on its way there; ArmError if it dies before."""
        return self._over(self.answer(Finished))

    def _over(self, finished: Finished) -> Finished:
        self._reap()
        return finished

    def kill(self) -> None:
        """End the process and all that it started, at once."""
        for each in self._others:
            each.kill()
        if not self._ended:
            signals.end(self.pid)
            with contextlib.suppress(ProcessLookupError):  # it may not lead its group yet
                os.kill(self.pid, signal.SIGKILL)
            self._reap()

    def end_for(self, needed: float, limit: float | None) -> None:
        """End the process for the memory that it takes (from the ceiling's thread)."""
        for each in (self, *self._others):
            each._ended_for = needed, limit
        for pid in process_tree.leaders(self.pid):
            signals.end(pid)

    def output(self) -> str:
        """The last of what the trial printed."""
        return tail(self._output)

    def discard_output(self) -> None:
        """Remove the file that took the output."""
        self._output.unlink(missing_ok=True)

    def _died(self) -> ArmError:
        status = self._reap()
        if self._ended_for is not None:
            return MemoryLimitError(self._arm.version.name, *self._ended_for)
        if status is None:
            return self._arm.died()
        return LostTrialError(f"{self._who} {ending(status)}{shown(self.output())}")

    def _stuck(self, expected: type) -> HungTrialError:
        self.resume()  # else it could not show its stacks
        every = (self, *self._others)
        stacks = [diagnostics.of_tree(each.pid, each._output) for each in every]
        its_stacks = "\n".join(stacks)
        # Others wait for those that wait for nobody.
        busy = [e for e, text in zip(every, stacks, strict=True) if not _WAITS.search(text)]
        if expected is Handed:
            busy = [each for each in self._others if not each._handed]
        who = " and ".join(each._who for each in busy) or self._who
        work = _WORK.get(expected, "working")
        return HungTrialError(stuck(who, self._patience.limit, work, its_stacks))

    def _reap(self) -> int | None:
        """Collect the process's exit status, after killing what is left of it and its group.

        None if nobody can tell, since the arm has died as well.
        """
        if self._ended:
            return 0
        self._ended = True
        self._arm.ceiling.forget(self)
        process_tree.part(self.pid)
        for _ in range(200):  # its own end comes within milliseconds of its last message
            if not process_tree.alive(self.pid):
                break
            time.sleep(0.005)
        signals.end(self.pid)
        self._channel.close()
        return self._arm.reap(self.pid)


def next_message(channel: Channel, seconds: float, alive: Callable[[], bool]) -> Message | None:
    """The next message, None if none has come yet; ChannelClosed where none will."""
    message = channel.next(seconds)
    if message is None and not alive():
        # Dead, and a worker holds the channel open; or its last words came after the wait.
        message = channel.next(0)
        if message is None:
            raise ChannelClosed("the other process has ended")
    return message
