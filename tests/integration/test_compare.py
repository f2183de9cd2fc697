"""Loaders side by side in one commit: whole runs of a project that has no baseline."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support import tiny
from support.project import Project
from support.tiny import Report

# What differs does so by far more than the tolerance, on however busy a machine.
CHECKS = """\
import time

import pytest

def made(pause, batch=(1, 2)):
    def rows():
        for _ in range(10**9):
            time.sleep(pause)
            yield list(batch)
    return rows

def broken():
    raise OSError("no photos")

def test_three(loaderperf):
    result = loaderperf.compare(
        {"plain": made(0.002), "floats": made(0.002, (0.5,) * 20), "slow": made(0.03)}
    )
    assert result.ratio("plain", "slow") >= 3
    assert result.ratio("floats", "slow") >= 3
    assert result.ratio("slow", "plain") >= 1.2

def test_broken(loaderperf):
    loaderperf.compare({"plain": made(0.002), "broken": broken})

def test_one(loaderperf):
    loaderperf.compare({"plain": made(0.002)})

@pytest.mark.loaderperf(batch_sizes=[2])
def test_sizes(batch_size, loaderperf):
    result = loaderperf.compare(
        {
            "plain": lambda: [list(range(batch_size))] * 1000,
            "same": lambda: [list(range(batch_size))] * 1000,
        }
    )
    assert result.ratio("same", "plain") >= 1000  # which no run of one of them asks
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("compare") / "project"
    page = Path(__file__).resolve().parents[2] / "docs" / "variants.md"
    (example,) = re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)
    project = tiny.create(root, test_it=CHECKS, test_page=example)
    project.commit("loaders to compare")
    return project


@pytest.fixture(scope="module")
def compared(project: Project) -> Report:
    """All but the sizes; an update would write what can be accepted."""
    return tiny.report(
        project, "--loaderperf-update", tiny.WIDE, "-k", "not sizes", "--loaderperf-summary=it.md"
    )


def test_the_example_of_the_documentation_passes(compared: Report) -> None:
    check = compared.checks["test_formats"]
    assert check["outcome"] == "passed", compared.run.output
    assert check["verdict"] in ("compared", "inconclusive")  # as a busy machine allows
    assert [each["name"] for each in check["variants"]] == ["json", "pickle"]


def test_the_first_is_compared_with_the_others_without_a_baseline(compared: Report) -> None:
    check = compared.checks["test_three"]
    assert check["verdict"] == "compared", compared.run.output
    plain, floats, slow = check["variants"]
    assert [each["verdict"] for each in (plain, floats, slow)] == [None, "faster", "slower"]
    assert floats["throughput"]["ratio"] > 3  # of samples, with as many batches
    assert slow["throughput"]["ratio"] < 1 / 3
    assert plain["throughput"]["value"] == slow["throughput"]["baseline"]
    assert [each["batch_samples"] for each in (plain, floats, slow)] == [2, 20, 2]
    assert all(each["peak_memory"] >= 0 for each in (plain, floats, slow))


def test_what_is_delivered_otherwise_is_told(compared: Report) -> None:
    (note,) = (each for each in compared.checks["test_three"]["notes"] if "else" in each)
    assert note.startswith("floats beside plain: it delivers something else (batch")
    assert note.endswith("batches of 2 -> 20 samples), and is compared by samples/s")


def test_an_update_writes_nothing_of_it(compared: Report, project: Project) -> None:
    assert not (project.root / "baselines").exists()
    assert "accepting" not in compared.run.output


def test_a_ratio_that_is_asserted_in_vain_explains_itself(compared: Report) -> None:
    assert compared.outcomes["test_three"] == "failure"
    text = compared.texts["test_three"]
    assert "throughput of slow / plain: 0." in text
    assert ">= 1.2 is false" in text
    assert ", slower" in text


def test_a_variant_that_cannot_be_measured_is_an_error_that_names_it(compared: Report) -> None:
    check = compared.checks["test_broken"]
    assert check["verdict"] == "error"
    assert check["message"].startswith("variant 'broken' failed before it was measured: ")
    text = compared.texts["test_broken"]
    assert "LoaderError: variant 'broken' cannot be measured: OSError: no photos" in text
    assert "def broken():" in text  # where it comes from


def test_a_single_loader_is_no_comparison(compared: Report) -> None:
    assert "got 1 variant: give two at least" in compared.texts["test_one"]


def test_every_report_has_a_row_for_each_variant(compared: Report, project: Project) -> None:
    output, summary = compared.run.output, (project.root / "it.md").read_text("utf-8")
    assert "test_it.py::test_three, beside plain, with a tolerance of 60 %" in output
    (row,) = (line for line in output.splitlines() if line.startswith("  floats  "))
    assert row.endswith("faster")
    assert "| `floats` |" in summary
    assert "2 error" in output


def test_a_sweep_measures_the_first_one_alone(project: Project) -> None:
    report = tiny.report(project, "--loaderperf-sweep=2:2")
    (check,) = report.checks.values()
    assert (check["verdict"], check["outcome"]) == ("measured", "passed"), report.run.output
    assert "of its variants only the first one is measured: plain" in check["notes"]


def test_a_plain_run_skips_it(project: Project) -> None:
    report = tiny.report(project)
    assert set(report.outcomes.values()) == {"skipped"}
    assert report.run.status == 0
