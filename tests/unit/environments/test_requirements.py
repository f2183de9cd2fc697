"""Requirements files: what is read of them, what is left out, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_loaderperf.environments.locks import Target
from pytest_loaderperf.environments.requirements import Home, Requirements, find, name_of, read
from pytest_loaderperf.errors import PackagesError

TARGET = Target(python="3.11.7", there=frozenset({"there"}))


def read_of(root: Path, text: str, name: str = "old.txt", top: Path | None = None) -> Requirements:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
    home = Home(root=root, top=top or root, names=frozenset({"my-project"}))
    return read(root / name, name, home, TARGET)


def test_lines_are_joined_and_lose_their_comments(tmp_path: Path) -> None:
    asked = read_of(
        tmp_path,
        "# all\n\na==1 \\\n    --hash=sha256:0 # why\nb>=2; python_version > '3'\nc @ https://x/c#egg=c\n",
    )
    assert asked.lines == (
        "a==1      --hash=sha256:0",
        "b>=2; python_version > '3'",
        "c @ https://x/c#egg=c",
    )
    assert asked.names == {"a", "b", "c"}


def test_included_files_count_and_paths_are_absolute(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "lib").mkdir()
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/base.txt").write_text("-r dev.txt\na==1\n")
    (tmp_path / "requirements/most.txt").write_text("b<3\n")
    text = "-r base.txt\n--constraint=most.txt\n-f ../wheels\n./lib[fast]\n-e lib\nb\n"
    asked = read_of(tmp_path, text, "requirements/dev.txt")
    assert asked.lines == (
        "a==1",
        f"--constraint {tmp_path}/requirements/most.txt",
        f"--find-links {tmp_path}/wheels",
        f"{tmp_path}/lib[fast]",
        f"-e {tmp_path}/lib",
        "b",
    )
    assert asked.options == (f"--find-links {tmp_path}/wheels",)
    # What they hold is part of what is asked for.
    (tmp_path / "requirements/most.txt").write_text("b<2\n")
    assert read_of(tmp_path, text, "requirements/dev.txt").text != asked.text


def test_the_project_itself_is_left_out(tmp_path: Path) -> None:
    root = tmp_path / "a/b"
    root.mkdir(parents=True)
    asked = read_of(root, "-e .\n..\n.[dev]\nMy_Project==2\nother\n", top=tmp_path)
    assert asked.lines == ("other",)
    assert asked.left_out == ("-e .", "..", ".[dev]", "My_Project==2")


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("pytest-loaderperf", ""),
        ("pytest_loaderperf[why]>=0.1", ""),
        ("pytest-loaderperf==0.0.9", "pytest-loaderperf==0.0.9"),
        ("pytest-loaderperf @ https://x/y", "pytest-loaderperf @ https://x/y"),
        ("pytest-loaderperf<0.1 --hash=sha256:0", "pytest-loaderperf<0.1 --hash=sha256:0"),
    ],
)
def test_another_version_of_the_plugin_is_noticed(tmp_path: Path, line: str, other: str) -> None:
    asked = read_of(tmp_path, f"a\n{line}\n")
    assert asked.lines == ("a",)
    assert asked.other_guard("0.1.0") == other


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("old.txt", "", "old.txt asks for no package"),
        ("old.txt", "--no-index\n-e .\n", "old.txt asks for no package"),
        ("old.txt", "-r none.txt\n", "none.txt, which old.txt includes, cannot be read (No such"),
        ("old.txt", "-c none.txt\na\n", "none.txt cannot be read"),
        ("uv.lock", "a==1\n", "uv.lock is no lock file that can be read"),
        ("pyproject.toml", "[project]\nname='x'\n", "pyproject.toml is no lock file of a known"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(PackagesError) as raised:
        read_of(tmp_path, text, name)
    assert says in str(raised.value)


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PackagesError, match=r"old\.txt cannot be read \(it is no text\)"):
        read(tmp_path / "old.txt", "old.txt", Home(root=tmp_path, top=tmp_path), TARGET)


def test_the_most_exact_requirements_of_the_first_folder_are_found(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    assert find([inner, tmp_path]) is None
    (tmp_path / "uv.lock").touch()
    assert find([inner, tmp_path]) == tmp_path / "uv.lock"
    (inner / "requirements.txt").touch()
    assert find([inner, tmp_path]) == inner / "requirements.txt"
    (inner / "poetry.lock").touch()
    assert find([inner, tmp_path]) == inner / "poetry.lock"


@pytest.mark.parametrize(
    ("line", "name"),
    [("A_b[c]==1", "a-b"), ("-e .", ""), ("./a", ""), ("git+https://x/a", ""), ("--no-index", "")],
)
def test_a_line_names_a_distribution_or_none(line: str, name: str) -> None:
    assert name_of(line) == name


def test_what_local_files_hold_is_a_part_of_what_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "libs/mine").mkdir(parents=True)
    (tmp_path / "libs/mine/code.py").write_text("1")
    (tmp_path / "a.whl").write_text("1")
    text = "./libs/mine\n./a.whl\nb==1\n"
    before = read_of(tmp_path, text).state
    assert read_of(tmp_path, text).state == before
    for name in ("libs/mine/code.py", "a.whl"):
        (tmp_path / name).write_text("more")
        now = read_of(tmp_path, text).state
        assert now != before
        before = now
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "libs").rename(tmp_path / "elsewhere/libs")
    (tmp_path / "a.whl").rename(tmp_path / "elsewhere/a.whl")
    assert read_of(tmp_path / "elsewhere", text).state != before
