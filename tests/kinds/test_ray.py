"""Ray Data: a cluster that somebody else has started."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from kinds.harness import needs
from pytest_loaderperf.loaders.kinds import ray

pytestmark = needs("ray.data")


def test_a_cluster_of_others_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Node:
        def __init__(self, head: bool) -> None:
            self.is_head = lambda: head

    worker = ModuleType("ray._private.worker")
    monkeypatch.setitem(sys.modules, "ray._private.worker", worker)
    for node, noted in ((None, False), (Node(True), False), (Node(False), True)):
        worker._global_node = node  # type: ignore[attr-defined]
        known = ray.batches([])
        assert ("has not started this Ray cluster" in known.note) is noted
        assert known.scattered is not noted
