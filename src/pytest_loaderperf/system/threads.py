"""Whose threads this process has: the libraries that they run, read off their stacks."""

from __future__ import annotations

import contextlib
import os
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

# What nearly every thread runs, whoever has started it.
_COMMON = ("libc.", "libc-", "ld-", "libpthread", "libstdc++", "libgcc", "ld-musl", "[")
# A thread that waits has little on its stack: some 5 KiB in pools of a dozen libraries.
_STACK = 64 * 2**10
_WORD = struct.calcsize("P")
_ADDRESS = 2**48 - 1


@dataclass(frozen=True, kw_only=True)
class Thread:
    """A thread: its name, and the file names of libraries on its stack, the innermost first.

    Without libraries it was ``busy`` when it was looked at, or they cannot be read here.
    """

    name: str
    libraries: tuple[str, ...] = ()
    busy: bool = False

    @property
    def owner(self) -> str:
        """The outermost library, which has started the thread; "" if that is not known."""
        return self.libraries[-1] if self.libraries else ""


class Mapping(NamedTuple):
    """A line of ``/proc/self/maps``."""

    begin: int
    end: int
    access: str
    path: str

    @property
    def name(self) -> str:
        """The file's, without its folder."""
        return self.path.rpartition("/")[2]


def count() -> int:
    """How many threads this process has, as far as the system tells."""
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208  (no more than their number)
    except OSError:
        return 1


def others() -> list[Thread]:
    """All threads but the main one; none where the system does not tell."""
    try:
        folders = sorted(Path("/proc/self/task").iterdir())
    except OSError:
        return []
    mapped = mappings()
    return [_thread(folder, mapped) for folder in folders if folder.name != str(os.getpid())]


def mappings() -> list[Mapping]:
    """What this process has mapped; nothing where the system does not tell."""
    try:
        text = Path("/proc/self/maps").read_text(errors="surrogateescape")
    except OSError:
        return []
    return list(_parsed(text))


def _parsed(text: str) -> Iterator[Mapping]:
    for line in text.splitlines():
        fields = line.split(maxsplit=5)
        begin, _, end = fields[0].partition("-")
        path = fields[5] if len(fields) > 5 else ""
        yield Mapping(int(begin, 16), int(end, 16), fields[1], path)


def _thread(folder: Path, mapped: Sequence[Mapping]) -> Thread:
    name = syscall = ""
    with contextlib.suppress(OSError):  # it has ended, or may not be looked at
        name = (folder / "comm").read_text(errors="replace").strip()
        syscall = (folder / "syscall").read_text()
    busy = syscall.strip() == "running"
    return Thread(name=name, libraries=tuple(_libraries(syscall, mapped)), busy=busy)


def _libraries(syscall: str, mapped: Sequence[Mapping]) -> Iterator[str]:
    """The libraries into which words on a stack point: return addresses, above all."""
    fields = syscall.split()
    if len(fields) < 3:  # it runs
        return
    stack, at = (int(each, 16) for each in fields[-2:])
    code = [each for each in mapped if "x" in each.access and each.path]  # in order
    begins = [each.begin for each in code]
    last = ""
    for word in (at, *_words(stack, mapped)):
        # Without the signature that newer ARM processors put into the upper bits.
        address = word & _ADDRESS
        place = code[bisect_right(begins, address) - 1] if code else None
        inside = place is not None and place.begin <= address < place.end
        library = place.name if place is not None and inside else ""
        if library and library != last and not library.startswith(_COMMON):
            last = library
            yield library


def _words(begin: int, mapped: Sequence[Mapping]) -> Sequence[int]:
    """The words of a stack from its top on; none if the thread has gone with it."""
    end = next((each.end for each in mapped if each.begin <= begin < each.end), begin)
    size = min(end - begin, _STACK) // _WORD * _WORD
    try:
        memory = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ()
    try:
        held = os.pread(memory, size, begin)
    except OSError:
        return ()
    finally:
        os.close(memory)
    return struct.unpack(f"={len(held) // _WORD}{'Q' if _WORD == 8 else 'I'}", held)
