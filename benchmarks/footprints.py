"""Does `identical` miss an edit that changes what a loader gives? Random edits of small projects.

    python benchmarks/footprints.py [--edits 2000] [--seed 1]

Each project has a loader that reaches its parts in many ways: imports three files away, inside of a
function, in a process that it starts, by a name in a string or in a configuration file, through a
link, and data of several kinds. After each edit the loader runs, and what it gives is compared with
what it gave before. Where that differs, the footprint must say that something differs. Of edits
that touch what no loader uses, most should be told to be nothing. Printed are both counts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_loaderperf.versions.footprint import SourceTree, conftests, why_measured

# Does what an arm does: conftests from the outside in, the test's folder first on the path.
DRIVER = """\
import importlib.util, json, os, sys, tomllib
module = sys.argv[1]
here = os.getcwd()
folders = module.split("/")[:-1]
sys.path[:0] = [os.path.join(here, *folders), here, os.path.join(here, "src")]
def load(file, name):
    spec = importlib.util.spec_from_file_location(name, file)
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found
for depth in range(len(folders) + 1):
    conftest = os.path.join(here, *folders[:depth], "conftest.py")
    if os.path.exists(conftest):
        load(conftest, f"conftest_{depth}")
with open("pyproject.toml", "rb") as file:
    options = tomllib.load(file).get("tool", {}).get("loader", {})
if os.path.exists(".env"):
    with open(".env") as file:
        os.environ.update(line.strip().split("=", 1) for line in file if "=" in line)
test = load(os.path.join(here, module), "the_test")
used = [each.__file__ for each in list(sys.modules.values()) if getattr(each, "__file__", None)]
try:
    given = repr(list(test.loader(options)))
except BaseException as error:
    given = f"{type(error).__name__}"
print(json.dumps([given, [os.path.relpath(os.path.realpath(each), here) for each in used]]))
"""
UNUSED = {
    "README.md": "A project.\n",
    "docs/guide.md": "Guide.\n",
    "docs/conf_of_docs.py": "VALUE = 1\n",
    ".github/workflows/ci.yml": "on: push\n",
    "scratch/notebook_helper.py": "VALUE = 1\n",
    "scratch/plots.py": "import notebook_helper\nVALUE = 1\n",
    "tests/test_unrelated.py": "VALUE = 1\n",
    "tests/unrelated_part.py": "VALUE = 1\n",
}
PACKAGE = {
    "pyproject.toml": "[tool.loader]\nfactor = 3\n",
    "conftest.py": "import os\nos.environ['TOP'] = '1'\n",
    "tests/conftest.py": "import os\nos.environ['INNER'] = '1'\n",
    "tests/perf/test_it.py": "from shop.loading import loader\n",
    "src/shop/__init__.py": "SCALE = 1\n",
    "src/shop/loading.py": (
        "import os\nfrom . import SCALE, first\n\n"
        "def loader(options):\n    from shop.late import shift\n"
        "    env = [os.environ.get(each) for each in ('TOP', 'INNER', 'MODE')]\n"
        "    yield env, options.get('factor'), SCALE\n"
        "    yield from (shift(each) for each in first.rows())\n"
    ),
    "src/shop/first.py": "from . import second\n\ndef rows():\n    return second.rows()\n",
    "src/shop/second.py": "from .third import VALUE\n\ndef rows():\n    return [VALUE, 2]\n",
    "src/shop/third.py": "VALUE = 1\n",
    "src/shop/late.py": "VALUE = 1\n\ndef shift(row):\n    return row + VALUE\n",
    ".env": "MODE=fast\n",
}
WORKERS = {
    "pyproject.toml": "[tool.loader]\nfactor = 3\n",
    "test_it.py": (
        "import json, subprocess, sys\nfrom pathlib import Path\nHERE = Path(__file__).parent\n\n"
        "def loader(options):\n"
        "    yield (HERE / 'data' / 'rows.csv').read_text()\n"
        "    yield json.loads((HERE / 'data/meta.json').read_text())\n"
        "    command = [sys.executable, str(HERE / 'workers' / 'resize.py')]\n"
        "    yield subprocess.run(command, capture_output=True, text=True).stdout\n"
        "    import linked\n    yield linked.VALUE\n"
        "    command = [sys.executable, '-m', 'started']\n"
        "    yield subprocess.run(\n        command, cwd=HERE / 'vendor', capture_output=True"
        ").stdout\n"
    ),
    "vendor/started.py": "import inside\nprint(inside.VALUE)\n",
    "vendor/inside.py": "VALUE = 1\n",
    "workers/resize.py": "import pixels\nprint(pixels.VALUE)\n",
    "workers/pixels.py": "import colours\nVALUE = colours.VALUE\n",
    "workers/colours.py": "VALUE = 1\n",
    "vendor/real_one.py": "VALUE = 1\n",
    "linked.py": "-> vendor/real_one.py",
    "data/rows.csv": "1,2\n",
    "data/meta.json": '{"rows": 1}\n',
}
PLUGINS = {
    "pyproject.toml": "[tool.loader]\nkind = 'fast'\n",
    "conf/loader.yaml": "target: kinds.slow_kind\n",
    "tests/test_it.py": (
        "from registry import built\n\ndef loader(options):\n    yield from built(options)\n"
    ),
    "registry.py": (
        "import importlib\nfrom pathlib import Path\nHERE = Path(__file__).parent\n\n"
        "def built(options):\n"
        "    yield importlib.import_module('kinds.' + options['kind'] + '_kind').VALUE\n"
        "    text = (HERE / 'conf' / 'loader.yaml').read_text()\n"
        "    yield importlib.import_module(text.split()[-1]).VALUE\n"
        "    for each in sorted((HERE / 'steps').glob('*.py')):\n"
        "        yield importlib.import_module(f'steps.{each.stem}').VALUE\n"
    ),
    "kinds/__init__.py": "",
    "kinds/fast_kind.py": "from helpers import VALUE\n",
    "kinds/slow_kind.py": "VALUE = 2\n",
    "helpers.py": "VALUE = 1\n",
    "steps/__init__.py": "VALUE = 0\n",
    "steps/crop.py": "VALUE = 1\n",
}
# The same without importlib: a library imports what a configuration names.
CONFIGURED = {
    "pyproject.toml": "[tool.loader]\nkind = 'fast'\n",
    "conf/loader.yaml": "target: kinds.slow_kind\n",
    "tests/test_it.py": (
        "from pathlib import Path\nfrom logging.config import _resolve as resolve\n\n"
        "def loader(options):\n"
        "    text = (Path(__file__).parents[1] / 'conf' / 'loader.yaml').read_text()\n"
        "    yield resolve(text.split()[-1]).VALUE\n"
    ),
    "kinds/__init__.py": "",
    "kinds/slow_kind.py": "from kinds import deep\nVALUE = deep.VALUE\n",
    "kinds/deep.py": "VALUE = 2\n",
}
PROJECTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "package": ("tests/perf/test_it.py", {**UNUSED, **PACKAGE}),
    "workers": ("test_it.py", {**UNUSED, **WORKERS}),
    "plugins": ("tests/test_it.py", {**UNUSED, **PLUGINS}),
    "configured": ("tests/test_it.py", {**UNUSED, **CONFIGURED}),
}
# New files: some hide a module that others import.
NEW = (
    "queue.py", "src/json.py", "tests/conftest.py", "conftest.py", "src/shop/fourth.py",
    "steps/flip.py", "steps/zoom.py", "tests/perf/conftest.py", "src/late.py", "colours.py",
    "workers/colorsys.py", "subprocess.py", "sitecustomize.py", "scratch/more.py", "docs/new.md",
    "data/rows_2.csv", "first.py", "helpers/__init__.py", "kinds.py", "pathlib.py", "notes.txt",
)  # fmt: skip


@dataclass(frozen=True)
class Edited:
    """What an edit has made of a project."""

    what: str
    changes: list[str]


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text[3:])
        else:
            path.write_text(text)


def observed(root: Path, module: str) -> tuple[str, list[str]]:
    """What the loader gives, and the files that its module has imported."""
    command = [sys.executable, "-c", DRIVER, module]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    finished = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    try:
        given, used = json.loads(finished.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return finished.stderr.strip().rpartition("\n")[2], []
    return given, [each for each in used if not each.startswith("..")]


def change_value(root: Path, names: list[str], rng: random.Random) -> Edited:
    name = rng.choice(names)
    path = root / name
    text = path.read_text()
    numbers = [at for at, letter in enumerate(text) if letter.isdigit()]
    if numbers:
        at = rng.choice(numbers)
        text = text[:at] + rng.choice("456789") + text[at + 1 :]
    else:
        text += "\nVALUE = 7\n" if name.endswith(".py") else "more\n"
    path.write_text(text)
    return Edited("value", [os.path.relpath(path.resolve(), root)])


def remove(root: Path, names: list[str], rng: random.Random) -> Edited:
    name = rng.choice(names)
    (root / name).unlink()
    return Edited("removed", [name])


def rename(root: Path, names: list[str], rng: random.Random) -> Edited:
    name = rng.choice(names)
    new = name.replace(".", "_renamed.", 1) if rng.random() < 0.5 else rng.choice(NEW)
    target = root / new
    if new in names or os.path.lexists(target):
        return change_value(root, names, rng)
    target.parent.mkdir(parents=True, exist_ok=True)
    (root / name).rename(target)
    return Edited("renamed", [name, new])


def add(root: Path, names: list[str], rng: random.Random) -> Edited:
    name = rng.choice([each for each in NEW if each not in names])
    text = rng.choice(["VALUE = 9\n", "import os\nos.environ['MODE'] = 'other'\nVALUE = 9\n"])
    write(root, {name: text})
    return Edited("added", [name])


def link(root: Path, names: list[str], rng: random.Random) -> Edited:
    name, other = rng.sample(names, 2)
    (root / name).unlink()
    (root / name).symlink_to(os.path.relpath(root / other, (root / name).parent))
    return Edited("linked", [name])


EDITS: tuple[Callable[[Path, list[str], random.Random], Edited], ...] = (
    change_value, change_value, change_value, remove, rename, add, add, link,
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How an edit came out.

    ``idle``: it touched what no loader uses; ``changed``: the loader gives something else.
    """

    project: str
    what: str
    idle: bool
    changed: bool
    identical: bool


def one_edit(project: str, folder: Path, before: str, rng: random.Random) -> Outcome:
    """Edit a fresh copy of a project, run its loader, and ask whether it is identical."""
    module, files = PROJECTS[project]
    root = folder / "project"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    write(root, files)
    only_unused = rng.random() < 0.4
    names = [*UNUSED] if only_unused else [*files]
    edit = change_value if only_unused else rng.choice(EDITS)
    edited = edit(root, names, rng)
    after, used = observed(root, module)
    now = [
        os.path.relpath(path, root)
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    ]
    tree = SourceTree(top=str(root), files=now)
    roots = [*used, module, *conftests(module)]
    why = why_measured(edited.changes, tree.footprint(roots), ("baselines",))
    changed = after != before
    if changed and not why:
        print(f"WRONG: {project}, {edited.what} {edited.changes}: {after}")
    return Outcome(project, edited.what, only_unused, changed, not why)


def main() -> int:
    """Edit, and print the counts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--edits", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    outcomes = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch).resolve()
        before = {}
        for project, (module, files) in PROJECTS.items():
            write(folder / "project", files)
            before[project], _ = observed(folder / "project", module)
            print(f"{project}: {before[project]}")
            shutil.rmtree(folder / "project")
        for number in range(options.edits):
            project = [*PROJECTS][number % len(PROJECTS)]
            outcomes.append(one_edit(project, folder, before[project], rng))
    for project in PROJECTS:
        mine = [each for each in outcomes if each.project == project]
        changed = [each for each in mine if each.changed]
        idle = [each for each in mine if each.idle]
        wrong = sum(each.identical for each in changed)
        told = sum(each.identical for each in idle)
        kinds = Counter(each.what for each in changed)
        print(
            f"{project}: {len(mine)} edits; {len(changed)} changed what the loader gives "
            f"({', '.join(f'{what} {count}' for what, count in sorted(kinds.items()))}), wrongly "
            f"identical {wrong}; {len(idle)} touched what it does not use, identical {told}"
        )
    return int(any(each.changed and each.identical for each in outcomes))


if __name__ == "__main__":
    sys.exit(main())
