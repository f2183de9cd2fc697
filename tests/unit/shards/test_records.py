"""What a shard writes down comes back as it was, or is said to be damaged."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import examples
from pytest_loaderperf.errors import LoaderPerfError
from pytest_loaderperf.model.metrics import METRICS, Tolerance
from pytest_loaderperf.model.results import Run
from pytest_loaderperf.model.shards import Shard
from pytest_loaderperf.reports import results_json
from pytest_loaderperf.settings import CheckSettings, RunSettings
from pytest_loaderperf.shards import records
from unit.shards.runs import shard


def written(folder: Path, run: Run, **changed: Any) -> Path:
    path = folder / "shard-1.json"
    content = results_json.to_json(run, [])
    if changed:
        content["shard"] = {**content["shard"], **changed}  # type: ignore[dict-item]
    path.write_text(json.dumps(content, allow_nan=False), "utf-8")
    return path


def test_a_run_with_all_that_there_is_comes_back_as_it_was(tmp_path: Path) -> None:
    full = examples.run()
    endless = replace(full.results[0].metrics["throughput"], interval=(0.5, math.inf))
    first = replace(full.results[0], metrics={"throughput": endless})
    run = replace(full, results=[first, *full.results[1:]], share=shard(1).share)
    assert records.read(written(tmp_path, run)) == run


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"shard": null}', '{"shard": 3}', '"text"'])
def test_a_file_that_is_none_of_a_shard_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(LoaderPerfError, match=r"other\.json"):
        records.read(path)
    with pytest.raises(LoaderPerfError, match="cannot be read"):
        records.read(tmp_path / "nowhere.json")


@pytest.mark.parametrize("record", [None, "", "{}", "[1]", '{"results": []}', 3])
def test_a_damaged_record_is_said_with_the_version_that_wrote_it(
    tmp_path: Path, record: object
) -> None:
    with pytest.raises(LoaderPerfError, match=r"damaged record.*written by 1\.2\.3"):
        records.read(written(tmp_path, shard(1), record=record))


def test_what_was_cut_off_is_damaged(tmp_path: Path) -> None:
    whole = records.to_json(shard(1))
    assert whole is not None
    text = str(whole["record"])
    with pytest.raises(LoaderPerfError, match="damaged"):
        records.read(written(tmp_path, shard(1), record=text[: len(text) // 2]))


def test_a_run_that_is_no_shard_has_no_record() -> None:
    assert records.to_json(replace(shard(1), share=None)) is None


def test_settings_that_bear_upon_verdicts_tell_shards_of_two_runs_apart() -> None:
    usual = RunSettings()
    same = replace(
        usual,
        shard=Shard(number=2, of=3),
        shard_times="times.json",
        json="a.json",
        html="a.html",
        summary="a.md",
    )
    assert records.digest(same) == records.digest(usual)
    files = (replace(usual, why="1.json"), replace(usual, why="2.json"))
    assert len({*map(records.digest, (usual, *files))}) == 2
    wide = Tolerance.parse("30%", METRICS["throughput"].unit)
    tolerances = {**usual.check.tolerances, "throughput": wide}
    for other in (
        replace(usual, against="main"),
        replace(usual, strict=True),
        replace(usual, check=CheckSettings(tolerances=tolerances)),
        replace(usual, check=CheckSettings(budget=30.0)),
    ):
        assert records.digest(other) != records.digest(usual)
