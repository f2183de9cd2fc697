"""What a merge tells to type; what it makes of shards is tested with these."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_loaderperf import merge
from pytest_loaderperf.reports import results_json
from unit.shards.runs import shard


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("accepted", ""),
        ("stored", ""),
        ("itself", ""),
        ("nothing", ""),
        ("v2.3", "--loaderperf-against=v2.3"),
        ("HEAD@{1}", "--loaderperf-against='HEAD@{1}'"),
    ],
)
def test_what_shards_were_measured_beside_is_kept(mode: str, told: str) -> None:
    assert merge._beside(mode) == told


def test_files_of_strangers_do_not_move_the_cursor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    run = shard(1, of=1)
    first, *others = run.results
    strange = replace(first, notes=("\x1b[2Jgone\nand a line",), packages={"\x07": ("1", "2")})
    file = tmp_path / "shard.json"
    content = results_json.to_json(replace(run, results=[strange, *others]), [])
    file.write_text(json.dumps(content), "utf-8")
    merge.main([str(file), "--summary="])
    shown = capsys.readouterr().out
    assert "?[2Jgone\nand a line" in shown
    assert not set(shown) & set("\x1b\x07")
