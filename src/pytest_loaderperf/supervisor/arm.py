"""The coordinator's side of arms: start them, have them start trials, end them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from .. import __version__
from ..child.loaderperf_sources import WHOLLY
from ..errors import ArmError, HangError
from ..model.ranks import ALONE, World
from ..model.version import Version
from ..protocol.channel import Channel, ChannelClosed
from ..protocol.messages import (
    Begin,
    Collected,
    Ended,
    Handed,
    Hello,
    Message,
    Reap,
    Started,
    StartTrial,
)
from ..system import process_tree, signals, strays
from ..system.files import new_file, tail
from ..versions.sources import Folders
from . import diagnostics
from .diagnostics import ending, shown, stuck
from .launch import Launch
from .memory_limit import Ceiling
from .trial import LOOK_EVERY, M, Patience, Trial, next_message

# What an arm does while one of these is awaited.
_WORK: dict[type, str] = {
    Hello: "starting Python",
    Collected: "importing and collecting its tests",
    Started: "starting a trial",
    Ended: "waiting for the end of a trial",
}

# A process of macOS whose frameworks have been used does not outlive a fork.
CAN_FORK = hasattr(os, "fork") and sys.platform != "darwin"


class Arm:
    """One arm: a version's pytest process for one module, and the trials it starts.

    In a world of several ranks each has an arm. That of the first one leads those of the others,
    and a trial of it is one of all.
    """

    def __init__(
        self,
        launch: Launch,
        version: Version,
        module: str,
        ceiling: Ceiling,
        mark: str,
        anew: dict[str, str],
        *,
        watch: str = "",
        world: World = ALONE,
        rank: int = 0,
        port: int = 0,
    ) -> None:
        self.version = version
        self.module = module
        self.world = world
        self._rank = rank
        self._port = port  # on which ranks meet whose tests do so when they are imported
        self._others: list[Arm] = []  # of the other ranks, if this is the first one
        self.ceiling = ceiling
        self.timeout = launch.timeout
        self._launch = launch
        self.ran: Folders  # where it and its last trial have written down what they ran
        self._collected: Collected | None = None
        self._stuck: ArmError | None = None
        self.start_seconds = 0.0  # from its start until it was seen to have collected its tests
        self._anew = anew  # of all arms: modules whose trials are not forked, and why
        self._used = False
        self._mark = mark
        self._watch = watch  # what its processes write down beside what they run
        self._daemons: set[int] = set()  # that the module itself has started, for its trials
        self._trials: list[Trial] = []
        self._start()

    @property
    def collected(self) -> Collected:
        """What the arm has collected; waits for it. ArmError where the module does not import."""
        if self._stuck is not None:
            raise self._stuck
        if self._collected is None:
            self._collected = self._answered()
        return self._collected

    @property
    def packages(self) -> Mapping[str, str] | None:
        """The versions of the packages that it has imported, once somebody has asked for these."""
        return None if self._collected is None else self._collected.versions

    def trial(self, nodeid: str) -> Trial:
        """Start a trial of a check; it waits for Begin."""
        _ = self.collected
        if self._started_fresh != self.starts_anew or (self.starts_anew and self._used):
            self._restart()
        self._used = True
        port = 0 if self.world.is_alone else free_port()
        pairs = [socket.socketpair() for _ in self._others]
        try:
            others = [
                arm._started(nodeid, port, [theirs.fileno()])
                for arm, (_, theirs) in zip(self._others, pairs, strict=True)
            ]
            trial = self._started(nodeid, port, [ours.fileno() for ours, _ in pairs])
        finally:
            for each in (end for pair in pairs for end in pair):
                each.close()
        if others:
            trial.lead(others)
        self.ceiling.watch(trial)
        return trial

    def _started(self, nodeid: str, port: int, links: Sequence[int]) -> Trial:
        """A trial of this rank alone, with its links to others."""
        self._used = True
        channel, theirs = Channel.pair()
        with theirs:
            ran = self._new_folder(nodeid)
            self.ran = self._collecting, ran
            message = StartTrial(nodeid=nodeid, ran=str(ran), port=port)
            self._send(message, [theirs.fileno(), *links])
            started = self._receive(Started)
        trial = Trial(self, channel, started, rank=None if self.world.is_alone else self._rank)
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
            for arm in self._others:
                with arm.trials():
                    pass
            strays.end(self._mark, self._daemons | set(process_tree.tree(self._process.pid)))

    @contextlib.contextmanager
    def begun(self, nodeid: str, *, watched: bool = False) -> Iterator[tuple[Trial, Handed]]:
        """One more trial of a check, whose test has handed over its loader; it ends afterwards."""
        with self.trials():
            trial = self.trial(nodeid)
            yield trial, trial.ask(Begin(watched=watched), Handed)
            trial.end()

    def has(self, nodeid: str) -> bool:
        """Whether the arm has collected this check."""
        return any(f"{self.module}::{check.key}" == nodeid for check in self.collected.checks)

    def asked(self, nodeid: str) -> World:
        """The ranks that its own version of a check asks for."""
        checks = (c for c in self.collected.checks if f"{self.module}::{c.key}" == nodeid)
        settings = next((check.settings for check in checks), {})
        return World.of(settings.get("ranks", 0), settings.get("world_size", 0))

    @property
    def starts_anew(self) -> bool:
        """Whether each of its trials is a process that inherits nothing from another one.

        Those of both versions are, where one of them cannot be forked.
        """
        return bool(self._launch.fresh) or not CAN_FORK or self.module in self._anew

    @property
    def pid(self) -> int:
        """Its process: what that has started, trials and their workers, is below it."""
        return self._process.pid

    def reap(self, pid: int) -> int | None:
        """The exit status of an ended trial; negative for a signal, None if the arm has died."""
        if pid == self._process.pid:
            return self._process.wait()
        try:
            self._send(Reap(pid=pid))
            return self._receive(Ended).status
        except ArmError:
            return None

    @property
    def usable(self) -> bool:
        """Whether the process runs, or whoever needs it is to hear that it got stuck."""
        return self._stuck is not None or self._runs()

    def died(self) -> ArmError:
        """How the process ended."""
        status = self._process.wait()
        return ArmError(
            f"the process that measures {self.module} in {self.version.name} "
            f"{ending(status)}{shown(tail(self._log))}"
        )

    def close(self) -> None:
        """End the arm and all of its trials."""
        with self.trials():
            pass
        for arm in self._others:
            arm.close()
        process_tree.part(self.pid)
        self._channel.close()
        signals.end(self._process.pid)
        strays.end(self._mark)
        self._process.wait()
        self._log.unlink(missing_ok=True)

    def _start(self) -> None:
        self._began = time.monotonic()
        self._channel, theirs = Channel.pair()
        log, name = new_file("arm", self._launch.scratch)
        self._log = Path(name)
        directory = Path(self.version.place(str(self._launch.invocation_dir)))
        self._collecting = self._new_folder()
        environment = {
            name: self.version.place_all(each)
            for name, each in self._launch.environment.items()
            if not _is_coverage(name)
        }
        environment |= self._launch.sources.environment(
            self.version, self._collecting, environment, watch=self._watch
        )
        environment[strays.VARIABLE] = self._mark
        if not self.world.is_alone:
            self._port = self._port if self._rank else free_port()
            environment |= self.world.environment(self._rank, self._port)
        if "PATH" in environment:
            environment["PATH"] = self.version.programs(environment["PATH"])
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
        self._started_fresh = self.starts_anew
        setup = self._launch.setup(self.version, self.module, fresh=self._started_fresh)
        self._send(replace(setup, rank=self._rank, ranks=self.world.ranks))
        if not self._rank:
            self._start_others()

    def _start_others(self) -> None:
        """Start the arms of the other ranks, which import meanwhile."""
        self._others = [
            Arm(
                self._launch,
                self.version,
                self.module,
                self.ceiling,
                f"{self._mark[:-1]}r{rank}-",
                self._anew,
                watch=self._watch,
                world=self.world,
                rank=rank,
                port=self._port,
            )
            for rank in range(1, self.world.ranks)
        ]
        if self._others:
            process_tree.join(self.pid, [arm.pid for arm in self._others])

    def _new_folder(self, nodeid: str = "") -> Path:
        apart = self._watch == WHOLLY
        return self._launch.sources.new_folder(self.version, self.module, nodeid, apart=apart)

    def _restart(self) -> None:
        self.close()
        self._start()
        self._answered()
        self._used = False

    def _answered(self) -> Collected:
        """What it has collected, started anew if it may not be forked."""
        collected = self._first_answer()
        for rank, arm in enumerate(self._others, 1):
            if error := arm.collected.error:
                raise ArmError(f"rank {rank}: its tests cannot be collected:\n{error.strip()}")
        if collected.fork_hazard and self._launch.fresh is None:
            self._anew.setdefault(self.module, f"{collected.fork_hazard}, in {self.version.name}")
        if self.starts_anew and not self._started_fresh:
            self._restart()
        return collected

    def _first_answer(self) -> Collected:
        hello = self._receive(Hello)
        if hello.plugin != __version__:
            self._stuck = ArmError(  # for all checks: another process would be no other
                f"pytest-loaderperf is {__version__} here and {hello.plugin} in "
                f"{self.version.python}: install the same version there"
            )
            raise self._stuck
        collected = self._receive(Collected)
        self.start_seconds = time.monotonic() - self._began
        self._daemons = strays.marked(self._mark)
        self.check_seen(self._process.pid)
        return collected

    def check_seen(self, pid: int) -> None:
        """ArmError if there is a Python below a process that does not show what it runs."""
        self._launch.sources.check_seen(self.version, self.module, pid)

    def _send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        try:
            self._channel.send(message, descriptors)
        except ChannelClosed:
            raise self.died() from None

    def _receive(self, expected: type[M]) -> M:
        try:
            message = None
            patience = Patience(self.timeout)
            while message is None:
                message = next_message(self._channel, LOOK_EVERY, self._runs)
                if message is None and patience.is_over:
                    raise self._hangs(expected)
        except ChannelClosed:
            raise self.died() from None
        if not isinstance(message, expected):
            raise ArmError(f"expected {expected.__name__}, got {message}")
        return message

    def _runs(self) -> bool:
        return self._process.poll() is None

    def _hangs(self, expected: type) -> HangError:
        """That the process is stuck; it is ended."""
        its_stacks = diagnostics.of_tree(self._process.pid, self._log)
        who = f"the process that measures {self.module} in {self.version.name}"
        error = HangError(stuck(who, self.timeout, _WORK[expected], its_stacks))
        signals.end(self._process.pid)
        if expected in (Hello, Collected):
            self._stuck = error  # another process of this module would get stuck as well
        return error


def _is_coverage(variable: str) -> bool:
    """Whether it has a process that starts trace its lines, which takes several times as long."""
    return variable.startswith(("COV_CORE_", "COVERAGE_PROCESS_"))


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
