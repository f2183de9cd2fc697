"""What an arm gets of the configuration of the run."""

from __future__ import annotations

import pytest

from pytest_loaderperf.supervisor.launch import _plugins


@pytest.mark.parametrize(
    ("plugins", "said"),
    [
        (["no:a", "b"], ["no:a", "b"]),
        (["no:a", "a"], ["a"]),  # blocked by the ini file, asked for on the command line
        (["a", "no:a"], ["no:a"]),
        ([], []),
        (None, []),
    ],
)
def test_a_plugin_is_plugins_if_that_was_said_last(plugins: object, said: list[str]) -> None:
    assert _plugins(plugins) == said
