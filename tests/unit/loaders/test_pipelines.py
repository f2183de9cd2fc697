"""The nodes of a pipeline of tf.data, and how a trial iterates up to one of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_loaderperf.arm import pipeline
from pytest_loaderperf.errors import LoaderError
from pytest_loaderperf.loaders.adapter import Loader, PipelineNode
from pytest_loaderperf.loaders.kinds.tensorflow import _nodes
from pytest_loaderperf.protocol.messages import RunNode


class Fake:
    """What the nodes of tf.data have that is asked for."""

    def __init__(self, upstream: Fake | None = None, size: int = 0, function: Any = None) -> None:
        self._upstream, self._function, self.windows = upstream, function, 0
        if size:
            self._batch_size = size

    def _inputs(self) -> list[Fake]:
        return [self._upstream] if self._upstream else []

    def _functions(self) -> list[Any]:
        return [SimpleNamespace(_func=self._function)] if self._function else []

    def options(self) -> str:
        return "options"

    def with_options(self, options: str) -> Fake:
        assert options == "options"
        return self

    def window(self, size: int) -> Fake:
        self.windows = size
        return self

    def __iter__(self) -> Iterator[int]:
        return iter([self.windows])


def kind(name: str) -> Any:
    return type(f"_{name}Dataset", (Fake,), {})


def decode(row: int) -> int:
    return row


def test_nodes_come_from_the_source_on_with_their_functions_and_samples() -> None:
    files = kind("Interleave")(kind("TensorSlice")(), function=decode)
    mapped = kind("ParallelMap")(files, function=decode)
    batched = kind("Batch")(mapped, size=16)
    found = _nodes(kind("Options")(kind("Prefetch")(batched)))
    names = ["Interleave(decode)", "ParallelMap(decode)", "Batch", "Prefetch"]
    assert [node.name for node in found] == names
    # Single samples come in windows of a batch: each element holds as many.
    assert [node.samples for node in found] == [16, 16, 16, 16]
    assert [next(node.start()) for node in found] == [16, 16, 0, 0]
    assert (found[1].file, found[1].line) == (__file__, decode.__code__.co_firstlineno)


def node(*epochs: list[int]) -> Loader:
    given = itertools.cycle(epochs)
    one = PipelineNode(name="Map(decode)", start=lambda: iter(next(given)), samples=4)
    return Loader(kind="tf.data", start=lambda: iter([]), nodes=lambda: [one])


def test_a_node_is_iterated_for_as_long_as_is_wanted_over_as_many_epochs_as_that_takes() -> None:
    ran = pipeline.run(node([1, 2, 3]), RunNode(node=0, seconds=0.01))
    assert (ran.nodes, ran.name) == (1, "Map(decode)")
    assert ran.seconds >= 0.01
    assert ran.samples > 8
    assert ran.samples % 4 == 0


@pytest.mark.parametrize(
    ("loader", "says"),
    [
        (node([]), "gives no elements"),
        (node([1]), "gives a single element"),
        (Loader(kind="torch", start=lambda: iter([])), "no pipeline"),
    ],
)
def test_a_node_that_cannot_be_timed_is_told(loader: Loader, says: str) -> None:
    with pytest.raises(LoaderError, match=says):
        pipeline.run(loader, RunNode(node=0, seconds=0.01))
