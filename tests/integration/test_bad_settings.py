"""Settings that make no sense are usage errors that name the setting and what it accepts."""

from __future__ import annotations

import importlib.util

import pytest

from support import tiny
from support.project import Project

MARKERS = {
    "batchsizes=[1]": ["batchsizes=[1]", "accepted are batch_sizes, metrics, budget, step_time"],
    "[32, 64]": ["[32, 64] is given without a name", "batch_sizes=[32, 64]"],
    "batch_sizes='32'": ["batch_sizes='32'", "a list of positive integers"],
    "batch_sizes=[32, 0]": ["batch_sizes=[32, 0]", "a list of positive integers"],
    "batch_sizes=[32]": ["the marker gives batch_sizes", "has an argument batch_size"],
    "throughput='ten'": ["throughput='ten'", "a tolerance such as '10%'"],
    "peak_memory=8": ["peak_memory=8", "a tolerance is a string"],
    "budget='soon'": ["budget='soon'", "a duration such as '60s'"],
    "metrics=['speed']": ["metrics=['speed']", "metrics are some of throughput, peak_memory"],
}
OPTIONS = {
    "throughput=ten": "a tolerance such as '10%'",
    "peak_memory=8 apples": "a tolerance such as '5%+8MiB'",
    "budget=soon": "a duration such as '60s'",
    "trials=fast": "give auto, fork or fresh",
    "tests=yours": "give mine or theirs",
}
INI_ONLY = {
    "drift=much": "a fraction such as '10%'",
    "strict=perhaps": "invalid truth value 'perhaps'",
}


@pytest.mark.parametrize("arguments", MARKERS)
def test_wrong_marker_is_a_usage_error(measuring: Project, arguments: str) -> None:
    check = tiny.CHECK.replace("def ", f"@pytest.mark.loaderperf({arguments})\ndef ")
    measuring.write(test_it="import pytest\n" + check)
    try:
        tiny.assert_usage_error(measuring, says=["test_it.py::test_paced: ", *MARKERS[arguments]])
    finally:
        measuring.write(test_it=tiny.CHECK)


@pytest.mark.parametrize("setting", OPTIONS)
def test_wrong_option_is_a_usage_error(measuring: Project, setting: str) -> None:
    name, _, value = setting.partition("=")
    switch = f"--loaderperf-{name.replace('_', '-')}"
    tiny.assert_usage_error(measuring, f"{switch}={value}", says=[switch, value, OPTIONS[setting]])


@pytest.mark.parametrize("setting", ["throughput=ten", *INI_ONLY])
def test_wrong_ini_value_is_a_usage_error(measuring: Project, setting: str) -> None:
    name, _, value = setting.partition("=")
    says = [f"ini loaderperf_{name}", value, (OPTIONS | INI_ONLY)[setting]]
    tiny.assert_usage_error(measuring, "-o", f"loaderperf_{name}={value}", says=says)


def test_wrong_update_mode_is_a_usage_error(measuring: Project) -> None:
    says = ["--loaderperf-update=nonsense: give new, changed or all"]
    tiny.assert_usage_error(measuring, "--loaderperf-update=nonsense", says=says)


def test_baseline_python_that_does_not_exist_is_a_usage_error(measuring: Project) -> None:
    option = "--loaderperf-baseline-python=no/such/python"
    tiny.assert_usage_error(measuring, option, says=[option, "the path of a Python interpreter"])


def test_commit_without_git_is_a_usage_error(measuring: Project) -> None:
    says = ["--loaderperf-against=v1.0 needs git", str(measuring.root), "against=stored"]
    tiny.assert_usage_error(measuring, "--loaderperf-against=v1.0", says=says)


def test_xdist_is_a_usage_error(measuring: Project) -> None:
    measuring.write(
        like_xdist="""\
def pytest_addoption(parser):
    parser.getgroup("xdist")._addoption("-n", "--numprocesses", type=int)
"""
    )
    says = ["--loaderperf cannot run under xdist (-n)", "measure each other"]
    plugin = () if importlib.util.find_spec("xdist") else ("-p", "like_xdist")
    tiny.assert_usage_error(measuring, *plugin, "-n", "2", says=says)
