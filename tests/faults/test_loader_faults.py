"""What a loader may do to the run that measures it: each takes only its own check along."""

from __future__ import annotations

import sys

import pytest

from faults.fault import Fault, accepted_before, assert_ended_as, report
from support.tiny import Report

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is made for Linux")

PROLOGUE = '''\
import atexit, ctypes, gc, itertools, locale, multiprocessing, os, resource, signal, socket
import subprocess, sys, tempfile, threading, time
from multiprocessing import shared_memory
import pytest
from paced import paced

class At:
    """Does something at a batch, at the first one of every trial where none is named."""

    def __init__(self, do, batch=0):
        self.do, self.batch = do, batch

    def __iter__(self):
        fast = itertools.repeat([1, 2])  # to get as far as that
        for index, batch in enumerate(fast if self.batch > 100 else paced()):
            if index == self.batch:
                self.do()
            yield batch

def fail(text="as planned"):
    raise OSError(text)

def sleep():
    time.sleep(600)

def child(does, session=False, daemon=False):
    """A process that does something; a daemon's parent has ended."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0) if daemon else pid
    if session or daemon:
        os.setsid()
    if daemon and os.fork():
        os._exit(0)
    does()
    os._exit(0)

@pytest.fixture
def fails_at_the_end():
    yield
    fail("not to be closed")

@pytest.fixture
def hangs_at_the_end():
    yield
    sleep()

@pytest.fixture
def hangs_at_the_start():
    sleep()
'''

SOUND = "loaderperf.check(At(int))"

# --- it fails: the check is an error that says how

FAILS = {
    "raises_at_batch_1000": Fault(
        "loaderperf.check(At(fail, 1000))", "error", ["OSError: as planned"]
    ),
    "forks_and_goes_on_in_the_child": Fault(
        """
        def fork():
            if os.fork():
                os.wait()
                fail("the parent")
        loaderperf.check(At(fork))
        """,
        "error",
        ["OSError: the parent"],
    ),
    "raises_in_a_child": Fault(
        """
        def read():
            ours, theirs = os.pipe()
            child(fail)
            os.close(theirs)
            if not os.read(ours, 1):
                raise EOFError("the reader of the files has ended")
        loaderperf.check(At(read))
        """,
        "error",
        ["EOFError: the reader of the files has ended"],
    ),
    "stops_the_clock": Fault(
        """
        time.perf_counter = time.monotonic = lambda: 1.0
        loaderperf.check(At(int))
        """,
        "error",
        ["batches took 0 s by time.perf_counter()", "has replaced or stopped"],
    ),
    "leaves_python": Fault("loaderperf.check(At(sys.exit))", "error", ["SystemExit"]),
    "interrupts": Fault(
        "loaderperf.check(At(lambda: signal.raise_signal(signal.SIGINT)))",
        "error",
        ["KeyboardInterrupt"],
    ),
    "ends_at_sigterm": Fault(
        "loaderperf.check(At(lambda: os.kill(os.getpid(), signal.SIGTERM)))",
        "error",
        ["a trial of the working tree was killed by SIGTERM"],
    ),
    "dies_later": Fault(
        "loaderperf.check(At(lambda: os.kill(os.getpid(), signal.SIGKILL), 700))",
        "error",
        ["a trial of the working tree was killed by SIGKILL"],
    ),
    "raises_an_exception_that_cannot_be_shown": Fault(
        """
        class Odd(Exception):
            def __str__(self):
                raise OSError
            __repr__ = __str__
        def odd():
            raise Odd
        loaderperf.check(At(odd))
        """,
        "error",
        ["Odd"],
    ),
    "needs_a_server_that_is_not_there": Fault(
        """
        def connect():
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            socket.create_connection(("127.0.0.1", port))
        loaderperf.check(At(connect))
        """,
        "error",
        ["ConnectionRefusedError"],
    ),
    "opens_too_many_files": Fault(
        """
        kept = []
        def open_files():
            for _ in range(10_000):
                kept.append(open(os.devnull))
        resource.setrlimit(resource.RLIMIT_NOFILE, (500, 500))
        loaderperf.check(At(open_files))
        """,
        "error",
        ["Too many open files"],
    ),
    "closes_what_is_not_its_own": Fault(
        "loaderperf.check(At(lambda: os.closerange(3, 500)))",
        "error",
        ["a trial of the working tree ended with exit status 1", "no channel to the run"],
    ),
    "speaks_on_the_channel": Fault(
        """
        def speak():
            for number in range(3, 500):
                try:
                    with socket.socket(fileno=os.dup(number)) as end:
                        end.send(b'{"type": "Opened", "first_batch": "soon"}\\n')
                except OSError:
                    pass
        loaderperf.check(At(speak))
        """,
        "error",
        ["not a message"],
    ),
}


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("failing")
    return report(accepted_before(folder, FAILS, PROLOGUE, SOUND), "--loaderperf")


@pytest.mark.parametrize("name", FAILS)
def test_loader_that_fails_is_an_error(failing: Report, name: str) -> None:
    assert failing.run.status == 1
    assert_ended_as(failing, name, FAILS[name])


# --- it hangs: the check is an error that shows where

HANGS = {
    "hangs_in_a_fixture": Fault(
        "loaderperf.check(At(int))",
        "error",
        ["while setting up its test", "in hangs_at_the_start"],
        fixture="hangs_at_the_start",
    ),
    "hangs_at_the_first_batch": Fault(
        "loaderperf.check(At(sleep))", "error", ["while making its first batches", "in sleep"]
    ),
    "hangs_later": Fault(
        "loaderperf.check(At(sleep, 100))", "error", ["while making batches", "in sleep"]
    ),
    "hangs_at_the_end": Fault(
        "loaderperf.check(At(int))",
        "error",
        ["while ending its test", "in hangs_at_the_end"],
        fixture="hangs_at_the_end",
    ),
    "waits_for_a_child_that_hangs": Fault(
        "loaderperf.check(At(lambda: os.waitpid(child(sleep), 0)))",
        "error",
        ["while making its first batches", "in sleep", "in <lambda>"],
    ),
    "waits_for_a_program_that_hangs": Fault(
        "loaderperf.check(At(lambda: subprocess.run(['sleep', '600'])))",
        "error",
        ["(sleep 600):", "no Python stack; state S (sleeping)", "in <lambda>"],
    ),
    "stops_itself": Fault(
        "loaderperf.check(At(lambda: os.kill(os.getpid(), signal.SIGSTOP) or sleep()))",
        "error",
        ["while making its first batches", "in <lambda>"],
    ),
    "waits_for_a_lock_and_ignores_signals": Fault(
        """
        def wait():
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()
        loaderperf.check(At(wait))
        """,
        "error",
        ["while making its first batches"],
    ),
    "has_a_thread_that_hangs": Fault(
        """
        def wait():
            thread = threading.Thread(target=sleep)
            thread.start()
            thread.join()
        loaderperf.check(At(wait))
        """,
        "error",
        ["in sleep", "in wait"],
    ),
}


@pytest.fixture(scope="module")
def hanging(tmp_path_factory: pytest.TempPathFactory) -> Report:
    # Long enough for the import of pytest by a process that has to wait for a CPU.
    folder = tmp_path_factory.mktemp("hanging")
    ini = "loaderperf_timeout = 4\n"
    return report(accepted_before(folder, HANGS, PROLOGUE, SOUND, ini=ini), "--loaderperf")


@pytest.mark.parametrize("name", HANGS)
def test_loader_that_hangs_is_an_error_with_its_stacks(hanging: Report, name: str) -> None:
    assert hanging.run.status == 1
    assert_ended_as(hanging, name, HANGS[name])
    assert "no answer for 4 s" in hanging.texts[f"test_{name}"]


# --- it misbehaves, and can be measured all the same

SLOWER = {
    "prints_megabytes": "loaderperf.check(At(lambda: os.write(1, b'x' * 2**23)))",
    "prints_partial_lines": """
        def mumble():
            for each in range(5):
                sys.stdout.write('{"type": "Finished"')
                sys.stderr.write("no end of line")
        loaderperf.check(At(mumble))
        """,
    "closes_its_output": """
        def close():
            sys.stdout.close()
            sys.stderr.close()
            os.close(1)
            os.close(2)
        loaderperf.check(At(close))
        """,
    "changes_its_folder": """
        folder = tmp_path / "gone"
        folder.mkdir()
        os.chdir(folder)
        folder.rmdir()
        loaderperf.check(At(int))
        """,
    "changes_its_locale": """
        for name in ("de_DE.UTF-8", "C"):
            try:
                locale.setlocale(locale.LC_ALL, name)
            except locale.Error:
                pass
        os.environ["LC_ALL"] = "tlh_KL"
        loaderperf.check(At(int))
        """,
    "clears_its_environment": """
        os.environ.clear()
        loaderperf.check(At(int))
        """,
    "handles_all_signals": """
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        loaderperf.check(At(int))
        """,
    "changes_the_start_method": """
        multiprocessing.set_start_method("spawn", force=True)
        def work():
            worker = multiprocessing.Process(target=abs, args=(-1,))
            worker.start()
            worker.join()
            assert worker.exitcode == 0
        loaderperf.check(At(work))
        """,
    "changes_the_path": """
        for name in ("json", "resource", "psutil", "traceback", "numpy"):
            (tmp_path / f"{name}.py").write_text("raise SystemError('the wrong module')")
        sys.path[:] = [str(tmp_path)]
        loaderperf.check(At(int))
        """,
    "starts_grandchildren": """
        loaderperf.check(At(lambda: child(lambda: child(sleep) and sleep())))
        """,
    "starts_a_session": "loaderperf.check(At(lambda: child(sleep, session=True)))",
    "starts_a_daemon": "loaderperf.check(At(lambda: child(sleep, daemon=True)))",
    "starts_a_program_that_ignores_sigterm": """
        loop = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
        start = lambda: subprocess.Popen([sys.executable, "-c", loop], start_new_session=True)
        loaderperf.check(At(start))
        """,
    "forks_all_the_time": """
        def fork():
            while True:
                if not os.fork():
                    os._exit(0)
                os.wait()
                time.sleep(0.005)  # or it would take a CPU for itself
        loaderperf.check(At(lambda: child(fork)))
        """,
    "starts_threads_that_do_not_end": """
        loaderperf.check(At(lambda: threading.Thread(target=sleep).start()))
        """,
    "waits_at_exit": """
        atexit.register(sleep)
        loaderperf.check(At(int))
        """,
    "leaves_shared_memory": """
        kept = []
        def share():
            kept.append(shared_memory.SharedMemory(create=True, size=4096))
        loaderperf.check(At(share))
        """,
    "leaves_files": """
        loaderperf.check(At(lambda: os.write(tempfile.mkstemp()[0], b"x")))
        """,
    "opens_many_files": """
        kept = []
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        count = 10_000 if hard == resource.RLIM_INFINITY else min(10_000, hard - 100)
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, hard))
        loaderperf.check(At(lambda: kept.extend(open(os.devnull) for _ in range(count))))
        """,
    "disables_the_collector": """
        gc.disable()
        gc.collect = lambda *_: fail("no")
        loaderperf.check(At(int))
        """,
}
MISBEHAVES = {name: Fault(source, "regressed") for name, source in SLOWER.items()} | {
    "fails_at_the_end": Fault(
        SOUND, "regressed", ["OSError: not to be closed"], fixture="fails_at_the_end"
    ),
}
MUCH_SLOWER = 0.7  # times the throughput of the accepted loader, or less


@pytest.fixture(scope="module")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("misbehaving")
    ini = "loaderperf_metrics = throughput\n"
    project = accepted_before(folder, MISBEHAVES, PROLOGUE, SOUND, ini=ini)
    return report(project, "--loaderperf", timeout=600)  # two dozen checks, on a busy machine


@pytest.mark.parametrize("name", MISBEHAVES)
def test_loader_that_misbehaves_is_measured(misbehaving: Report, name: str) -> None:
    """It is slower than what was accepted, and that is what is said."""
    assert misbehaving.run.status == 1
    assert_ended_as(misbehaving, name, MISBEHAVES[name])
    throughput = misbehaving.checks[f"test_{name}"]["metrics"]["throughput"]
    assert 0 < throughput["value"] < 1000  # a batch of two sleeps for 2 ms, and did for 0.5 ms
    assert throughput["interval"][1] < MUCH_SLOWER


# --- torch and its workers

TORCH = """\
import os, signal, time
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

class Rows(Dataset):
    def __init__(self, bad=int, at=1200):
        self.bad, self.at = bad, at

    def __len__(self):
        return 4000

    def __getitem__(self, index):
        if self.at in (index, None):
            self.bad()
        return index

def loader(*bad, **options):
    return DataLoader(Rows(*bad), batch_size=4, num_workers=2, **{"collate_fn": list, **options})

def sleep():
    time.sleep(600)

def collate(rows):
    if 1200 in rows:
        raise ValueError("rows of different lengths")
    return torch.tensor(rows)
"""
SOUND_TORCH = "loaderperf.check(loader())"
WORKERS = {
    "raises_in_collate": Fault(
        "loaderperf.check(loader(collate_fn=collate))",
        "error",
        ["ValueError in DataLoader worker process", "rows of different lengths", "in collate"],
    ),
    # It may have been about to hand over a batch: then the connection is what breaks first.
    "leaves": Fault("loaderperf.check(loader(lambda: os._exit(3)))", "error", ["dataloader.py"]),
    "segfaults": Fault(
        "loaderperf.check(loader(lambda: os.kill(os.getpid(), signal.SIGSEGV)))",
        "error",
        ["Segmentation fault"],
    ),
    "hangs": Fault(
        "loaderperf.check(loader(sleep))",
        "error",
        [
            "no answer for 12 s while making batches",
            "in sleep",
            "in __getitem__",
            "in _try_get_data",
        ],
    ),
    "needs_a_gpu_that_is_not_there": Fault(
        """
        if torch.cuda.is_available():
            pytest.fail("in _lazy_init: there is one here")
        loaderperf.check(lambda: (torch.tensor(rows).cuda() for rows in loader()))
        """,
        "error",
        ["_lazy_init"],
    ),
    "is_slow": Fault("loaderperf.check(loader(lambda: time.sleep(0.002), None))", "regressed"),
}


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Report:
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("torch")
    ini = "loaderperf_timeout = 12\n"
    project = accepted_before(folder, WORKERS, TORCH, SOUND_TORCH, ini=ini)
    # Fresh processes that confirm a regression import torch within the budget.
    return report(project, "--loaderperf", "--loaderperf-budget=48")


@pytest.mark.parametrize("name", WORKERS)
def test_worker_of_torch(workers: Report, name: str) -> None:
    assert workers.run.status == 1
    assert_ended_as(workers, name, WORKERS[name])
    if WORKERS[name].verdict == "regressed":
        throughput = workers.checks[f"test_{name}"]["metrics"]["throughput"]
        assert throughput["interval"][1] < MUCH_SLOWER
