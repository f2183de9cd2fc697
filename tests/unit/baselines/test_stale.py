"""Entries without a test: which ones, and what is left when they are removed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_loaderperf.baselines import store as baselines
from pytest_loaderperf.baselines import update
from pytest_loaderperf.baselines.store import Entry
from pytest_loaderperf.model.workload import Workload

ENTRY = Entry(workload=Workload(batch="list[int, ...]", bytes_per_sample=8.0), records={})


def store(root: Path, module: str, *keys: str) -> Path:
    path = baselines.store_path(root, module)
    baselines.save(path, dict.fromkeys(keys, ENTRY))
    return path


def names(root: Path, *, whole: bool, **collected: set[str]) -> list[tuple[str, ...]]:
    known = {f"{module}.py": keys for module, keys in collected.items()}
    return [found.keys for found in update.find_stale(root, known, whole=whole)]


def test_an_entry_of_a_collected_module_is_stale_if_its_test_is_gone(tmp_path: Path) -> None:
    store(tmp_path, "test_a.py", "test_one", "test_two[8]")
    assert names(tmp_path, whole=False, test_a={"test_one"}) == [("test_two[8]",)]
    assert names(tmp_path, whole=False, test_a={"test_one", "test_two[8]", "test_new"}) == []


def test_a_module_that_was_not_collected_is_only_judged_by_a_whole_collection(
    tmp_path: Path,
) -> None:
    store(tmp_path, "test_a.py", "test_one")
    (tmp_path / "test_a.py").touch()
    assert names(tmp_path, whole=False) == []
    assert names(tmp_path, whole=True) == [("test_one",)]


def test_the_entries_of_a_module_that_is_gone_are_stale(tmp_path: Path) -> None:
    store(tmp_path, "tests/test_a.py", "test_one")
    assert names(tmp_path, whole=False) == [("test_one",)]


def test_a_damaged_file_is_left_alone(tmp_path: Path) -> None:
    path = store(tmp_path, "test_a.py", "test_one")
    path.write_text("{")
    assert names(tmp_path, whole=True) == []


@given(st.sets(st.text(st.characters(exclude_categories=["Cs"]))), st.data())
@settings(deadline=None)
def test_pruning_keeps_all_entries_that_have_a_test(
    tmp_path_factory: pytest.TempPathFactory, keys: set[str], data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("root")
    tests = data.draw(st.sets(st.sampled_from(sorted(keys)))) if keys else set()
    path = store(root, "test_a.py", *keys)
    for found in update.find_stale(root, {"test_a.py": tests}, whole=True):
        update.prune(found)
    assert set(baselines.load(path)) == keys & tests
    assert path.exists() == bool(keys & tests)


def test_what_is_stale_is_told_by_file_and_name(tmp_path: Path) -> None:
    store(tmp_path, "tests/test_a.py", "test_one", "test_two")
    (found,) = update.find_stale(tmp_path, {}, whole=True)
    assert found.describe(tmp_path) == (
        "baselines/tests/test_a.json: no test any more: test_one, test_two"
    )
