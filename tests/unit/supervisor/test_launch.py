"""What an arm gets of the configuration of the run."""

from __future__ import annotations

import pytest

from pytest_loaderperf.supervisor.launch import _blocked


@pytest.mark.parametrize(
    ("plugins", "blocked"),
    [
        (["no:a", "b"], ["no:a"]),
        (["no:a", "a"], []),  # blocked by the ini file, asked for on the command line
        (["a", "no:a"], ["no:a"]),
        ([], []),
        (None, []),
    ],
)
def test_a_plugin_is_blocked_if_that_was_said_last(plugins: object, blocked: list[str]) -> None:
    assert _blocked(plugins) == blocked
