"""Samples of stacks, added up by function and line: milliseconds that a sample of data takes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..model.results import Stack
from .stacks import Call, Sample

# The time of a trial is cut into so many parts, each compared with that of the other side: how far
# they differ tells how sure the whole is. Other looks have parts of their own.
PARTS = 8
_LEAST = 0.002  # of what a sample takes
MAIN_PROCESS, WORKERS = "main process", "workers"
_LIBRARY = re.compile(r"/(?:site|dist)-packages/|/python3\.\d+t?/(?!(?:site|dist)-packages/)")


@dataclass(frozen=True, order=True, kw_only=True)
class Function:
    """A function by its file, as both versions call it, and its name; ``ours``: the project's."""

    file: str
    name: str
    ours: bool = False

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.name} ({self.file})" if self.file else self.name


@dataclass(frozen=True, kw_only=True)
class Files:
    """The files of a version, those of the project below its ``top`` folder."""

    top: str

    def function(self, call: Call) -> Function:
        """A function as all versions call it, wherever their files lie."""
        library = _LIBRARY.split(call.file)
        if len(library) > 1 or not call.file.startswith(f"{self.top}/"):
            return Function(file=library[-1], name=call.function)
        return Function(file=call.file[len(self.top) + 1 :], name=call.function, ours=True)

    def lines(self, file: str) -> list[str]:
        """Those of a file of the project; none if it has no such file."""
        try:
            return Path(self.top, file).read_text("utf-8", "replace").splitlines()
        except OSError:
            return []


def _nothing() -> list[float]:
    return [0.0] * PARTS


@dataclass(kw_only=True)
class Node:
    """What a function took, called as it was called here: ms a sample, in each part of the time.

    ``waited`` is what of it used no CPU; ``lines`` are those of the function, with all that they
    call. All of them have as many parts.
    """

    took: list[float] = field(default_factory=_nothing)
    waited: list[float] = field(default_factory=_nothing)
    lines: dict[int, list[float]] = field(default_factory=lambda: defaultdict(_nothing))
    children: dict[Function, Node] = field(default_factory=dict)

    @classmethod
    def of(cls, parts: int) -> Node:
        """One that took nothing, in so many parts."""
        nothing = [0.0] * parts
        return cls(took=[*nothing], waited=[*nothing], lines=defaultdict(nothing.copy))

    @property
    def parts(self) -> int:
        """Of the time, each of which it took something in."""
        return len(self.took)

    @property
    def alone(self) -> float:
        """What it took without what it called."""
        own = sum(self.took) - sum(sum(child.took) for child in self.children.values())
        return max(0.0, own / self.parts)

    def child(self, function: Function) -> Node:
        """That of a function it calls, made where there is none."""
        return self.children.setdefault(function, Node.of(self.parts))

    def called(self, function: Function) -> Node:
        """That of a function which it may call."""
        return self.children.get(function) or Node.of(self.parts)


def stacks(candidate: Node, baseline: Node) -> list[Stack]:
    """All chains of calls of both sides that take more than next to nothing."""
    least = _LEAST * max(sum(each.took) for each in (candidate, baseline)) / candidate.parts
    return list(_stacks(candidate, baseline, (), least))


def _stacks(
    candidate: Node, baseline: Node, calls: tuple[str, ...], least: float
) -> Iterator[Stack]:
    now, before = candidate.alone, baseline.alone
    if max(now, before) >= least and calls:
        yield Stack(calls=calls, candidate=now, baseline=before)
    for function in {**candidate.children, **baseline.children}:
        called = candidate.called(function), baseline.called(function)
        yield from _stacks(*called, (*calls, function.text), least)


def fold(samples: Iterable[Sample], made: float, files: Files, root: Node, parts: range) -> None:
    """Add the samples of a trial to what is there, as some of the parts of all time.

    So many samples of data were ``made`` meanwhile. ``files`` are those of its version.
    """
    per_sample = 1000 * len(parts) / made
    for sample in samples:
        if sample.idle:
            continue
        part = parts[min(int(len(parts) * sample.gone), len(parts) - 1)]
        took = sample.seconds * per_sample
        waited = (sample.seconds - sample.cpu_seconds) * per_sample
        node = root.child(Function(file="", name=WORKERS if sample.in_worker else MAIN_PROCESS))
        for each in (root, node):
            each.took[part] += took
            each.waited[part] += waited
        for call in sample.calls:
            node = node.child(files.function(call))
            node.took[part] += took
            node.waited[part] += waited
            node.lines[call.line][part] += took
