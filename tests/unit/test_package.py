"""The package: its public names, and how little of it a plain `pytest` imports."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path

import pytest

import pytest_loaderperf
from pytest_loaderperf.arm.fixture import LoaderPerf
from pytest_loaderperf.arm.perf import Asked, Perf
from pytest_loaderperf.model.metrics import METRICS

HOMES = {
    "BaselineValue": "arm.perf",
    "DataFolder": "data",
    "InconclusiveWarning": "errors",
    "LoaderPerf": "arm.fixture",
    "LoaderPerfError": "errors",
    "Measured": "arm.perf",
    "Perf": "arm.perf",
    "Ratio": "arm.variants",
    "Relation": "model.results",
    "Variants": "arm.variants",
    "Verdict": "model.results",
}
PUBLIC = [*HOMES, "__version__"]
HEAVY = {"numpy", "scipy", "psutil", "torch", "tensorflow"}
FOR_RUNS_ONLY = {
    f"pytest_loaderperf.{name}" for name in ("protocol", "model", "check", "arm", "session.run")
}


def modules_after(code: str) -> set[str]:
    """The modules that a fresh process has imported after some code."""
    code = f"{code}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stderr
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_the_public_names_are_these() -> None:
    assert pytest_loaderperf.__all__ == PUBLIC
    assert set(PUBLIC) == set(dir(pytest_loaderperf))


def test_what_tests_are_given_shows_nothing_but_its_purpose() -> None:
    perf = Perf(Asked.probe())
    shown = {name for name in dir(perf) if not name.startswith("_")}
    assert shown == {"baseline", "verdict", *METRICS}
    assert {name for name in dir(perf.baseline) if not name.startswith("_")} == {*METRICS}
    fixture = {name for name in dir(LoaderPerf) if not name.startswith("_")}
    assert fixture == {"check", "check_samples", "compare"}


@pytest.mark.parametrize(("name", "home"), HOMES.items())
def test_a_public_name_is_imported_when_it_is_asked_for(name: str, home: str) -> None:
    module = import_module(f"pytest_loaderperf.{home}")
    assert getattr(pytest_loaderperf, name) is getattr(module, name)


def test_all_public_names_can_be_imported_at_once() -> None:
    names: dict[str, object] = {}
    exec("from pytest_loaderperf import *", names)
    assert set(PUBLIC) <= names.keys()


@pytest.mark.parametrize("name", ["Loader", "nonsense", "__path_to_nowhere__"])
def test_another_name_is_an_attribute_error_like_any(name: str) -> None:
    message = f"module 'pytest_loaderperf' has no attribute '{name}'"
    with pytest.raises(AttributeError, match=message):
        getattr(pytest_loaderperf, name)
    assert not hasattr(pytest_loaderperf, name)
    with pytest.raises(ImportError, match=name):
        exec(f"from pytest_loaderperf import {name}")


def test_the_version_is_that_of_the_distribution() -> None:
    assert pytest_loaderperf.__version__ == metadata.version("pytest-loaderperf")


def test_pytest_finds_the_plugin() -> None:
    (entry,) = metadata.entry_points(group="pytest11", name="loaderperf")
    assert entry.value == "pytest_loaderperf.plugin"


def test_types_are_shipped() -> None:
    assert Path(pytest_loaderperf.__file__).with_name("py.typed").exists()


@pytest.mark.parametrize("name", ["pytest_loaderperf", "pytest_loaderperf.plugin"])
def test_importing_the_plugin_imports_nothing_heavy(name: str) -> None:
    modules = modules_after(f"import {name}")
    assert name in modules
    assert (HEAVY | FOR_RUNS_ONLY) & modules == set()


def test_an_arm_imports_nothing_heavy() -> None:
    # It is started several times in a run, and each of its trials has what it has imported.
    modules = modules_after("import pytest_loaderperf.arm.__main__")
    assert "pytest_loaderperf.reports.explain" in modules
    assert HEAVY & modules == set()


def test_a_run_imports_statistics_when_it_decides() -> None:
    # Many runs measure nothing: of unchanged code, or to collect.
    modules = modules_after("import pytest_loaderperf.session.run")
    assert "pytest_loaderperf.check.runner" in modules
    assert {"numpy", "scipy", "jinja2"} & modules == set()
    decides = "from pytest_loaderperf.stats import sequential; sequential.quantile(0.95, 3)"
    modules = modules_after(decides)
    assert "scipy.special" in modules
    assert {"scipy.stats", "scipy.optimize"} & modules == set()


def test_importing_the_package_does_not_import_pytest() -> None:
    assert "pytest" not in modules_after("import pytest_loaderperf")


def test_a_plain_run_imports_nothing_heavy(tmp_path: Path) -> None:
    # Not even of a file with checks, which may import a framework.
    (tmp_path / "test_check.py").write_text(
        "import numpy\ndef test_a(loaderperf): pass\nclass TestB:\n"
        "    def test_c(self, loaderperf): pass\n"
    )
    (tmp_path / "test_other.py").write_text("def test_b(): pass\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:benchmark", "-p", "no:hypothesispytest"]
    modules = modules_after(
        f"import os, pytest\nos.chdir({str(tmp_path)!r})\nassert pytest.main({options!r}) == 0"
    )
    assert "pytest_loaderperf.plugin" in modules
    assert (HEAVY | FOR_RUNS_ONLY) & modules == set()


@pytest.mark.parametrize("module", ["check.runner", "session.run", "supervisor.arm"])
def test_the_coordinator_imports_no_framework(module: str) -> None:
    modules = modules_after(f"import pytest_loaderperf.{module}")
    assert {"torch", "tensorflow", "keras", "jax"} & modules == set()
