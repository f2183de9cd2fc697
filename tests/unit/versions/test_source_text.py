"""What the text of a Python file says."""

from __future__ import annotations

import pytest

from pytest_loaderperf.versions.source_text import needs_numbers, read


@pytest.mark.parametrize(
    ("code", "wraps"),
    [
        ("@pytest.fixture\ndef loaderperf(loaderperf): ...\n", True),
        ("@pytest.fixture(autouse=True)\ndef budget(loaderperf): ...\n", True),
        ("@fixture\ndef budget(*, loaderperf): ...\n", True),
        ("@pytest.fixture\ndef rows(): ...\n", False),
        ("def test_it(loaderperf): ...\n", False),
    ],
)
def test_a_fixture_around_that_of_the_plugin_is_seen(code: str, *, wraps: bool) -> None:
    assert read(code).wraps is wraps


def test_what_documents_code_names_no_module() -> None:
    text = read('"""Of old."""\n\ndef f():\n    "as in other"\n    return "kept"\n')
    assert text.strings == ("kept",)
    assert {"old", "other", "kept"} <= text.words


# --- which tests need numbers: in doubt all do

PLAIN = {
    "check": "def test_a(loaderperf):\n    loaderperf.check(loader())\n",
    "result": "def test_a(loaderperf, loader):\n    perf = loaderperf(loader)\n",
    "compared": (
        "def test_a(loaderperf):\n    perf = loaderperf(loader())\n"
        "    assert perf.throughput >= perf.baseline.throughput\n"
        "    assert perf.peak_memory <= perf.baseline.peak_memory, 'more'\n"
    ),
    "class": "class TestIt:\n    def test_a(self, loaderperf):\n        loaderperf.check(1)\n",
    "decorated": (
        "@pytest.mark.loaderperf(batch_sizes=[1])\ndef test_a(loaderperf, batch_size):\n"
        "    x = make(batch_size)\n    assert x.ready\n    loaderperf(x, samples=len)\n"
    ),
}
NEEDING = {
    "budget": "def test_a(loaderperf):\n    assert loaderperf(1).throughput >= 100\n",
    "budget of a result": (
        "def test_a(loaderperf):\n    perf = loaderperf(1)\n    assert perf.throughput >= 100\n"
    ),
    "value": "def test_a(loaderperf):\n    perf = loaderperf(1)\n    print(perf.stall.value)\n",
    "verdict": "def test_a(loaderperf):\n    perf = loaderperf(1)\n    assert perf.verdict\n",
    "variants": "def test_a(loaderperf):\n    loaderperf.compare({'a': a, 'b': b})\n",
    "helper": "def test_a(loaderperf):\n    perf = loaderperf(1)\n    judge(perf)\n",
    "handed on": "def test_a(loaderperf):\n    judge(loaderperf)\n",
    "returned": "def test_a(loaderperf):\n    return loaderperf(1)\n",
    "other metric": (
        "def test_a(loaderperf):\n    perf = loaderperf(1)\n"
        "    assert perf.throughput >= perf.baseline.cpu_time\n"
    ),
    "arithmetic": (
        "def test_a(loaderperf):\n    perf = loaderperf(1)\n"
        "    assert perf.throughput >= perf.baseline.throughput.value * 2\n"
    ),
    "chained": (
        "def test_a(loaderperf):\n    perf = loaderperf(1)\n"
        "    assert 7 <= perf.throughput <= perf.baseline.throughput\n"
    ),
    "of a tuple": "def test_a(loaderperf):\n    a, b = loaderperf(1), 2\n",
    "of an attribute": "def test_a(self, loaderperf):\n    self.perf = loaderperf(1)\n",
    "walrus": "def test_a(loaderperf):\n    assert (p := loaderperf(1)) and p.throughput > 5\n",
    "another name": "def test_a(loaderperf):\n    p = loaderperf\n    assert p(1).stall < 1\n",
    "in a fixture": "def test_a(perf):\n    assert perf.throughput >= 5\n",
    "twice": "def test_a(loaderperf):\n    loaderperf(1)\n    loaderperf(1)\n",
    "not there": "test_a = made\n",
    "defined twice": "def test_a(loaderperf):\n    loaderperf(1)\n" * 2,
    "not Python": "def test_a(loaderperf:\n",
}


@pytest.mark.parametrize("source", PLAIN.values(), ids=PLAIN)
def test_who_only_compares_needs_none(source: str) -> None:
    names = ["TestIt", "test_a"] if "TestIt" in source else ["test_a"]
    assert not needs_numbers(source, names)


@pytest.mark.parametrize("source", NEEDING.values(), ids=NEEDING)
def test_who_may_look_at_a_number_needs_it(source: str) -> None:
    assert needs_numbers(source, ["test_a"])


def test_a_test_is_found_in_its_class() -> None:
    other = (
        "class TestB:\n    def test_a(self, loaderperf):\n        assert loaderperf(1).stall < 1\n"
    )
    source = PLAIN["class"] + other
    assert not needs_numbers(source, ["TestIt", "test_a"])
    assert needs_numbers(source, ["TestB", "test_a"])
    assert needs_numbers(source, ["TestC", "test_a"])
