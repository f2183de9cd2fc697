"""Which node of a pipeline takes longer: runs with known answers."""

from __future__ import annotations

import random

import pytest

from pytest_loaderperf.protocol.messages import NodeRun
from pytest_loaderperf.why.calls import Files
from pytest_loaderperf.why.pipeline import Runs, explained

FILES = Files(top="/project")


def runs(nodes: dict[str, float], noise: float = 0.01, seed: int = 1) -> Runs:
    """Five rounds of a pipeline whose nodes take so many ms a sample by themselves."""
    drawn = random.Random(seed)
    found: Runs = []
    until = 0.0
    for name, ms in nodes.items():
        until += ms
        found.append(
            [
                NodeRun(
                    nodes=len(nodes),
                    name=name,
                    file="/project/pipeline.py" if "(" in name else "",
                    line=12 if "(" in name else 0,
                    samples=1000.0,
                    seconds=until * (1 + drawn.gauss(0, noise)),
                )
                for _ in range(5)
            ]
        )
    return found


BEFORE = {
    "TensorSlice": 0.1,
    "Map(decode)": 2.0,
    "Map(augment)": 1.0,
    "Batch": 0.2,
    "Prefetch": 0.0,
}


@pytest.mark.parametrize("slower", [name for name in BEFORE if name != "Prefetch"])
def test_the_node_that_takes_longer_is_named_and_no_other(slower: str) -> None:
    why = explained(runs({**BEFORE, slower: BEFORE[slower] + 1.0}), runs(BEFORE, seed=2), FILES)
    (culprit,) = why.culprits
    assert culprit.function == slower
    assert culprit.more == pytest.approx(1.0, rel=0.15)
    assert culprit.file == ("pipeline.py" if "(" in slower else "")
    assert why.lost == pytest.approx(1.0, rel=0.15)


def test_a_node_that_is_new_has_all_that_it_takes() -> None:
    now = {"TensorSlice": 0.1, "Map(decode)": 2.0, "Shuffle": 1.5, **BEFORE}
    (culprit,) = explained(runs(now), runs(BEFORE, seed=2), FILES).culprits
    assert culprit.function == "Shuffle"
    assert culprit.more == pytest.approx(1.5, rel=0.15)


def test_a_function_of_another_name_is_the_same_node() -> None:
    now = {name.replace("augment", "flip"): ms for name, ms in BEFORE.items()}
    assert not explained(runs(now), runs(BEFORE, seed=2), FILES).culprits


@pytest.mark.parametrize("seed", range(20))
def test_of_the_same_pipeline_nothing_is_named(seed: int) -> None:
    assert not explained(runs(BEFORE, 0.03, seed), runs(BEFORE, 0.03, seed + 100), FILES).culprits
