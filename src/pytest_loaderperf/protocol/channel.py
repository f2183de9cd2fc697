"""The private connection of the coordinator with an arm, or with a trial.

A channel is one end of an anonymous socket pair that the child inherits: it has no name or address
that another process could connect to, and no user output ever shares it.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Sequence
from typing import TypeVar

from ..errors import ArmError
from .codec import decode, encode
from .messages import Message

M = TypeVar("M", bound=Message)
_DESCRIPTORS = 253  # the most that Linux sends with one message


class ChannelClosed(ArmError):  # noqa: N818  (it is how every conversation ends)
    """The other end is gone."""


class Channel:
    """One end of a socket pair; sends and receives messages.

    It belongs to the process that has made it: to a fork of that process it is closed.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._owner = os.getpid()
        self._lines: list[bytes] = []
        self._rest = b""

    @classmethod
    def pair(cls) -> tuple[Channel, socket.socket]:
        """A channel, and the end for a child to inherit."""
        ours, theirs = socket.socketpair()
        return cls(ours), theirs

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send a message, and with it file descriptors if some are given."""
        self._check_owner()
        line = encode(message)
        try:
            if descriptors:
                sent = socket.send_fds(self._socket, [line], descriptors)
                line = line[sent:]
            self._socket.sendall(line)
        except OSError as error:
            raise ChannelClosed("the other process has ended") from error

    def receive(self, expected: type[M], timeout: float | None = None) -> M:
        """The next message, which must be of the expected type; ChannelClosed at the end."""
        message = self.next(timeout)
        if not isinstance(message, expected):
            raise ArmError(f"expected {expected.__name__}, got {message}")
        return message

    def next(self, timeout: float | None = None) -> Message | None:
        """The next message of any type, or None if none has come after ``timeout`` seconds."""
        while not self._lines:
            if timeout is not None and not self.wait(timeout):
                return None
            self._fill(self._read()[0])
        return decode(self._lines.pop(0))

    def wait(self, seconds: float) -> bool:
        """Whether there is something to read, or the end, within so many seconds."""
        if self._lines:
            return True
        ready = select.poll()  # not select(), which fails where 1024 files are open
        ready.register(self._socket, select.POLLIN)
        return bool(ready.poll(1000 * seconds))

    def receive_with_descriptors(self) -> tuple[Message, list[int]]:
        """The next message and the file descriptors that came with it."""
        descriptors: list[int] = []
        while not self._lines:
            data, received = self._read(_DESCRIPTORS)
            descriptors += received  # a long message comes in parts, these with the first
            self._fill(data)
        return decode(self._lines.pop(0)), descriptors

    def fileno(self) -> int:
        """The descriptor, to wait for."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close this end; the other one reads an end of file."""
        self._socket.close()

    def _check_owner(self) -> None:
        # A loader may fork, and its child go on as if it were the trial itself.
        if os.getpid() != self._owner:
            raise ChannelClosed("a forked process has no part in this conversation")

    def _read(self, descriptors: int = 0) -> tuple[bytes, list[int]]:
        self._check_owner()
        try:
            return socket.recv_fds(self._socket, 65536, descriptors)[:2]
        except ConnectionError:
            return b"", []

    def _fill(self, data: bytes) -> None:
        if not data:
            raise ChannelClosed("the other process has ended")
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._lines += lines
