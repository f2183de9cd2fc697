"""Runs of shards, as their results files would have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from examples import check
from pytest_loaderperf.model.results import Run, Verdict
from pytest_loaderperf.model.shards import Shard, Share

SELECTION = tuple(f"test_{module}.py::test_it[{n}]" for module in "abc" for n in (1, 2))


def shard(number: int, of: int = 3, *, results: Sequence[str] | None = None, **fields: Any) -> Run:
    """The run of a shard, which has measured one module of three."""
    own = SELECTION[2 * (number - 1) : 2 * number]
    share = Share(
        shard=Shard(number=number, of=of),
        selection=SELECTION,
        own=own,
        ended=own,
        settings="abc",
        status=0,
        machine={"cpus": 4 + number},
    )
    share = replace(share, **{k: v for k, v in fields.items() if k in vars(share)})
    run = Run(
        results=[check(nodeid, Verdict.UNCHANGED, 1.0, 1.01) for nodeid in results or own],
        plugin="1.2.3",
        machine={"cpus": 4 + number},
        mode="accepted",
        commits=["f" * 40, str(number) * 40],
        memory_limit=2.0**30 * number,
        commit="c" * 40,
        alpha=0.001,
        share=share,
    )
    return replace(run, **{k: v for k, v in fields.items() if k not in vars(share)})
