"""Other plugins that are installed and active: a check is what it is without them."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.fault import report
from support import tiny
from support.project import Project

# Each version leaves its trials' random numbers, and says whether anything traces it.
CHECKS = """\
import random, sys
import paced

class Telling(paced.Paced):
    def __iter__(self):
        assert sys.gettrace() is None and sys.getprofile() is None
        assert "coverage" not in sys.modules or not tool()
        with open("/".join([FOLDER, "seeds"]), "a") as seeds:
            print(random.random(), file=seeds)
        return super().__iter__()

def tool():
    return hasattr(sys, "monitoring") and sys.monitoring.get_tool(sys.monitoring.COVERAGE_ID)

def test_sound(loaderperf):
    loaderperf.check(Telling())

def test_fails(loaderperf):
    raise OSError("once")

def test_slower(loaderperf):
    perf = loaderperf(Telling())
    assert perf.throughput >= 10**9
"""
PLUGINS = {
    "pytest_cov": ("--cov=.", "--cov-report="),
    "pytest_randomly": (),
    "pytest_timeout": ("--timeout=2",),
    "pytest_rerunfailures": ("--reruns=2",),
    "pytest_asyncio": ("--asyncio-mode=auto",),
}

MODULES = {"pytest_cov": "pytest_cov.plugin", "pytest_asyncio": "pytest_asyncio.plugin"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    checks = CHECKS.replace("FOLDER", repr(str(tmp_path)))
    project = tiny.create(tmp_path / "project", test_it=checks)
    tiny.accept(project, "test_it.py::test_sound")
    return project


@pytest.mark.parametrize("plugins", [*([name] for name in PLUGINS), list(PLUGINS)], ids=" ".join)
def test_plugin_that_is_active(project: Project, plugins: list[str]) -> None:
    for name in plugins:
        pytest.importorskip(name)
    arguments = [argument for name in plugins for argument in PLUGINS[name]]
    enabled = [part for name in plugins for part in ("-p", MODULES.get(name, name))]
    found = report(
        project,
        "--loaderperf",
        *([] if len(plugins) > 1 else ["-k", "not sound"]),
        "--loaderperf-budget=24",
        *enabled,
        *arguments,
        environment={
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "-p pytest_loaderperf.plugin -p pytest_benchmark.plugin",
            "COVERAGE_FILE": str(project.root.parent / "coverage"),
        },
    )
    verdicts = {name: check["verdict"] for name, check in found.checks.items()}
    if len(plugins) > 1:
        assert verdicts["test_sound"] in ("unchanged", "inconclusive"), found.run.output
    assert (verdicts["test_fails"], verdicts["test_slower"]) == ("error", "no_baseline")
    assert "OSError: once" in found.texts["test_fails"]
    assert ">= 1,000,000,000 samples/s is false" in found.texts["test_slower"]
    assert found.run.status == 1
    assert found.run.output.count("FAILED ") == 2


def test_both_versions_get_the_random_numbers_of_one_seed(project: Project) -> None:
    pytest.importorskip("pytest_randomly")
    run = project.pytest(
        "--loaderperf",
        "--loaderperf-budget=24",
        "-k",
        "sound",
        environment={"PYTEST_ADDOPTS": "-p no:hypothesispytest"},
    )
    assert run.verdicts["test_it.py::test_sound"] in ("unchanged", "inconclusive"), run.output
    seeds = (project.root.parent / "seeds").read_text().split()
    assert len(seeds) > 4
    assert len(set(seeds)) == 1


def test_xdist_is_a_usage_error(project: Project) -> None:
    pytest.importorskip("xdist")
    tiny.assert_usage_error(project, "-n", "2", says=["--loaderperf cannot run under xdist (-n)"])


def test_without_the_cache_nothing_is_written(project: Project) -> None:
    report(project, "--loaderperf", "-p", "no:cacheprovider", "-k", "fails")
    assert not (project.root / ".pytest_cache").exists()
