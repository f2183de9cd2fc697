"""Hostile files and numbers: data that is judged or refused, never followed, never trusted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faults.fault import contents, report
from support import tiny
from support.project import Project

# What a store may hold at all: more is damage (tests/unit/test_baselines.py).
NUMBERS = {"zero": 0.0, "tiny": 5e-324, "huge": 1e30}


def accepted(root: Path) -> tuple[Project, Path]:
    project = tiny.create(root / "project", git=False)
    return project, tiny.accept(project, commit=False)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("spread", [0.0, 1e30], ids=["no spread", "all spread"])
def test_any_stored_number_gives_a_verdict(tmp_path: Path, number: str, spread: float) -> None:
    project, store = accepted(tmp_path)
    document = json.loads(store.read_text())
    for record in document["checks"][tiny.KEY]["records"].values():
        for stored in record["metrics"].values():
            stored |= {"value": NUMBERS[number], "spread": spread}
    store.write_text(json.dumps(document))
    found = report(project, "--loaderperf")
    verdict = found.run.verdicts[tiny.NODE]
    assert verdict != "unchanged", found.run.output
    assert "Traceback" not in found.run.output


def test_names_in_a_store_are_not_followed(tmp_path: Path) -> None:
    """Neither as paths when it is written, nor as code, nor as marks of a report."""
    project, store = accepted(tmp_path)
    document = json.loads(store.read_text())
    entry = document["checks"][tiny.KEY]
    hostile = "../../../outside::<script>alert(1)</script>$(touch outside)"
    document["checks"] |= {hostile: entry, "__class__": entry}
    entry["workload"]["batch"] = "<img src=x onerror=alert(1)> | [a](javascript:b)"
    store.write_text(json.dumps(document))
    outside = contents(tmp_path)
    html, summary = project.root / "report.html", project.root / "report.md"
    run = project.pytest(
        "--loaderperf", "--loaderperf-update=all", "-p", "no:cacheprovider",
        f"--loaderperf-html={html}", f"--loaderperf-summary={summary}",
    )  # fmt: skip
    for text in (html.read_text(), summary.read_text()):
        assert "<script>alert" not in text
        assert "<img src" not in text
    html.unlink()
    summary.unlink()
    changed = {name for name, text in contents(tmp_path).items() if outside.get(name) != text}
    assert changed <= {"project/baselines/test_it.json", "project-results.json"}, run.output


@pytest.mark.parametrize("exists", [False, True], ids=["new", "existing"])
def test_link_that_leads_out_of_the_store_is_not_written_through(
    tmp_path: Path, exists: bool
) -> None:
    project, store = accepted(tmp_path)
    outside = tmp_path / "outside.json"
    if exists:
        store.rename(outside)
    store.unlink(missing_ok=True)
    store.symlink_to(outside)
    before = outside.read_bytes() if exists else b""
    run = project.pytest("--loaderperf", "--loaderperf-update=all")
    assert run.status == 1, run.output
    assert "leads out of" in run.output
    assert outside.exists() == exists
    assert not exists or outside.read_bytes() == before
    assert store.is_symlink()
    assert store.readlink() == outside
