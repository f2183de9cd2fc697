"""Other plugins that are installed and active: a check is what it is without them."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from faults.fault import report
from support import tiny
from support.project import Project
from support.tiny import Report

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
# Beside them: ordinary tests, and checks that end at once.
ORDINARY = """\
def test_ordinary():
    pass
"""
ENDING = """\
import pytest

@pytest.mark.parametrize("size", [8, 16])
def test_sizes(size, loader, loaderperf):
    raise OSError("once")

class TestPhotos:
    def test_photos(self, loaderperf):
        raise OSError("once")
"""
CHECKED = ("test_sizes[8]", "test_sizes[16]", "TestPhotos::test_photos")
MIXED = """\
def test_passes():
    pass

def test_asks(loaderperf):
    raise OSError("once")
"""
LOADER = """\
import pytest

@pytest.fixture
def loader():
    return [1]
"""
# Plugins that look at items, select some, or add to reports, and what has them do so.
WATCHING = {
    "allure-pytest": ("--alluredir=shown",),
    "anyio": (),
    "flaky": (),
    "hypothesis": (),
    "pytest-asyncio": ("--asyncio-mode=auto",),
    "pytest-bdd": (),
    "pytest-check": (),
    "pytest-clarity": (),
    "pytest-console-scripts": (),
    "pytest-cov": ("--cov=.",),
    "pytest-custom-exit-code": (),
    "pytest-dependency": (),
    "pytest-django": (),
    "pytest-doctestplus": ("--doctest-plus", "--doctest-modules"),
    "pytest-durations": ("--pytest-durations=5",),
    "pytest-env": (),
    "pytest-freezer": (),
    "pytest-html": ("--html=page.html",),
    "pytest-instafail": ("--instafail",),
    "pytest-json-report": ("--json-report",),
    "pytest-lazy-fixtures": (),
    "pytest-md-report": ("--md-report",),
    "pytest-memray": ("--memray",),
    "pytest-mock": (),
    "pytest-order": ("--order-dependencies",),
    "pytest-profiling": ("--profile",),
    "pytest-random-order": ("--random-order",),
    "pytest-randomly": (),
    "pytest-regressions": (),
    "pytest-reportlog": ("--report-log=log",),
    "pytest-rerunfailures": ("--reruns=1",),
    "pytest-retry": ("--retries=1",),
    "pytest-socket": ("--disable-socket", "--allow-unix-socket"),
    "pytest-subtests": (),
    "pytest-sugar": (),
    "pytest-testmon": ("--testmon-noselect",),
    "pytest-timeout": ("--timeout=60",),
    "pytest-trio": (),
    "pytest-xdist": (),
    "syrupy": (),
}
NEEDS = {"pytest-html": "pytest-metadata", "pytest-regressions": "pytest-datadir"}

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
        "--loaderperf-always",
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


def loaded(*names: str) -> list[str]:
    """Arguments that load the plugins of some distributions."""
    try:
        points = [each for name in names for each in distribution(name).entry_points]
    except PackageNotFoundError as error:
        pytest.skip(f"needs {error}")
    return [part for each in points if each.group == "pytest11" for part in ("-p", each.value)]


def beside(project: Project, name: str, *arguments: str) -> Report:
    plugins = loaded(*filter(None, [NEEDS.get(name), name]))
    return tiny.report(
        project,
        *plugins,
        *WATCHING.get(name, ()),
        *arguments,
        environment={
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "-p pytest_loaderperf.plugin -p pytest_benchmark.plugin",
        },
    )


@pytest.mark.parametrize("name", WATCHING)
def test_checks_beside_a_plugin_are_tests_like_any_other(tmp_path: Path, name: str) -> None:
    modules = {"test_a": ENDING, "test_b": ORDINARY, "test_mixed": MIXED, "conftest": LOADER}
    project = tiny.create(tmp_path / "project", git=False, **modules)
    plain = beside(project, name)
    assert plain.run.status == 0, plain.run.output
    assert sorted(plain.outcomes.values()) == ["passed"] * 2 + ["skipped"] * 3
    checked = beside(project, name, "--loaderperf")
    assert checked.run.status == 1, checked.run.output
    assert list(checked.run.verdicts.values()) == ["error"] * 4
    assert all("OSError: once" in text for text in checked.texts.values())
    assert "INTERNALERROR" not in plain.run.output + checked.run.output


def test_other_reports_have_each_check_once(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_it=ENDING, conftest=LOADER)
    beside(project, "pytest-reportlog", "--loaderperf")
    lines = map(json.loads, (project.root / "log").read_text().splitlines())
    calls = [each["nodeid"] for each in lines if each.get("when") == "call"]
    assert calls == [f"test_it.py::{name}" for name in CHECKED]
    beside(project, "allure-pytest", "--loaderperf")
    assert len([*(project.root / "shown").glob("*-result.json")]) == len(CHECKED)


def test_each_part_of_split_runs_has_all_of_its_checks(tmp_path: Path) -> None:
    project = tiny.create(tmp_path / "project", git=False, test_it=ENDING, conftest=LOADER)
    parts = [
        beside(project, "pytest-split", "--loaderperf", "--splits=2", f"--group={group}")
        for group in (1, 2)
    ]
    assert sum(len(part.run.verdicts) for part in parts) == 3


def test_coverage_that_must_not_fail_is_a_usage_error(project: Project) -> None:
    pytest.importorskip("pytest_cov")
    arguments = ("--cov=.", "--cov-fail-under=80")
    tiny.assert_usage_error(project, *arguments, says=["--cov-fail-under. Add --no-cov"])
    run = project.pytest("--loaderperf", *arguments, "--no-cov", "-k", "fails")
    assert list(run.verdicts) == ["test_it.py::test_fails"]


def test_both_versions_get_the_random_numbers_of_one_seed(project: Project) -> None:
    pytest.importorskip("pytest_randomly")
    run = project.pytest(
        "--loaderperf",
        "--loaderperf-always",
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
    says = ["--loaderperf cannot run under xdist (-n)", "Add -n 0"]
    tiny.assert_usage_error(project, "-n", "2", says=says)
    run = project.pytest("--loaderperf", "-n", "2", "-n", "0", "-k", "fails")
    assert list(run.verdicts) == ["test_it.py::test_fails"]


def test_without_the_cache_nothing_is_written(project: Project) -> None:
    report(project, "--loaderperf", "-p", "no:cacheprovider", "-k", "fails")
    assert not (project.root / ".pytest_cache").exists()
