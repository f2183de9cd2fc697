"""What the coordinator hears of a process that ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_loaderperf.protocol.channel import Channel, ChannelClosed
from pytest_loaderperf.protocol.messages import Ended
from pytest_loaderperf.supervisor.trial import next_message


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
