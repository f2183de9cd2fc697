"""The coordinator's side of arms and trials: start them, talk to them, end them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from . import process
from .errors import ArmError
from .launch import Launch, Version, check_sources
from .messages import (
    Channel,
    ChannelClosed,
    Collected,
    End,
    Ended,
    Finished,
    Message,
    Reap,
    Started,
    StartTrial,
)
from .output import new_file, tail

M = TypeVar("M", bound=Message)
_LOOK_EVERY = 0.5  # seconds between looks at whether a silent process is still alive
_TEARDOWN_SECONDS = 30.0  # for a test's fixtures, when a trial is asked to end


class TrialOver(Exception):  # noqa: N818  (it is no error by itself)
    """The test ended before the trial had measured: it failed, was skipped, or never called."""

    def __init__(self, finished: Finished, version: Version) -> None:
        super().__init__("the test ended early")
        self.finished = finished
        self.version = version


class Trial:
    """One running trial."""

    def __init__(self, arm: Arm, channel: Channel, started: Started) -> None:
        self._arm = arm
        self._channel = channel
        self.pid = started.pid
        self._output = Path(started.output)
        self._ended = False

    def ask(
        self,
        message: Message,
        expected: type[M],
        *,
        meanwhile: Callable[[], None] | None = None,
        every: float = _LOOK_EVERY,
    ) -> M:
        """Send a message and wait for its answer, calling ``meanwhile`` every few seconds.

        Raises TrialOver when the test ends instead, ArmError when the process dies.
        """
        self.send(message)
        return self.answer(expected, meanwhile=meanwhile, every=every)

    def send(self, message: Message) -> None:
        """Send a message; a trial that has ended shows when the answer is awaited."""
        with contextlib.suppress(ChannelClosed):
            self._channel.send(message)

    def answer(
        self,
        expected: type[M],
        *,
        meanwhile: Callable[[], None] | None = None,
        every: float = _LOOK_EVERY,
        timeout: float | None = None,
    ) -> M:
        """Wait for a message."""
        limit = None if timeout is None else time.monotonic() + timeout
        while (message := self.poll(expected, every)) is None:
            if limit is not None and time.monotonic() > limit:
                raise ArmError(f"no answer within {timeout:.0f} s")
            if meanwhile is not None:
                meanwhile()
        return message

    def poll(self, expected: type[M], seconds: float) -> M | None:
        """A message, or None if none has come within so many seconds; raises as ``ask`` does."""
        try:
            message = _next(self._channel, seconds, lambda: process.alive(self.pid))
        except ChannelClosed:
            raise self._died() from None
        if message is None or isinstance(message, expected):
            return message
        if isinstance(message, Finished):
            self._reap()
            raise TrialOver(message, self._arm.version)
        raise ArmError(f"expected {expected.__name__}, got {message}")

    def wait(self, seconds: float) -> None:
        """Wait for a message, but no longer than that."""
        self._channel.wait(seconds)

    def freeze(self) -> None:
        """Stop the whole trial, workers included."""
        process.freeze(self.pid)

    def resume(self) -> None:
        """Let it go on."""
        process.resume(self.pid)

    def end(self) -> Finished | None:
        """Have the test unwound and wait for the process to end; None if it had to be killed."""
        if self._ended:
            return None
        self.resume()
        self.send(End())
        return self.finished()

    def finished(self) -> Finished | None:
        """Wait for the end of a test that is on its way there."""
        finished = None
        with contextlib.suppress(ArmError):
            finished = self.answer(Finished, timeout=_TEARDOWN_SECONDS)
        self._reap()
        if finished is not None:
            check_sources(self._arm.version, finished)
        return finished

    def kill(self) -> None:
        """End the process and all that it started, at once."""
        if not self._ended:
            process.end(self.pid)
            with contextlib.suppress(ProcessLookupError):  # it may not lead its group yet
                os.kill(self.pid, signal.SIGKILL)
            self._reap()

    def output(self) -> str:
        """The last of what the trial printed."""
        return tail(self._output)

    def discard_output(self) -> None:
        """Remove the file that took the output."""
        self._output.unlink(missing_ok=True)

    def _died(self) -> ArmError:
        status = self._reap()
        if status is None:
            return self._arm.died()
        return ArmError(
            f"a trial of {self._arm.version.name} {_ending(status)}{_shown(self.output())}"
        )

    def _reap(self) -> int | None:
        """Collect the process's exit status, after killing what is left of it and its group.

        None if nobody can tell, since the arm has died as well.
        """
        if self._ended:
            return 0
        self._ended = True
        for _ in range(200):  # its own end comes within milliseconds of its last message
            if not process.alive(self.pid):
                break
            time.sleep(0.005)
        process.end(self.pid)
        self._channel.close()
        return self._arm.reap(self.pid)


class Arm:
    """One arm: a version's pytest process for one module, and the trials it starts."""

    def __init__(self, launch: Launch, version: Version, module: str) -> None:
        self.version = version
        self.module = module
        self._launch = launch
        self._collected: Collected | None = None
        self._fresh = bool(launch.fresh)
        self._used = False
        self._trials: list[Trial] = []
        self._start()

    @property
    def collected(self) -> Collected:
        """What the arm has collected; waits for it. ArmError where the module does not import."""
        if self._collected is None:
            self._collected = self._receive(Collected)
            hazard = self._collected.fork_hazard
            fork_refused = self._launch.fresh is None and (hazard or not hasattr(os, "fork"))
            if (fork_refused or sys.platform == "darwin") and not self._fresh:
                self._fresh = True
                self._restart()
        return self._collected

    def trial(self, nodeid: str) -> Trial:
        """Start a trial of a check; it waits for Begin."""
        _ = self.collected
        if self._fresh and self._used:
            self._restart()
        self._used = True
        channel, theirs = Channel.pair()
        with theirs:
            self._send(StartTrial(nodeid), theirs.fileno())
            started = self._receive(Started)
        trial = Trial(self, channel, started)
        self._trials.append(trial)
        return trial

    @contextlib.contextmanager
    def trials(self) -> Iterator[None]:
        """A stretch at whose end, however it ends, no trial of this arm is left."""
        try:
            yield
        finally:
            for trial in self._trials:
                trial.kill()
                trial.discard_output()
            self._trials.clear()

    def has(self, nodeid: str) -> bool:
        """Whether the arm has collected this check."""
        return any(f"{self.module}::{name}" == nodeid for name in self._check_names())

    def _check_names(self) -> Iterator[str]:
        for check in self.collected.checks:
            names = check["names"]
            assert isinstance(names, list)
            yield "::".join(names)

    @property
    def memory_root(self) -> int:
        """The process whose tree shares pages with a trial's: the arm itself."""
        return self._process.pid

    def reap(self, pid: int) -> int | None:
        """The exit status of an ended trial; negative for a signal, None if the arm has died."""
        if pid == self._process.pid:
            return self._process.wait()
        try:
            self._send(Reap(pid))
            return self._receive(Ended).status
        except ArmError:
            return None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def died(self) -> ArmError:
        """How the process ended."""
        status = self._process.wait()
        return ArmError(
            f"the process that measures {self.module} in {self.version.name} "
            f"{_ending(status)}{_shown(tail(self._log))}"
        )

    def close(self) -> None:
        """End the arm and all of its trials."""
        with self.trials():
            pass
        self._channel.close()
        process.end(self._process.pid)
        self._process.wait()
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
        self._log.unlink(missing_ok=True)

    def _start(self) -> None:
        self._channel, theirs = Channel.pair()
        log, name = new_file("arm", self._launch.scratch)
        self._log = Path(name)
        directory = Path(self.version.place(str(self._launch.invocation_dir)))
        # Trials end without Python's cleanup: what they leave in their temporary folder goes
        # with the run.
        environment = {**os.environ, "TMPDIR": str(self._launch.scratch)}
        if path := environment.get("PYTHONPATH"):
            places = map(self.version.place, path.split(os.pathsep))
            environment["PYTHONPATH"] = os.pathsep.join(places)
        with theirs:
            self._process = subprocess.Popen(
                [self.version.python, "-m", "pytest_loaderperf.arm", str(theirs.fileno())],
                cwd=directory if directory.is_dir() else self.version.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C reaches the coordinator alone, which ends arms
            )
        os.close(log)
        self._guard = _guard(self._process.pid) if self._fresh else None
        self._send(self._launch.setup(self.version, self.module, fresh=self._fresh))

    def _restart(self) -> None:
        self.close()
        self._start()
        self._receive(Collected)
        self._used = False

    def _send(self, message: Message, descriptor: int | None = None) -> None:
        try:
            self._channel.send(message, descriptor)
        except ChannelClosed:
            raise self.died() from None

    def _receive(self, expected: type[M]) -> M:
        try:
            message = None
            while message is None:
                message = _next(self._channel, _LOOK_EVERY, lambda: self.alive)
        except ChannelClosed:
            raise self.died() from None
        if not isinstance(message, expected):
            raise ArmError(f"expected {expected.__name__}, got {message}")
        return message


class Arms:
    """The arms of a run: one for each version and module, kept for the checks that follow."""

    # An idle arm holds a few hundred megabytes: its imported framework.
    _AT_MOST = 4

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._arms: dict[tuple[Version, str], Arm] = {}

    def get(self, version: Version, module: str) -> Arm:
        """The arm of a version for a module, started if there is none; does not wait for it."""
        key = version, module
        arm = self._arms.pop(key, None) or Arm(self._launch, version, module)
        self._arms[key] = arm  # the most recently used comes last
        while len(self._arms) > self._AT_MOST:
            self._arms.pop(next(iter(self._arms))).close()
        return arm

    def drop(self, version: Version, module: str) -> None:
        """End an arm, so that the next one is a fresh process."""
        arm = self._arms.pop((version, module), None)
        if arm is not None:
            arm.close()

    def drop_dead(self) -> None:
        """Let go of the arms that have died: whoever needs one next starts a new one."""
        for key in [key for key, arm in self._arms.items() if not arm.alive]:
            self.drop(*key)

    def close(self) -> None:
        """End all arms."""
        while self._arms:
            self._arms.popitem()[1].close()


def _guard(group: int) -> subprocess.Popen[bytes]:
    """Start a process that kills a group when this process has ended, however that happens.

    Workers that are frozen at that moment could not notice it, and would stay for ever. An arm
    that forks is never frozen, and ends its trials itself.
    """
    kill_at_end_of_file = 'read _; kill -s KILL -- "-$0"'
    return subprocess.Popen(
        ["/bin/sh", "-c", kill_at_end_of_file, str(group)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _next(channel: Channel, seconds: float, alive: Callable[[], bool]) -> Message | None:
    """The next message, None if none has come yet; ChannelClosed where none will."""
    message = channel.next(seconds)
    if message is None and not alive():
        # Dead, and a worker holds the channel open; or its last words came after the wait.
        message = channel.next(0)
        if message is None:
            raise ChannelClosed("the other process has ended")
    return message


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with exit status {status}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-status).name}"
    return f"was killed by signal {-status}"


def _shown(output: str) -> str:
    return f"; its last output:\n{output}" if output.strip() else ", without any output"
