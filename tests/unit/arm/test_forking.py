"""What makes a fork of a process that has imported its tests unsafe."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

from pytest_loaderperf.arm import forking
from pytest_loaderperf.system import threads
from pytest_loaderperf.system.threads import Thread


def hazard_after(code: str, in_child: str = "pass") -> str:
    """What a process of its own finds after some code; its fork must get through some more."""
    program = f"""
import os, signal
from pytest_loaderperf.arm.forking import hazard
{dedent(code)}
print("hazard:", hazard(), flush=True)
pid = os.fork()
if pid == 0:
    signal.alarm(30)
    {in_child}
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0, "the fork was lost"
"""
    finished = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.rpartition("hazard:")[2].strip()


needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")


def needs(package: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed")


def test_a_process_without_threads_may_be_forked() -> None:
    assert hazard_after("") == ""


def test_a_thread_of_pythons_is_a_hazard_and_named() -> None:
    waiting = """
        import threading
        threading.Thread(target=threading.Event().wait, daemon=True, name="reader").start()
    """
    assert hazard_after(waiting) == "the Python thread 'reader' runs"


def test_a_thread_that_has_ended_is_none() -> None:
    ended = """
        import threading
        thread = threading.Thread(target=print)
        thread.start()
        thread.join()
    """
    assert hazard_after(ended) == ""


@needs_linux
@needs("numpy")
def test_threads_of_openblas_outlive_a_fork() -> None:
    code = "import numpy\nones = numpy.ones((600, 600))\nones @ ones"
    assert hazard_after(code, "ones @ ones") == ""


@needs_linux
@needs("torch")
def test_threads_of_openmp_are_ended_before_a_fork() -> None:
    code = "import torch\nones = torch.ones(2000, 2000)\nones + ones"
    # Where the threads of the first operation are thought to be there, this one never ends.
    assert hazard_after(code, "ones + ones") == ""


@needs_linux
def test_an_open_lmdb_environment_is_a_hazard(tmp_path: Path) -> None:
    lock = tmp_path / "lock.mdb"
    opened = f"""
        import mmap
        file = open({str(lock)!r}, "w+b")
        file.write(bytes(4096))
        file.flush()
        readers = mmap.mmap(file.fileno(), 4096)
    """
    assert hazard_after(opened) == f"the LMDB environment of {lock} is open"


@pytest.mark.parametrize(
    ("thread", "found"),
    [
        (Thread(name="python", libraries=("_polars_runtime.abi3.so",)), "_polars_runtime"),
        (Thread(name="pool-0", libraries=("libpython3.11.so.1.0", "x.abi3.so")), "x runs (pool-0)"),
        (Thread(name="python", libraries=("libgomp.so.1.0.0",)), "libgomp"),
        (Thread(name="python", libraries=("x.so", "libpython3.11.so.1.0")), ""),  # Python knows it
        (Thread(name="python", libraries=("x.so", "python3.12")), ""),
        (Thread(name="python", libraries=("libscipy_openblas64_-32a4b2a6.so",)), ""),
        (Thread(name="python", libraries=("libarrow.so.2600",)), ""),
        (Thread(name="jemalloc_bg_thd", libraries=("daft.abi3.so",)), ""),
        (Thread(name="python"), ""),  # nothing can be read
        (Thread(name="python", busy=True), "an unknown library"),
    ],
)
def test_threads_are_told_by_what_they_run(
    monkeypatch: pytest.MonkeyPatch, thread: Thread, found: str
) -> None:
    monkeypatch.setattr(threads, "others", lambda: [thread])
    monkeypatch.setattr(threading, "enumerate", list)
    monkeypatch.setattr(forking, "_known", str)
    monkeypatch.setattr(forking, "_SECONDS", 0.02)
    told = forking.hazard()
    assert found in told
    assert bool(told) is bool(found)


def test_a_thread_that_is_busy_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([True, True, True, False, False])
    openblas = Thread(name="python", libraries=("libopenblas.so",))
    busy = Thread(name="python", busy=True)
    monkeypatch.setattr(threads, "others", lambda: [busy if next(looks) else openblas])
    monkeypatch.setattr(forking, "_of_python", list)
    monkeypatch.setattr(forking, "_known", str)
    assert forking.hazard() == ""


# --- what frameworks say of themselves


class Answer:
    """Answers any call in one way."""

    def __init__(self, answer: object) -> None:
        self.is_initialized = self.context_safe = lambda: answer


class TfContext:
    def __init__(self, initialized: bool) -> None:
        self._initialized = initialized


@pytest.mark.parametrize(
    ("module", "contents", "hazard"),
    [
        ("torch", {"cuda": Answer(False)}, ""),
        ("torch", {"cuda": Answer(True)}, "CUDA"),
        ("tensorflow.python.eager.context", {"context_safe": lambda: None}, ""),
        ("tensorflow.python.eager.context", {"context_safe": lambda: TfContext(False)}, ""),
        ("tensorflow.python.eager.context", {"context_safe": lambda: TfContext(True)}, "TensorF"),
        ("jax._src.xla_bridge", {}, ""),
        ("jax._src.xla_bridge", {"_backends": {}}, ""),
        ("jax._src.xla_bridge", {"_backends": {"cpu": 1}}, "JAX"),
        ("numba.np.ufunc.parallel", {"_is_initialized": False}, ""),
        ("numba.np.ufunc.parallel", {"_is_initialized": True}, "Numba"),
    ],
)
def test_a_framework_in_use_is_a_hazard_and_named(
    monkeypatch: pytest.MonkeyPatch, module: str, contents: dict[str, object], hazard: str
) -> None:
    for name in ("torch", "tensorflow.python.eager.context", "jax._src.xla_bridge"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for look in ("_native", "_of_python"):  # threads of whoever runs the tests
        monkeypatch.setattr(forking, look, list)
    stand_in = ModuleType(module)
    vars(stand_in).update(contents)
    monkeypatch.setitem(sys.modules, module, stand_in)
    found = forking.hazard()
    assert hazard in found
    assert bool(found) is bool(hazard)
