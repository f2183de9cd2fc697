"""Lock files: what they pin for this Python, of what the project needs or the environment has."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_loaderperf.environments.locks import Target
from pytest_loaderperf.environments.requirements import Home, Requirements, read
from pytest_loaderperf.errors import PackagesError

UV = """\
version = 1
revision = 3
requires-python = ">=3.10"

[[package]]
name = "project"
source = { editable = "." }
dependencies = [
    { name = "direct", extra = ["fast"] },
    { name = "of-old", marker = "python_full_version < '3.9'" },
    { name = "forked", version = "1.0", marker = "python_full_version < '3.11'" },
    { name = "forked", version = "2.0", marker = "python_full_version >= '3.11'" },
    { name = "member" },
]

[package.optional-dependencies]
more = [{ name = "of-extra" }, { name = "there" }]

[package.dev-dependencies]
dev = [{ name = "of-dev" }]
docs = [{ name = "of-docs" }]

[[package]]
name = "member"
source = { directory = "packages/member" }
dependencies = [{ name = "of-member" }]

[[package]]
name = "direct"
version = "1.1"
source = { registry = "x" }
dependencies = [{ name = "deeper" }]

[package.optional-dependencies]
fast = [{ name = "of-fast" }]
"""
for name, source in {
    "deeper": 'registry = "x"', "of-fast": 'registry = "x"', "of-old": 'registry = "x"',
    "of-extra": 'registry = "x"', "there": 'registry = "x"', "of-dev": 'registry = "x"',
    "of-docs": 'registry = "x"',
    "of-member": 'git = "https://x/m.git?rev=main#abc"',
}.items():  # fmt: skip
    UV += f'\n[[package]]\nname = "{name}"\nversion = "3"\nsource = {{ {source} }}\n'
for version in ("1.0", "2.0"):
    UV += f'\n[[package]]\nname = "forked"\nversion = "{version}"\nsource = {{ registry = "x" }}\n'

POETRY = """\
[[package]]
name = "plain"
version = "1"
optional = false
groups = ["main", "dev"]
markers = {main = "python_version < '3.9'", dev = "python_version >= '3.10'"}

[[package]]
name = "of-old"
version = "1"
optional = false
markers = "python_version < '3.9'"

[[package]]
name = "of-extra"
version = "1"
optional = true

[[package]]
name = "There"
version = "2"
optional = true

[[package]]
name = "of-git"
version = "3"
optional = false

[package.source]
type = "git"
url = "https://x/g.git"
reference = "main"
resolved_reference = "abc"

[[package]]
name = "beside"
version = "3"
optional = false

[package.source]
type = "directory"
url = "../beside"

[metadata]
lock-version = "2.1"
"""
POETRY_1 = """\
[[package]]
name = "direct"
version = "1"
optional = false

[package.dependencies]
of-windows = {version = "*", markers = "sys_platform == \\"win32\\""}
Plain = [
    {version = ">=1", markers = "python_version < \\"3.9\\""},
    {version = ">=2", markers = "python_version >= \\"3.9\\""},
]

[[package]]
name = "of-windows"
version = "1"
optional = false

[package.dependencies]
deeper = "*"

[[package]]
name = "deeper"
version = "1"
optional = false

[[package]]
name = "plain"
version = "2"
optional = false

[metadata]
lock-version = "2.0"
"""
STANDARD = """\
lock-version = "1.0"
created-by = "x"

[[packages]]
name = "plain"
version = "1"
marker = "python_version >= '3.10'"

[[packages]]
name = "of-old"
version = "1"
marker = "python_version < '3.9'"

[[packages]]
name = "of-extra"
version = "1"
marker = "'more' in extras"

[[packages]]
name = "of-git"
vcs = { type = "git", url = "https://x/g.git", commit-id = "abc" }

[[packages]]
name = "packed"
archive = { url = "https://x/p.tar.gz" }

[[packages]]
name = "project"
directory = { path = ".", editable = true }
"""


def locked(tmp_path: Path, text: str, name: str, python: str = "3.11.7") -> Requirements:
    (tmp_path / name).write_text(text)
    target = Target(python=python, there=frozenset({"there"}))
    return read(tmp_path / name, name, Home(root=tmp_path, top=tmp_path), target)


def test_of_uv_what_the_project_needs_here_and_what_is_there(tmp_path: Path) -> None:
    asked = locked(tmp_path, UV, "uv.lock")
    assert asked.lines == (
        "deeper==3",
        "direct==1.1",
        "forked==2.0",
        "of-dev==3",
        "of-fast==3",
        "of-member @ git+https://x/m.git@abc",
        "there==3",
    )
    assert asked.left_out == ("member",)
    assert "forked==1.0" in locked(tmp_path, UV, "uv.lock", "3.10.1").lines


def test_of_poetry_all_but_what_is_optional(tmp_path: Path) -> None:
    asked = locked(tmp_path, POETRY, "poetry.lock")
    assert asked.lines == ("plain==1", "There==2", "of-git @ git+https://x/g.git@abc")
    assert asked.left_out == ("beside",)


def test_of_an_older_poetry_nothing_that_only_other_systems_need(tmp_path: Path) -> None:
    assert locked(tmp_path, POETRY_1, "poetry.lock").lines == ("direct==1", "plain==2")
    there = POETRY_1.replace("deeper", "there")
    assert "there==1" in locked(tmp_path, there, "poetry.lock").lines


def test_of_a_standard_lock_what_its_markers_say(tmp_path: Path) -> None:
    asked = locked(tmp_path, STANDARD, "pylock.toml")
    assert asked.lines == (
        "plain==1",
        "of-git @ git+https://x/g.git@abc",
        "packed @ https://x/p.tar.gz",
    )
    assert asked.left_out == ("project",)


def test_a_lock_is_known_by_what_it_holds(tmp_path: Path) -> None:
    assert locked(tmp_path, POETRY, "before.txt").lines[0] == "plain==1"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('version = 1\n[[package]]\nversion = "1"\n', "is damaged"),
        (POETRY.replace("python_version < '3.9'\"", 'of a kind"', 1), "cannot be read"),
        ('lock-version = "1.0"\npackages = []\n', "asks for no package"),
        ("version = 1\n", "of a known kind"),
    ],
)
def test_a_damaged_lock_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(PackagesError, match=f"old.lock.* {says}"):
        locked(tmp_path, text, "old.lock")
