"""The environment of the programs that tests start."""

from __future__ import annotations

import os

# Who commits, and no settings of whoever runs the tests: the one place that says so.
GIT = {
    **{
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Test"), ("EMAIL", "test@example.org"))
    },
    "GIT_CONFIG_GLOBAL": os.devnull,
}

PLAIN = "-p no:hypothesispytest -p no:anyio -p no:randomly"


def clean(**more: str) -> dict[str, str]:
    """The environment without what the outer pytest and the user's git put into it, and ``more``.

    Every process would spend a second on importing Hypothesis and Trio, which no project here uses.
    Checks run in the order in which they are written. All are measured, also those of which nothing
    differs; of those that got worse nobody looks where the time went.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "GIT_", "COV_"))
    }
    return {
        **kept,
        **GIT,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_ADDOPTS": f"{PLAIN} --loaderperf-always --loaderperf-why=never",
        **more,
    }
