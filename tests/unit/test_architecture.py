"""The layout of the package, as docs/architecture.md and pyproject.toml have it."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "pytest_loaderperf"
MODULES = sorted(PACKAGE.rglob("*.py"))
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
STEPS = PAGE[PAGE.index("## The story of one check") : PAGE.index("## Glossary")]
NAMED = re.findall(r"`([\w/]+\.py)` → `([\w.]+)`", STEPS)


def defined(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    """The classes, methods and functions of a module, with the names of their classes."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from defined(node.body, f"{node.name}.")


def test_the_story_has_ten_steps_that_name_their_files() -> None:
    steps = re.split(r"^\d+\. ", STEPS, flags=re.MULTILINE)[1:]
    assert len(steps) == 10
    assert all("→" in step for step in steps)
    assert len(NAMED) == STEPS.count(".py`")


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_story_is_true(file: str, name: str) -> None:
    assert name in set(defined(ast.parse((PACKAGE / file).read_text("utf-8")).body))


def test_every_room_is_on_the_page_and_says_what_it_holds() -> None:
    rooms = {path.parent for path in MODULES} - {PACKAGE, PACKAGE / "loaders" / "kinds"}
    named = {str(room.relative_to(PACKAGE)) for room in rooms}
    assert named == set(re.findall(r"^\| `([\w/]+)/`", PAGE, re.MULTILINE))
    for room in rooms:
        assert ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8")))


def test_rooms_and_modules_are_of_a_size_to_be_read() -> None:
    per_room = Counter(path.parent for path in MODULES)
    assert max(per_room.values()) <= 13
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert max(lines.values()) <= 400
    short = [path for path in MODULES if lines[path] < 50 and path.name != "__init__.py"]
    assert len(short) < 10, short


def test_no_two_classes_have_one_name() -> None:
    classes = Counter(
        node.name
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in classes.items() if count > 1] == []


# --- the layers


def contracts(folder: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of the package in a folder."""
    linter = "from importlinter.cli import lint_imports_command as run; run()"
    return subprocess.run(
        [sys.executable, "-c", linter, "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the package, and of the contracts."""
    shutil.copytree(PACKAGE, tmp_path / "src" / PACKAGE.name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_dependencies_point_one_way_without_an_exception(copied: Path) -> None:
    run = contracts(copied)
    assert run.returncode == 0, run.stdout
    assert "3 kept, 0 broken" in run.stdout
    assert "ignore_imports" not in (copied / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("stats/sequential.py", "from ..baselines import store"),
        ("arm/fixture.py", "from ..stats import comparison"),
        ("measure/turns.py", "from ..loaders import recognise"),
    ],
)
def test_a_dependency_that_points_the_other_way_is_found(
    copied: Path, module: str, line: str
) -> None:
    file = copied / "src" / PACKAGE.name / module
    text = file.read_text("utf-8")
    file.write_text(text.replace("annotations\n", f"annotations\n\n{line}\n", 1), "utf-8")
    assert contracts(copied).returncode == 1


def test_a_room_that_no_layer_has_is_found(copied: Path) -> None:
    room = copied / "src" / PACKAGE.name / "attic"
    room.mkdir()
    (room / "__init__.py").write_text('"""What nobody needs."""\n')
    assert contracts(copied).returncode != 0
