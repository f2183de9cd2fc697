"""What lies below a loop must not slow it down."""

from __future__ import annotations

import contextvars
import inspect
import resource
import sys
import threading
from collections.abc import Callable

import pytest

from pytest_loaderperf.arm.isolation import call_apart

CALLS = 200


def nested(depth: int) -> None:
    if depth:
        nested(depth - 1)


def faults_at(depth: int, run: Callable[[Callable[[], None]], None]) -> int:
    """Page faults of a loop of calls so deep in the stack, run that way."""
    if depth:
        return faults_at(depth - 1, run)
    faults = []

    def loop() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(CALLS):
            nested(10)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

    run(loop)
    return faults[0]


def test_a_loop_has_room_for_its_calls_wherever_it_begins() -> None:
    # Depths over two chunks of frames: somewhere, the calls of a loop are the first of a new one.
    assert max(faults_at(depth, call_apart) for depth in range(300)) < CALLS


@pytest.mark.skipif(
    sys.implementation.name != "cpython" or not (3, 11) <= sys.version_info < (3, 14),
    reason="it is how these versions of CPython keep their frames",
)
def test_elsewhere_it_may_map_memory_for_each_of_its_calls() -> None:
    assert max(faults_at(depth, lambda loop: loop()) for depth in range(300)) >= CALLS


def test_a_loop_is_above_no_other_frame() -> None:
    functions: list[str] = []
    call_apart(lambda: functions.extend(frame.function for frame in inspect.stack()))
    assert set(functions) <= {"<lambda>", "<genexpr>"}  # this one, and what it calls


def test_it_is_the_same_thread_and_the_same_context() -> None:
    variable = contextvars.ContextVar("variable", default="before")
    variable.set("set")
    seen: list[object] = []
    call_apart(lambda: seen.extend([threading.current_thread(), variable.get()]))
    assert seen == [threading.current_thread(), "set"]


def test_what_it_raises_passes_through() -> None:
    def fail() -> None:
        raise KeyError("its own")

    with pytest.raises(KeyError, match="its own"):
        call_apart(fail)
