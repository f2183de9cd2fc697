"""The table of options: what it says is what pytest knows, and what the settings read."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import get_args

import pytest

from pytest_loaderperf.model.metrics import METRICS
from pytest_loaderperf.options import OPTIONS, TOLERANCES, UPDATES, Option, Update
from pytest_loaderperf.settings import MARKER_ARGUMENTS, RunSettings


def test_every_option_has_a_name_of_its_own() -> None:
    assert max(Counter(option.key for option in OPTIONS).values()) == 1
    assert all(option.name.isidentifier() or not option.name for option in OPTIONS)


@pytest.mark.parametrize(
    ("name", "key", "switch"),
    [
        ("budget", "loaderperf_budget", "--loaderperf-budget"),
        ("baseline_python", "loaderperf_baseline_python", "--loaderperf-baseline-python"),
    ],
)
def test_every_name_carries_the_prefix(name: str, key: str, switch: str) -> None:
    option = Option(name, "help")
    assert (option.key, option.switch) == (key, switch)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_an_option_can_be_set_somewhere_and_says_how(option: Option) -> None:
    assert option.command_line or option.ini
    assert option.help
    assert bool(option.metavar) is (option.command_line and not option.flag)


def test_every_metric_has_a_tolerance_that_can_be_set() -> None:
    assert list(TOLERANCES) == list(METRICS)
    assert TOLERANCES.keys() <= {option.name for option in OPTIONS if option.ini}
    assert TOLERANCES.keys() <= set(MARKER_ARGUMENTS)


def test_help_tells_the_default_tolerances() -> None:
    helps = {option.name: option.help for option in OPTIONS}
    assert all(default in helps[name] for name, default in TOLERANCES.items())
    assert all(name in helps["metrics"] for name in METRICS)


def test_the_update_modes_are_those_of_the_type() -> None:
    assert get_args(Update) == UPDATES


def test_every_option_is_read_into_the_settings() -> None:
    known = RunSettings()
    for option in OPTIONS:
        assert option.name in MARKER_ARGUMENTS or hasattr(known, option.name) or option.asks


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_pytest_knows_every_option(option: Option, pytestconfig: pytest.Config) -> None:
    def on_command_line() -> bool:
        try:
            pytestconfig.getoption(option.key)
        except ValueError:
            return False
        return True

    def in_ini() -> bool:
        try:
            pytestconfig.getini(option.key)
        except ValueError:
            return False
        return True

    assert (on_command_line(), in_ini()) == (option.command_line, option.ini)


def test_pytest_shows_every_option_in_its_help() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--help", "-c", "/dev/null"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    words = set(run.stdout.replace("=", " ").replace("[", " ").split())
    switches = {option.switch for option in OPTIONS if option.command_line}
    assert {"--loaderperf", "--loaderperf-update"} <= switches <= words
    assert {option.key for option in OPTIONS if option.ini} <= {
        word for line in run.stdout.splitlines() for word in line.split()[:1]
    }
    assert "%%" not in run.stdout


def test_what_an_option_excludes_is_an_option() -> None:
    names = {option.name for option in OPTIONS}
    for option in OPTIONS:
        assert names.issuperset(option.excludes)
        assert bool(option.nature) is bool(option.excludes)
