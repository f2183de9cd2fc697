"""What the text of a Python file says."""

from __future__ import annotations

import pytest

from pytest_loaderperf.versions.source_text import read


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
