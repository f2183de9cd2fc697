"""Whether an arm, which has imported its tests, can fork its trials safely.

A forked process has one thread. Locks that others held stay locked for ever, and whoever waits for
work of theirs waits in vain: a loader hangs, is killed, or is slow without a word.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..system import threads
from ..system.threads import Mapping, Thread

# Libraries that end their threads before a fork and start new ones after it, by a part of the
# file's name: OpenBLAS, MKL and the OpenMP of Intel and LLVM, Arrow.
_HEED_FORKS = ("openblas", "libmkl_", "libiomp5", "libomp", "libarrow")
_JEMALLOC = "jemalloc_bg_thd"  # the name of its threads, in whatever library it lies: it does, too
_PYTHON = ("libpython", "python")  # in which a thread of Python's begins

_PAUSE_HARD = 2  # of omp.h
_SECONDS = 1.0  # for threads to end


def hazard() -> str:
    """Why this process cannot be forked safely; "" if it can, as far as the system tells.

    The threads of GNU's OpenMP, which do not outlive a fork, are ended before: a trial starts new
    ones. Those of a library that starts none anew are a hazard.
    """
    if known := _known():
        return known
    ended = threads.count() > 1 and _end_openmp()
    until = time.monotonic() + _SECONDS
    while (native := _native()) and time.monotonic() < until:
        if not ended and not any(thread.busy for thread in native):
            break  # they have nothing to do, and will be there
        time.sleep(0.01)
    told = [f"a thread of {_library(each)} runs ({each.name})" for each in native]
    told += [f"the Python thread {each.name!r} runs" for each in _of_python()]
    return told[0] if told else _open_files(threads.mappings())


def _known() -> str:
    """What frameworks say of themselves."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "CUDA is in use"
    context = sys.modules.get("tensorflow.python.eager.context")
    if context is not None and context.context_safe() is not None and _tf_in_use(context):
        return "TensorFlow has run an operation"
    bridge = sys.modules.get("jax._src.xla_bridge")
    if bridge is not None and getattr(bridge, "_backends", None):
        return "JAX has started a backend"
    parallel = sys.modules.get("numba.np.ufunc.parallel")
    if parallel is not None and getattr(parallel, "_is_initialized", False):
        return "Numba has started its threads"  # it ends a fork that uses them
    return ""


def _tf_in_use(context: Any) -> bool:
    return bool(getattr(context.context_safe(), "_initialized", False))


def _native() -> list[Thread]:
    """The native threads that a fork would harm, as far as can be seen.

    One that is busy cannot be seen. One of which nothing can be read is taken for harmless: a trial
    that it harms is tried again.
    """
    return [each for each in threads.others() if each.busy or not _heeds_forks(each)]


def _heeds_forks(thread: Thread) -> bool:
    """Whether a thread is left alone by a fork, or is Python's, which knows more of it."""
    owner = thread.owner
    if thread.name == _JEMALLOC or not owner or owner.startswith(_PYTHON):
        return True
    return any(part in owner for part in _HEED_FORKS)


def _library(thread: Thread) -> str:
    return thread.owner.partition(".")[0] or "an unknown library"


def _of_python() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if _is_missed(thread)]


def _is_missed(thread: threading.Thread) -> bool:
    """Whether a thread of Python's would be missed by whoever has started it."""
    if thread is threading.main_thread() or not thread.is_alive():
        return False
    # The one that watches progress bars is started anew where it is not alive.
    return type(thread).__module__.partition(".")[0] != "tqdm"


def _end_openmp() -> bool:
    """End the idle threads of GNU's OpenMP, in every copy of it; whether there was any."""
    copies = {each.path for each in threads.mappings() if "libgomp" in each.name}
    pauses = [_pause_of(path) for path in sorted(copies)]
    for pause in pauses:
        pause(_PAUSE_HARD)
    return bool(pauses)


def _pause_of(path: str) -> Callable[[int], object]:
    try:
        pause = ctypes.CDLL(path).omp_pause_resource_all  # the copy that is loaded already
    except (AttributeError, OSError):  # one of before OpenMP 5.0; the file has been replaced
        return lambda _: None
    pause.argtypes, pause.restype = [ctypes.c_int], ctypes.c_int
    return pause


def _open_files(mapped: Sequence[Mapping]) -> str:
    """What is to be said of open files that must not cross a fork; "" if there is none."""
    place = next(_locks_of_lmdb(mapped), "")
    return f"the LMDB environment of {place} is open" if place else ""


def _locks_of_lmdb(mapped: Sequence[Mapping]) -> Iterator[str]:
    """LMDB counts its readers by process in a file that is mapped to be written to."""
    for each in mapped:
        is_lock = each.name == "lock.mdb" or ("lmdb" in sys.modules and each.name.endswith("-lock"))
        if is_lock and each.access.startswith("rw") and each.access.endswith("s"):
            yield each.path
