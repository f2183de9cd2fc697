"""Iterates a pipeline that is not written in Python up to one of its nodes."""

from __future__ import annotations

import time

from ..errors import LoaderError
from ..loaders.adapter import Loader
from ..protocol.messages import NodeRun, RunNode


def run(loader: Loader, wanted: RunNode) -> NodeRun:
    """Take elements for so long, after a first one; a pipeline that ends is started again.

    LoaderError if the loader has no nodes, or one gives nothing.
    """
    nodes = loader.nodes()
    if not nodes:
        raise LoaderError("the loader is no pipeline with nodes")
    node = nodes[wanted.node]
    elements, spent = 0, 0.0
    while spent < wanted.seconds:
        iterator = node.start()
        if next(iterator, None) is None:
            raise LoaderError(f"{node.name} gives no elements")
        began = time.perf_counter()
        for _ in iterator:
            elements += 1
            if spent + time.perf_counter() - began >= wanted.seconds:
                break
        else:
            if not elements:
                raise LoaderError(f"{node.name} gives a single element")
        spent += time.perf_counter() - began
    return NodeRun(
        nodes=len(nodes),
        name=node.name,
        file=node.file,
        line=node.line,
        samples=elements * node.samples,
        seconds=spent,
    )
