"""Messages: what is sent arrives, whatever the pieces it comes in, and nothing else passes."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_loaderperf.errors import ArmError
from pytest_loaderperf.messages import (
    Begin,
    Channel,
    ChannelClosed,
    End,
    Ended,
    Finished,
    Message,
    Probe,
    Reap,
    Run,
    StartTrial,
    decode,
    encode,
)

no_deadline = settings(deadline=None)
LONG = 10.0  # seconds: a test that waits so long has failed

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Whatever a field of this type may hold."""
    inner = [values_of(each) for each in get_args(hint)]
    if hint is object:
        return json_values
    if get_origin(hint) is dict:
        return st.dictionaries(*inner, max_size=3)
    if get_origin(hint) is list:
        return st.lists(*inner, max_size=3)
    if inner:
        return st.one_of(inner)
    return st.floats(allow_nan=False) if hint is float else st.from_type(hint)


def messages(kind: type[Message]) -> st.SearchStrategy[Message]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: values_of(hint) for name, hint in hints.items()})


# --- the text of a message ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", get_args(Message), ids=lambda kind: kind.__name__)
@given(data=st.data())
@no_deadline
def test_every_message_reads_back(kind: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages(kind))
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == message


json_texts = json_values.map(lambda value: json.dumps(value).encode())
almost_messages = st.fixed_dictionaries(
    {"type": st.sampled_from([kind.__name__ for kind in get_args(Message)]) | json_values},
    optional={name: json_values for name in ("pid", "batches", "epochs", "result", "nodeid")},
).map(lambda content: json.dumps(content).encode())


@given(st.binary() | json_texts | almost_messages)
@example(b"")
@example(b"\xff\xfe[\x00]\x00")
@example(b'{"type": "Reap"}')
@example(b'{"type": "Probe", "unknown": 1}')
@example(b'{"type": "Check"}')
@example(b'{"type": ["Reap"]}')
@example(b'{"type": null}')
@example(b"[" * 100_000)
@example(b'{"type":' * 100_000)
@example(b"1" * 10_000)
@no_deadline
def test_any_bytes_are_a_message_or_an_arm_error(line: bytes) -> None:
    with suppress(ArmError):
        assert isinstance(decode(line), get_args(Message))


def test_what_is_no_message_is_quoted_but_not_at_length() -> None:
    with pytest.raises(ArmError, match="Traceback of a user") as caught:
        decode(b"Traceback of a user" + b"x" * 100_000)
    assert len(str(caught.value)) < 1000


# --- the channel --------------------------------------------------------------------------------


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    """A channel and the raw socket at its other end."""
    channel, theirs = Channel.pair()
    theirs.settimeout(LONG)
    with theirs:
        yield channel, theirs
    channel.close()


def test_messages_arrive_in_order() -> None:
    ours, theirs = Channel.pair()
    other = Channel(theirs)
    sent: list[Message] = [Begin(), Run(3), Run(4, epochs=1), Probe(), End()]
    for message in sent:
        ours.send(message)
    assert [other.next(LONG) for _ in sent] == sent
    other.send(Ended(-9))
    assert ours.receive(Ended, LONG) == Ended(-9)


def test_a_message_that_comes_in_pieces_is_whole(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    line = encode(Reap(12345))
    for byte in line[:-1]:
        theirs.sendall(bytes([byte]))
        assert channel.next(timeout=0) is None
    theirs.sendall(line[-1:])
    assert channel.next(LONG) == Reap(12345)


def test_pieces_may_end_anywhere(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    lines = encode(Reap(1)) + encode(Reap(2)) + encode(Reap(3))
    cut = len(encode(Reap(1))) + 5
    theirs.sendall(lines[:cut])
    assert channel.next(LONG) == Reap(1)
    assert channel.next(timeout=0) is None
    theirs.sendall(lines[cut:])
    assert [channel.next(LONG), channel.next(LONG)] == [Reap(2), Reap(3)]


def test_a_large_message_arrives() -> None:
    ours, theirs = Channel.pair()
    other = Channel(theirs)
    message = Finished([{"longrepr": "ä\n" * 500_000}], "", ["throughput"])
    sender = threading.Thread(target=ours.send, args=(message,), daemon=True)  # it fills the pipe
    sender.start()
    assert other.next(LONG) == message
    sender.join(LONG)


def test_silence_is_none_after_the_timeout() -> None:
    channel, theirs = Channel.pair()
    with theirs:
        assert channel.next(timeout=0) is None
        assert channel.next(timeout=0.01) is None


def test_another_type_than_expected_is_an_error_that_names_both(
    ends: tuple[Channel, socket.socket],
) -> None:
    channel, theirs = ends
    theirs.sendall(encode(Reap(7)))
    with pytest.raises(ArmError, match=r"expected Ended, got Reap\(pid=7\)"):
        channel.receive(Ended, LONG)


def test_what_is_no_message_is_an_error_and_the_next_one_is_read(
    ends: tuple[Channel, socket.socket],
) -> None:
    channel, theirs = ends
    theirs.sendall(b"a print of a user\n" + encode(Reap(7)))
    with pytest.raises(ArmError, match="a print of a user"):
        channel.next(LONG)
    assert channel.next(LONG) == Reap(7)


def test_what_was_sent_before_the_end_is_read_first(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    theirs.sendall(encode(Reap(1)) + encode(Reap(2)))
    theirs.close()
    assert [channel.next(LONG), channel.next(LONG)] == [Reap(1), Reap(2)]
    with pytest.raises(ChannelClosed):
        channel.next(LONG)


def test_an_end_amid_a_message_is_an_end(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    theirs.sendall(encode(Reap(1))[:-1])
    theirs.close()
    with pytest.raises(ChannelClosed):
        channel.next(LONG)


def _next(channel: Channel) -> object:
    return channel.next(LONG)


def _receive_with_descriptor(channel: Channel) -> object:
    return channel.receive_with_descriptor()


@pytest.mark.parametrize("read", [_next, _receive_with_descriptor])
@pytest.mark.parametrize("unread", [False, True], ids=["all read", "something unread"])
def test_a_closed_end_is_noticed_by_who_reads(
    read: Callable[[Channel], object], unread: bool
) -> None:
    # Where something is unread, Linux reports a reset connection instead of an end of file.
    channel, theirs = Channel.pair()
    if unread:
        channel.send(Probe())
    theirs.close()
    with pytest.raises(ChannelClosed):
        read(channel)


@pytest.mark.parametrize("with_descriptor", [False, True])
def test_a_closed_end_is_noticed_by_who_sends(with_descriptor: bool) -> None:
    channel, theirs = Channel.pair()
    theirs.close()
    with pytest.raises(ChannelClosed):
        channel.send(StartTrial("a"), 0 if with_descriptor else None)


def test_a_closed_channel_ends_the_conversation() -> None:
    ours, theirs = Channel.pair()
    other = Channel(theirs)
    ours.close()
    with pytest.raises(ChannelClosed):
        other.next(LONG)


# --- descriptors --------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 200_000], ids=["short", "long"])
def test_a_descriptor_comes_along(length: int) -> None:
    ours, theirs = Channel.pair()
    arm = Channel(theirs)
    trial, for_trial = Channel.pair()
    message = StartTrial("test_a.py::test_b[" + "x" * length)

    def send() -> None:
        with for_trial:
            ours.send(message, for_trial.fileno())

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    received, descriptor = arm.receive_with_descriptor()
    sender.join(LONG)
    assert received == message
    assert descriptor >= 0
    other = Channel(socket.socket(fileno=descriptor))
    other.send(Ended(0))
    assert trial.receive(Ended, LONG) == Ended(0)
    other.close()
    with pytest.raises(ChannelClosed):  # the sender's copy is closed: nobody else holds the end
        trial.next(LONG)


def test_a_message_without_a_descriptor_says_so() -> None:
    ours, theirs = Channel.pair()
    arm = Channel(theirs)
    ours.send(Reap(5))
    assert arm.receive_with_descriptor() == (Reap(5), -1)


def test_a_descriptor_stays_with_its_message() -> None:
    ours, theirs = Channel.pair()
    arm = Channel(theirs)
    ours.send(Reap(5))
    with socket.socket() as given:
        ours.send(StartTrial("a"), given.fileno())
    ours.send(Reap(6))
    received = [arm.receive_with_descriptor() for _ in range(3)]
    assert [message for message, _ in received] == [Reap(5), StartTrial("a"), Reap(6)]
    assert [descriptor >= 0 for _, descriptor in received] == [False, True, False]
    os.close(received[1][1])


def test_only_the_end_for_the_child_is_handed_on() -> None:
    channel, theirs = Channel.pair()
    with theirs:
        assert not os.get_inheritable(channel.fileno())
    channel.close()
