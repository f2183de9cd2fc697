"""Which lines explain a difference: trees of calls with known answers."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_loaderperf.model.results import Why
from pytest_loaderperf.why.calls import MAIN_PROCESS, PARTS, Function, Node
from pytest_loaderperf.why.lines import explain

ROOT = Function(file="", name=MAIN_PROCESS)
LOAD = Function(file="loaders.py", name="Data.__getitem__", ours=True)
RESIZE = Function(file="loaders.py", name="resize", ours=True)
DECODE = Function(file="loaders.py", name="decode", ours=True)
PIL = Function(file="PIL/Image.py", name="Image.resize")
SEND = Function(file="multiprocessing/queues.py", name="Queue._feed")
Calls = dict[tuple[tuple[Function, int], ...], float]


def tree(calls: Calls, noise: float = 0.01, seed: int = 1) -> Node:
    """What chains of calls, each at a line, took by themselves; noise in each part of the time."""
    drawn = random.Random(seed)
    root = Node()
    for chain, took in calls.items():
        parts = [took * (1 + drawn.gauss(0, noise)) for _ in range(PARTS)]
        nodes = [(root, 0)]
        for function, line in ((ROOT, 0), *chain):
            nodes.append((nodes[-1][0].child(function), line))
        for node, line in nodes:
            for index, each in enumerate(parts):
                node.took[index] += each
                if line:
                    node.lines[line][index] += each
    return root


def why(
    now: Calls, before: Calls, texts: tuple[str, str] = ("", ""), *, noise: float = 0.01
) -> Why:
    return explain(
        tree(now, seed=1, noise=noise),
        tree(before, seed=2, noise=noise),
        now=lambda _: texts[0].splitlines(),
        before=lambda _: texts[1].splitlines(),
    )


def test_the_line_that_takes_longer_is_named() -> None:
    before: Calls = {((LOAD, 3), (DECODE, 7)): 2.0, ((LOAD, 4), (RESIZE, 9)): 1.0}
    found = why({**before, ((LOAD, 4), (RESIZE, 9)): 1.5}, before)
    (culprit,) = found.culprits
    assert (culprit.function, culprit.file, culprit.line) == ("resize", "loaders.py", 9)
    assert culprit.more == pytest.approx(0.5, rel=0.1)
    assert culprit.interval[0] < 0.5 < culprit.interval[1]
    assert found.lost == pytest.approx(0.5, rel=0.2)


def test_of_a_library_the_line_of_the_project_that_calls_it_is_named() -> None:
    before: Calls = {((LOAD, 4), (RESIZE, 9), (PIL, 100)): 1.0}
    (culprit,) = why({((LOAD, 4), (RESIZE, 9), (PIL, 100)): 2.0}, before).culprits
    assert (culprit.function, culprit.line) == ("resize", 9)
    assert culprit.inner == "Image.resize (PIL/Image.py)"


def test_where_no_line_of_the_project_is_it_is_the_library_and_its_stage() -> None:
    (culprit,) = why({((SEND, 5),): 2.0}, {((SEND, 5),): 1.0}).culprits
    assert (culprit.function, culprit.stage) == ("Queue._feed", "sending batches between processes")


def test_two_lines_that_both_take_longer_are_both_named_the_larger_first() -> None:
    before: Calls = {((LOAD, 3), (DECODE, 7)): 2.0, ((LOAD, 4), (RESIZE, 9)): 1.0}
    now: Calls = {((LOAD, 3), (DECODE, 7)): 2.4, ((LOAD, 4), (RESIZE, 9)): 1.6}
    assert [each.function for each in why(now, before).culprits] == ["resize", "decode"]


def test_code_that_has_moved_into_a_function_of_its_own_is_not_named_for_that() -> None:
    moved = Function(file="loaders.py", name="helper", ours=True)
    before: Calls = {((LOAD, 3),): 2.0, ((LOAD, 4),): 1.0}
    now: Calls = {((LOAD, 3), (moved, 20)): 2.0, ((LOAD, 4),): 1.3}
    found = why(now, before).culprits
    assert [(each.function, each.line) for each in found] == [("Data.__getitem__", 4)]
    assert found[0].more == pytest.approx(0.3, rel=0.2)


def test_lines_are_told_from_one_another_wherever_they_have_moved() -> None:
    before_text = "import a\n\ndef load():\n    read()\n    decode()\n"
    now_text = (
        "import a\nimport b\nimport c\n\ndef load():\n    read()\n    decode()\n    again()\n"
    )
    before: Calls = {((LOAD, 4),): 1.0, ((LOAD, 5),): 2.0}
    now: Calls = {((LOAD, 6),): 1.0, ((LOAD, 7),): 2.0, ((LOAD, 8),): 0.6}
    (culprit,) = why(now, before, (now_text, before_text)).culprits
    assert culprit.line == 8


def test_a_function_that_is_called_otherwise_is_not_named_but_the_line_that_calls_it() -> None:
    before_text = (
        "def load():\n    return resize()\n\ndef resize():\n    scale(2)\n\ndef scale(n):\n    n\n"
    )
    now_text = before_text.replace("scale(2)", "scale(3)")
    scale = Function(file="loaders.py", name="scale", ours=True)
    before: Calls = {((LOAD, 2), (RESIZE, 5), (scale, 8)): 1.0}
    now: Calls = {((LOAD, 2), (RESIZE, 5), (scale, 8)): 1.5}
    (culprit,) = why(now, before, (now_text, before_text)).culprits
    assert (culprit.function, culprit.line) == ("resize", 5)
    assert culprit.inner == "scale (loaders.py)"


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
def test_of_the_same_code_nothing_is_named(noise: float) -> None:
    same: Calls = {((LOAD, 3), (DECODE, 7)): 2.0, ((LOAD, 4), (RESIZE, 9)): 1.0}
    assert not why(same, same, noise=noise).culprits


@given(st.lists(st.floats(0.1, 5), min_size=2, max_size=6), st.data())
def test_what_is_named_explains_a_part_of_the_loss(times: list[float], data: st.DataObject) -> None:
    functions = [Function(file="a.py", name=f"f{n}", ours=True) for n in range(len(times))]
    before: Calls = {
        ((LOAD, n + 1), (each, n + 50)): time
        for n, (each, time) in enumerate(zip(functions, times, strict=True))
    }
    slower = data.draw(st.sampled_from(list(before)))
    now = {**before, slower: before[slower] + 0.3 * sum(times)}
    (culprit,) = why(now, before, noise=0.001).culprits
    assert (culprit.function, culprit.line) == (slower[1][0].name, slower[1][1])
    assert culprit.more == pytest.approx(0.3 * sum(times), rel=0.1)
