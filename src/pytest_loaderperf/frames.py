"""The Python frames below a loop, made to cost it nothing.

Pytest runs a test below some 50 frames, a training script runs its loop below three. It should not
show in what is measured.
"""

from __future__ import annotations

from collections.abc import Callable

# TensorFlow looks up the line numbers of the 30 innermost frames whenever it makes a tensor, which
# takes the longer the longer their functions are: those of pytest cost 5 us a batch.
_SMALL_FRAMES = 30

# CPython 3.11 and later take frames from chunks of 16 KiB. Where one is full, a call maps another,
# and its return unmaps it: a loop whose calls happen to begin there took twice its time. A frame
# that asks for more than half of a larger chunk leaves the rest of it, 62 KiB, to what it calls.
_WORDS = 8300


def call_apart(call: Callable[[], None]) -> None:
    """Call it above small frames only, and with room for the frames of what it calls."""
    __tracebackhide__ = True
    _with_room(lambda: _above_small_frames(call, _SMALL_FRAMES))


def _with_room(call: Callable[[], None]) -> None:
    __tracebackhide__ = True
    call()


_with_room.__code__ = _with_room.__code__.replace(co_stacksize=_WORDS)


def _above_small_frames(call: Callable[[], None], frames: int) -> None:
    __tracebackhide__ = True
    if frames:
        _above_small_frames(call, frames - 1)
    else:
        call()
