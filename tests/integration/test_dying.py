"""Processes that die: each takes only its own check along, and says how it ended."""

from __future__ import annotations

from pathlib import Path

from support import tiny

DYING = """\
import itertools
import os
import signal
import sys
import time
from paced import Paced

class Dying:
    def __init__(self, end):
        self.end = end

    def __iter__(self):
        for index in itertools.count():
            time.sleep(0.002)
            if index == 100:
                self.end()
            yield [1, 2]

def test_killed(loaderperf):
    print("last words", flush=True)
    loaderperf.check(Dying(lambda: os.kill(os.getpid(), signal.SIGKILL)))

def test_crashed(loaderperf):
    loaderperf.check(Dying(lambda: os.kill(os.getpid(), signal.SIGSEGV)))

def test_exited(loaderperf):
    loaderperf.check(Dying(lambda: os._exit(0)))

def test_killed_its_parent(loaderperf):
    loaderperf.check(Dying(lambda: os.kill(os.getppid(), signal.SIGKILL)))

def test_loud(loaderperf):
    def shout():
        os.write(1, b"x" * 2**20)
        sys.stderr.write("noise".center(11, "-"))
        raise OSError("out of breath")
    loaderperf.check(Dying(shout))

def test_sound(loaderperf):
    loaderperf.check(Paced())
"""
LAST_WORDS = {
    "test_killed": ["a trial of the working tree was killed by SIGKILL", "last words"],
    "test_crashed": ["was killed by SIGSEGV", "Fatal Python error", "in <lambda>"],
    "test_exited": ["a trial of the working tree ended with exit status 0"],
    "test_killed_its_parent": ["the process that measures test_it.py", "was killed by SIGKILL"],
    "test_loud": ["OSError: out of breath"],
}


def test_process_that_dies_takes_only_its_own_check_along(tmp_path: Path) -> None:
    project = tiny.create(
        tmp_path / "project",
        git=False,
        test_broken="raise RuntimeError('not today')\n" + tiny.CHECK,
        test_crash="import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n" + tiny.CHECK,
        test_exit="import os\nprint('bye', flush=True)\nos._exit(3)\n" + tiny.CHECK,
        test_it=DYING,
    )
    run = project.pytest("--loaderperf")
    assert run.status == 2  # interrupted, as pytest does after errors of collection
    assert run.results["checks"] == []
    for part in (
        "the process that measures test_crash.py in the working tree was killed by SIGSEGV",
        "the process that measures test_exit.py in the working tree ended with exit status 3",
        "bye",
        "RuntimeError: not today",
    ):
        assert part in run.output

    report = tiny.report(project, "--loaderperf", "--continue-on-collection-errors")
    assert report.run.status == 1
    for check, parts in LAST_WORDS.items():
        assert report.checks[check]["verdict"] == "error"
        for part in parts:
            assert part in report.texts[check]
    assert "---noise---" in report.run.output
    assert "x" * 9_000 in report.run.output
    assert len(report.run.output) < 50_000  # not the whole megabyte
    assert report.checks["test_sound"]["verdict"] == "no_baseline"


TORCH = """\
import os
import signal
import torch
from torch.utils.data import DataLoader, Dataset

class Rows(Dataset):
    def __init__(self, bad=None):
        self.bad = bad

    def __len__(self):
        return 2000

    def __getitem__(self, index):
        if index == 200 and self.bad:
            self.bad()
        return index

def decode():
    print("x" * 2**20)
    raise ValueError("row 200 cannot be decoded")

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def test_fails(loaderperf):
    loaderperf.check(DataLoader(Rows(decode), batch_size=4, num_workers=2))

def test_dies(loaderperf):
    loaderperf.check(DataLoader(Rows(die), batch_size=4, num_workers=2))
"""


def test_worker_of_torch_that_fails_shows_its_traceback(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_it=TORCH)
    report = tiny.report(project, "--loaderperf")
    assert {check["verdict"] for check in report.run.results["checks"]} == {"error"}
    for part in ("Caught ValueError in DataLoader worker process", "in decode",
                 "ValueError: row 200 cannot be decoded"):  # fmt: skip
        assert part in report.texts["test_fails"]
    assert "is killed by signal: Killed" in report.texts["test_dies"]


FREED = """\
import os
import paced
import pytest

ended = False

class Freed(paced.Paced):
    def __iter__(self):
        try:
            yield from super().__iter__()
        finally:
            if ended:
                with open(FILE, "a") as file:
                    print(os.getpid(), file=file)

@pytest.fixture
def much():
    global ended
    yield
    ended = True
    [[] for _ in range(200_000)]

def test_paced(loaderperf, much):
    loaderperf.check(Freed())
"""


def test_what_an_ended_trial_leaves_is_not_collected(tmp_path: Path) -> None:
    """In the order of a collector, a DataLoader waits five seconds for each of its workers."""
    file = tmp_path / "freed"
    project = tiny.create(tmp_path / "project", test_it=FREED.replace("FILE", repr(str(file))))
    tiny.accept(project)
    (verdict,) = project.pytest("--loaderperf").verdicts.values()
    assert verdict in ("unchanged", "inconclusive")
    # A trial that goes on to the test's assertions frees its loader in the test, as it should.
    assert not file.exists(), file.read_text()


LOST_FORKS = """\
import os, queue, threading, time

IMPORTED_BY = os.getpid()
asked, answers = queue.Queue(), queue.Queue()

def answer():
    while asked.get():
        time.sleep(0.002)
        answers.put([1, 2])

if os.environ.get("WITH_A_THREAD"):
    threading.Thread(target=answer, daemon=True).start()

class Answers:
    \"\"\"Batches from a thread that was started when the module was imported.\"\"\"

    def __iter__(self):
        while True:
            asked.put(True)
            yield answers.get()

class Bound:
    \"\"\"Nothing shows that it does not outlive a fork.\"\"\"

    def __iter__(self):
        while True:
            time.sleep(0.002)
            if os.getpid() != IMPORTED_BY:
                os.abort()
            yield [1, 2]

class Dying:
    def __iter__(self):
        yield [1, 2]
        os.abort()
"""
THREAD_CHECK = """\
import os
os.environ["WITH_A_THREAD"] = "1"
from lost import Answers

def test_answers(loaderperf):
    loaderperf.check(Answers())
"""
FORK_CHECKS = """\
from lost import Bound, Dying

def test_bound(loaderperf):
    loaderperf.check(Bound())

def test_dying(loaderperf):
    loaderperf.check(Dying())
"""
DYING_CHECKS = """\
from lost import Dying
from paced import Paced

def test_always(loaderperf):
    loaderperf.check(Dying())

def test_sound(loaderperf):
    loaderperf.check(Paced())
"""


def test_what_a_fork_would_lose_is_measured_in_processes_of_their_own(tmp_path: Path) -> None:
    project = tiny.create(
        tmp_path / "project",
        lost=LOST_FORKS,
        test_thread=THREAD_CHECK,
        test_fork=FORK_CHECKS,
        test_dies=DYING_CHECKS,
    )
    project.commit("with checks")
    found = tiny.report(project, "--loaderperf", "--loaderperf-against=HEAD")
    verdicts = {name: check["verdict"] for name, check in found.checks.items()}
    for name in ("test_answers", "test_bound", "test_sound"):  # they are measured
        assert verdicts[name] in ("unchanged", "inconclusive"), found.run.output
    assert verdicts["test_dying"] == verdicts["test_always"] == "error"
    anew = "each trial is a process of its own, which takes longer: "
    thread = found.checks["test_answers"]["notes"][0]
    assert thread.startswith(anew)
    assert "the Python thread 'Thread-1 (answer)' runs" in thread
    fork = found.checks["test_bound"]["notes"][0]
    assert fork == f"{anew}a trial of the working tree was killed by SIGABRT"
    assert found.run.output.count(anew) == 2
    assert "was killed by SIGABRT" in found.texts["test_dying"]
    # Both starts have lost it, so that the fork was not the reason: others are forked again.
    assert "so was a first trial, forked" in found.texts["test_always"]
    assert not any(note.startswith(anew) for note in found.checks["test_sound"]["notes"])
    # Whoever asks for forks gets them.
    forked = tiny.report(
        project, "--loaderperf", "--loaderperf-against=HEAD", "--loaderperf-trials=fork",
        "-k", "test_bound or test_dying",
    )  # fmt: skip
    assert forked.outcomes == {"test_bound": "failure", "test_dying": "failure"}
