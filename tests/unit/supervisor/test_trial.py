"""What the coordinator hears of a process that ends."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_loaderperf.protocol.channel import Channel, ChannelClosed
from pytest_loaderperf.protocol.messages import Ended, Started
from pytest_loaderperf.supervisor.trial import Trial, next_message


def test_the_last_words_of_a_process_are_heard_although_it_is_dead_by_then() -> None:
    ours, end = Channel.pair()
    theirs = Channel(end)

    def speaks_and_dies() -> bool:
        theirs.send(Ended(status=3))
        theirs.close()
        return False

    assert next_message(ours, 0, speaks_and_dies) == Ended(status=3)
    with pytest.raises(ChannelClosed):
        next_message(ours, 0, lambda: False)
    ours.close()


@pytest.mark.parametrize(
    ("alive", "raises"), [(lambda: True, False), (lambda: False, True)], ids=["alive", "dead"]
)
def test_a_silent_process_is_waited_for_while_it_lives(
    alive: Callable[[], bool], raises: bool
) -> None:
    ours, end = Channel.pair()  # which a worker may hold open after its parent's death
    with end:
        if raises:
            with pytest.raises(ChannelClosed):
                next_message(ours, 0, alive)
        else:
            assert next_message(ours, 0, alive) is None
    ours.close()


def test_to_wait_for_a_message_tells_whether_there_is_one() -> None:
    ours, end = Channel.pair()
    theirs = Channel(end)
    arm: Any = SimpleNamespace(timeout=1.0)
    trial = Trial(arm, ours, Started(pid=0, output=""))
    assert trial.wait(0.0) is False
    theirs.send(Ended(status=0))
    assert trial.wait(60.0) is True
    assert trial.wait(0.0) is True  # it is still there
    ours.close()
    theirs.close()
