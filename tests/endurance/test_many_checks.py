"""Hundreds of checks in one run: it grows by their results, and by nothing else."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from faults.fault import report
from pytest_loaderperf.system import strays
from support import tiny

# What the run itself holds after each of its checks.
WATCHING = """\
import json, os, psutil, time

def pytest_runtest_logreport(report):
    if report.when == "teardown" and "MARK" not in os.environ:  # not in an arm of the run
        process = psutil.Process()
        line = {
            "time": time.monotonic(),
            "memory": process.memory_full_info().uss,
            "files": process.num_fds(),
            "threads": process.num_threads(),
            "children": len(process.children(recursive=True)),
        }
        with open(LINES, "a") as file:
            print(json.dumps(line), file=file)
"""
CHECKS = """\
import paced, pytest

@pytest.mark.parametrize("number", range(COUNT))
def test_paced(loaderperf, number):
    loaderperf.check(paced.Paced())
"""
LARGEST = 2**16  # bytes that a check may leave: its pairs, its looks at memory, its report


def test_run_of_many_checks_stays_as_it_is(
    tmp_path: Path, pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> None:
    count = pytestconfig.getoption("checks")
    lines = tmp_path / "lines"
    project = tiny.create(
        tmp_path / "project",
        conftest=WATCHING.replace("LINES", repr(str(lines))).replace("MARK", strays.VARIABLE),
        test_it=CHECKS.replace("COUNT", str(count)),
    )
    tiny.accept(project, *(f"test_it.py::test_paced[{number}]" for number in range(count)))
    found = report(project, "--loaderperf", timeout=None)
    verdicts = set(found.run.verdicts.values())
    assert len(found.run.verdicts) == count
    assert verdicts <= {"unchanged", "inconclusive"}, found.run.output
    after = [json.loads(line) for line in lines.read_text().splitlines()]
    tenth = max(1, count // 10)
    first, last = after[tenth:][:tenth], after[-tenth:]
    middle = {
        (name, when): statistics.median(each[name] for each in part)
        for name in ("memory", "files", "threads", "children")
        for when, part in (("first", first), ("last", last))
    }
    seconds = [later["time"] - earlier["time"] for earlier, later in pairwise(after)]
    early, late = (statistics.median(part) for part in (seconds[:tenth], seconds[-tenth:]))
    growth = (middle["memory", "last"] - middle["memory", "first"]) / (count - 2 * tenth)
    for name, value in (
        *((f"{name}, {when}", value) for (name, when), value in middle.items()),
        ("bytes a check", growth), ("seconds, first", early), ("seconds, last", late),
    ):  # fmt: skip
        record_property(name, round(value, 2))
        print(f"{name}: {value:,.2f}")
    for name in ("files", "threads", "children"):
        assert middle[name, "last"] <= middle[name, "first"]
    assert growth < LARGEST
    assert late < 1.5 * early
