"""Which shard measures what: everything once, modules whole, and all about as long."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.errors import SettingsError
from pytest_loaderperf.model.shards import Shard
from pytest_loaderperf.shards.balance import module_of, own, seconds_in, split

no_deadline = settings(deadline=None)
selections = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 9)), min_size=1, unique=True
).map(lambda pairs: [f"tests/test_{module}.py::test_it[{n}]" for module, n in pairs])


def parts(selection: list[str], seconds: dict[str, float], of: int) -> list[list[str]]:
    return [own(selection, seconds, Shard(number=n, of=of)) for n in range(1, of + 1)]


@given(selections, st.data())
@no_deadline
def test_shards_measure_everything_once_and_modules_whole(
    selection: list[str], data: st.DataObject
) -> None:
    modules = {module_of(check) for check in selection}
    of = data.draw(st.integers(1, len(modules)))
    times = st.floats(0, 1000)
    known = data.draw(st.dictionaries(st.sampled_from(selection), times))
    found = parts(selection, known, of)
    assert sorted(check for part in found for check in part) == sorted(selection)
    homes = [{module_of(check) for check in part} for part in found]
    assert all(homes)
    assert sum(map(len, homes)) == len(modules)
    for part in found:  # in the order of the run
        assert part == [check for check in selection if check in part]


@given(st.lists(st.floats(0.1, 100), min_size=3, max_size=8), st.integers(2, 3))
@no_deadline
def test_the_longest_shard_takes_at_most_a_third_more_than_it_must(
    seconds: list[float], shards: int
) -> None:
    loads = {str(i): each for i, each in enumerate(seconds)}
    longest = max(sum(loads[module] for module in part) for part in split(loads, shards))
    best = min(
        max(sum(s for s, at in zip(seconds, places, strict=True) if at == n) for n in range(shards))
        for places in itertools.product(range(shards), repeat=len(seconds))
    )
    assert longest <= best * 4 / 3 + 1e-9


def test_without_times_each_shard_has_as_many_checks() -> None:
    selection = [f"{module}.py::test[{n}]" for module in "abcd" for n in range(5)]
    assert [len(part) for part in parts(selection, {}, 2)] == [10, 10]


def test_a_check_that_is_new_counts_as_the_mean_of_the_others() -> None:
    seconds = {"a.py::test": 10.0, "b.py::test": 20.0}
    selection = [*seconds, "c.py::test", "d.py::test"]
    assert parts(selection, seconds, 2) == [selection[:2], selection[2:]]


def test_more_shards_than_modules_are_an_error_that_says_how_many_modules_there_are() -> None:
    with pytest.raises(SettingsError, match=r"are in 1 of them: use no more shards"):
        own(["a.py::test_x", "a.py::test_y"], {}, Shard(number=1, of=2))


def test_times_are_those_of_checks_that_were_measured(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    assert seconds_in(path) is None
    checks = [
        {"nodeid": "a.py::test", "seconds": 7.5, "verdict": "unchanged"},
        {"nodeid": "b.py::test", "seconds": 0.0, "verdict": "identical"},
    ]
    path.write_text(json.dumps({"checks": checks}))
    assert seconds_in(path) == {"a.py::test": 7.5}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"checks": 1}',
        '{"checks": [1]}',
        '{"checks": [{"nodeid": "a", "verdict": "error"}]}',
        '{"checks": [{"nodeid": "a", "seconds": NaN, "verdict": "error"}]}',
        '{"checks": [{"nodeid": "a", "seconds": -1, "verdict": "error"}]}',
    ],
)
def test_a_file_that_holds_no_times_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"results\.json"):
        seconds_in(path)
