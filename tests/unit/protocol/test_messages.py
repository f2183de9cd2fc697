"""Messages: what is sent arrives, whatever the pieces it comes in, and nothing else passes."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_loaderperf.errors import ArmError
from pytest_loaderperf.protocol.channel import Channel, ChannelClosed
from pytest_loaderperf.protocol.codec import decode, encode
from pytest_loaderperf.protocol.messages import (
    Begin,
    End,
    Ended,
    Finished,
    Message,
    Probe,
    Reap,
    RunSlice,
    StartTrial,
)

no_deadline = settings(deadline=None)
LONG = 10.0  # seconds: a test that waits so long has failed

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=3,
)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Whatever a field of this type may hold."""
    inner = [values_of(each) for each in get_args(hint) if each is not ...]
    plain = {object: json_values, float: st.floats(allow_nan=False)}
    found: st.SearchStrategy[Any] = plain[hint] if hint in plain else st.from_type(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        found = messages(hint)
    elif get_origin(hint) in (dict, Mapping):
        found = st.dictionaries(*inner, max_size=3)
    elif get_origin(hint) in (list, tuple) and len(inner) == 1:
        found = st.lists(*inner, max_size=3).map(get_origin(hint))
    elif get_origin(hint) is tuple:
        found = st.tuples(*inner)
    elif inner:
        found = st.one_of(inner)
    return found


_KNOWN: dict[type[Any], st.SearchStrategy[Any]] = {}  # to put one together takes long


def messages(kind: type[Any]) -> st.SearchStrategy[Any]:
    if kind not in _KNOWN:
        hints = get_type_hints(kind)
        _KNOWN[kind] = st.builds(kind, **{name: values_of(hint) for name, hint in hints.items()})
    return _KNOWN[kind]


# --- the text of a message ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", get_args(Message), ids=lambda kind: kind.__name__)
@given(data=st.data())
@no_deadline
def test_every_message_reads_back(kind: type[Any], data: st.DataObject) -> None:
    message = data.draw(messages(kind))
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == message


json_texts = json_values.map(lambda value: json.dumps(value).encode())
almost_messages = st.fixed_dictionaries(
    {"type": st.sampled_from([kind.__name__ for kind in get_args(Message)]) | json_values},
    optional=dict.fromkeys(("pid", "batches", "epochs", "result", "nodeid"), json_values),
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


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "splendid"},
        {"pairs": "2"},
        {"pairs": True},
        {"seconds": math.nan},
        {"notes": "one"},
        {"notes": [1]},
        {"workload": {"batch": "int"}},
        {"noise": [{"seconds": 1.0}]},
        {"metrics": {"throughput": 1.0}},
        {"unknown": 1},
    ],
)
def test_a_result_is_read_as_strictly_as_a_message(wrong: dict[str, object]) -> None:
    sound = {"nodeid": "a.py::b", "verdict": "unchanged"}
    line = json.dumps({"type": "Begin", "result": {**sound, **wrong}}).encode()
    decode(json.dumps({"type": "Begin", "result": sound}).encode())
    with pytest.raises(ArmError, match="not a message"):
        decode(line)


def test_what_is_no_message_is_quoted_but_not_at_length() -> None:
    with pytest.raises(ArmError, match="Traceback of a user") as caught:
        decode(b"Traceback of a user" + b"x" * 100_000)
    assert len(str(caught.value)) < 1000


# --- the channel --------------------------------------------------------------------------------


Ends = tuple[Channel, Channel]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Both ends of a channel; a test that waits on one for too long fails instead of hanging."""
    pair = socket.socketpair()
    for end in pair:
        end.settimeout(LONG)
    with pair[0], pair[1]:
        yield Channel(pair[0]), Channel(pair[1])


@pytest.fixture
def raw() -> Iterator[tuple[Channel, socket.socket]]:
    """A channel and the bare socket at its other end."""
    channel, theirs = Channel.pair()
    with theirs:
        yield channel, theirs
    channel.close()


def test_messages_arrive_in_order(ends: Ends) -> None:
    ours, theirs = ends
    sent: list[Message] = [
        Begin(timed=True),
        RunSlice(batches=3),
        RunSlice(batches=4, epochs=1),
        Probe(),
        End(),
    ]
    for message in sent:
        ours.send(message)
    assert [theirs.next(LONG) for _ in sent] == sent
    theirs.send(Ended(status=-9))
    assert ours.receive(Ended, LONG) == Ended(status=-9)


def test_a_message_that_comes_in_pieces_is_whole(raw: tuple[Channel, socket.socket]) -> None:
    channel, theirs = raw
    line = encode(Reap(pid=12345))
    for byte in line[:-1]:
        theirs.sendall(bytes([byte]))
        assert channel.next(timeout=0) is None
    theirs.sendall(line[-1:])
    assert channel.next(LONG) == Reap(pid=12345)


def test_pieces_may_end_anywhere(raw: tuple[Channel, socket.socket]) -> None:
    channel, theirs = raw
    lines = encode(Reap(pid=1)) + encode(Reap(pid=2)) + encode(Reap(pid=3))
    cut = len(encode(Reap(pid=1))) + 5
    theirs.sendall(lines[:cut])
    assert channel.next(LONG) == Reap(pid=1)
    assert channel.next(timeout=0) is None
    theirs.sendall(lines[cut:])
    assert [channel.next(LONG), channel.next(LONG)] == [Reap(pid=2), Reap(pid=3)]


def test_a_large_message_arrives(ends: Ends) -> None:
    ours, theirs = ends
    message = Finished(
        reports=[{"longrepr": "ä\n" * 500_000}],
        text="",
        asserted=["throughput"],
        used=["throughput"],
        misused=False,
        benchmark={},
    )
    with meanwhile(lambda: ours.send(message)):
        assert theirs.next(LONG) == message


@pytest.mark.parametrize("timeout", [0, 0.01])
def test_silence_is_none_after_the_timeout(ends: Ends, timeout: float) -> None:
    assert ends[0].next(timeout) is None


def test_another_type_than_expected_is_an_error_that_names_both(ends: Ends) -> None:
    ours, theirs = ends
    theirs.send(Reap(pid=7))
    with pytest.raises(ArmError, match=r"expected Ended, got Reap\(pid=7\)") as caught:
        ours.receive(Ended, LONG)
    assert caught.type is not ChannelClosed


def test_what_is_no_message_is_an_error_and_the_next_one_is_read(
    raw: tuple[Channel, socket.socket],
) -> None:
    channel, theirs = raw
    theirs.sendall(b"a print of a user\n" + encode(Reap(pid=7)))
    with pytest.raises(ArmError, match="a print of a user"):
        channel.next(LONG)
    assert channel.next(LONG) == Reap(pid=7)


def test_what_was_sent_before_the_end_is_read_first(ends: Ends) -> None:
    ours, theirs = ends
    theirs.send(Reap(pid=1))
    theirs.send(Reap(pid=2))
    theirs.close()
    assert [ours.next(LONG), ours.next(LONG)] == [Reap(pid=1), Reap(pid=2)]
    with pytest.raises(ChannelClosed):
        ours.next(LONG)


def test_an_end_amid_a_message_is_an_end(raw: tuple[Channel, socket.socket]) -> None:
    channel, theirs = raw
    theirs.sendall(encode(Reap(pid=1))[:-1])
    theirs.close()
    with pytest.raises(ChannelClosed):
        channel.next(LONG)


@pytest.mark.parametrize(
    "read",
    [lambda channel: channel.next(LONG), Channel.receive_with_descriptors],
    ids=["next", "with descriptors"],
)
@pytest.mark.parametrize("unread", [False, True], ids=["all read", "something unread"])
def test_a_closed_end_is_noticed_by_who_reads(
    ends: Ends, read: Callable[[Channel], object], unread: bool
) -> None:
    # Where something is unread, Linux reports a reset connection instead of an end of file.
    ours, theirs = ends
    if unread:
        ours.send(Probe())
    theirs.close()
    with pytest.raises(ChannelClosed):
        read(ours)


@pytest.mark.parametrize("descriptors", [(), (0,), (0, 1)])
def test_a_closed_end_is_noticed_by_who_sends(ends: Ends, descriptors: tuple[int, ...]) -> None:
    ours, theirs = ends
    theirs.close()
    with pytest.raises(ChannelClosed):
        ours.send(StartTrial(nodeid="a", ran="ran"), descriptors)


# --- descriptors --------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 200_000], ids=["short", "long"])
def test_a_descriptor_comes_along(ends: Ends, length: int) -> None:
    coordinator, arm = ends
    ours, theirs = Channel.pair()
    message = StartTrial(nodeid="test_a.py::test_b[" + "x" * length, ran="ran")
    with closing(ours):
        with theirs, meanwhile(lambda: coordinator.send(message, [theirs.fileno()])):
            received, (descriptor,) = arm.receive_with_descriptors()
        assert received == message
        with closing(Channel(socket.socket(fileno=descriptor))) as trial:
            trial.send(Ended(status=0))
            assert ours.receive(Ended, LONG) == Ended(status=0)
        with pytest.raises(ChannelClosed):  # nobody else holds the trial's end
            ours.next(LONG)


def test_a_message_without_descriptors_has_none(ends: Ends) -> None:
    coordinator, arm = ends
    coordinator.send(Reap(pid=5))
    assert arm.receive_with_descriptors() == (Reap(pid=5), [])


@pytest.mark.parametrize("count", [1, 3])
def test_one_message_after_another_brings_its_descriptors(ends: Ends, count: int) -> None:
    coordinator, arm = ends
    for name in ("first", "second"):
        coordinator.send(StartTrial(nodeid=name, ran="ran"), [coordinator.fileno()] * count)
        message, descriptors = arm.receive_with_descriptors()
        assert message == StartTrial(nodeid=name, ran="ran")
        assert len(descriptors) == count
        for each in descriptors:
            os.close(each)


def test_no_process_inherits_a_channel_by_accident() -> None:
    channel, theirs = Channel.pair()
    with theirs:
        assert not os.get_inheritable(channel.fileno())
        assert not os.get_inheritable(theirs.fileno())
    channel.close()


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Do something in a thread: what is larger than the socket's buffer waits to be read."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    thread.join(LONG)
