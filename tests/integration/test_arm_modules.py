"""What an arm and its trials have imported: every trial has it all in its memory."""

from __future__ import annotations

import json
from pathlib import Path

from support import tiny

MODULES = """\
import json, pathlib, sys
import paced

def test_paced(loaderperf):
    loaderperf(paced.Paced())
    pathlib.Path({file!r}).write_text(json.dumps(sorted(sys.modules)))
"""
HEAVY = {"scipy", "jinja2", "psutil", "torch", "tensorflow", "pickle"}
NOT_FOR_ARMS = {
    f"pytest_loaderperf.{room}"
    for room in ("session.run", "check", "measure", "supervisor", "baselines", "versions", "stats")
}


def test_a_trial_imports_nothing_that_judges_stores_or_reports(tmp_path: Path) -> None:
    file = tmp_path / "modules"
    project = tiny.create(tmp_path / "project", git=False, test_it=MODULES.format(file=str(file)))
    project.pytest("--loaderperf")
    modules = set(json.loads(file.read_text()))
    assert {"pytest_loaderperf.arm.driver", "pytest_loaderperf.reports.explain"} <= modules
    reports = {name for name in modules if name.startswith("pytest_loaderperf.reports.")}
    assert reports == {"pytest_loaderperf.reports.explain"}
    assert modules & (HEAVY | NOT_FOR_ARMS) == set()
    # The run is told `-p no:hypothesispytest`: what is blocked is not imported first.
    assert "_hypothesis_pytestplugin" not in modules
