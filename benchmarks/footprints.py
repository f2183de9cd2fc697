"""Does `identical` miss an edit that changes what a loader gives? Random edits of small projects.

    python benchmarks/footprints.py [--edits 2000] [--seed 1]

Each project has a loader that reaches its parts in many ways: imports three files away, inside of a
function, in a process that it starts, by a name in a string or in a configuration file, through a
link, and data of several kinds. Before any edit it runs once, watched as a check is when its
baseline is accepted, and what it uses is recorded. After one edit or two the loader runs, and what
it gives is compared with what it gave before. Where that differs, the footprint must say that
something differs, alone and with the record. Of edits that touch what no loader uses, most should
be told to be nothing. Printed are all these counts.
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

from pytest_loaderperf.child.loaderperf_sources import WHOLLY
from pytest_loaderperf.errors import UseError
from pytest_loaderperf.model.version import Version
from pytest_loaderperf.versions import git
from pytest_loaderperf.versions.footprint import (
    SourceTree,
    changes_since,
    conftests,
    why_measured,
)
from pytest_loaderperf.versions.project import Project
from pytest_loaderperf.versions.sources import Sources, read
from pytest_loaderperf.versions.usage import (
    Evidence,
    UsedFiles,
    gathered,
    is_of,
    recorded,
    words_of,
)

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
# A file says which modules are imported, by name and by a part of it; one comes late in an epoch.
FLAGS = {
    "flags.py": "FAST = 0\nWHICH = 0\nROWS = 9\n",
    "test_it.py": (
        "import flags\n\ndef loader(options):\n"
        "    if flags.FAST:\n        import quick\n        yield quick.VALUE\n"
        "    kind = ['plain', 'other'][flags.WHICH % 2]\n"
        "    yield __import__('rows_' + kind).VALUE\n"
        "    for row in range(flags.ROWS):\n"
        "        if row > 6:\n            from rows_end import VALUE\n            yield VALUE\n"
    ),
    "quick.py": "VALUE = 1\n",
    "rows_plain.py": "VALUE = 1\n",
    "rows_other.py": "import rows_deep\nVALUE = rows_deep.VALUE\n",
    "rows_deep.py": "VALUE = 3\n",
    "rows_end.py": "VALUE = 1\n",
}
# What is opened is run, and so is one of what a folder has.
OPENED = {
    "tests/test_it.py": (
        "import os\nfrom pathlib import Path\nTOP = Path(__file__).parents[1]\n\n"
        "def run(path):\n    names = {}\n    with open(path) as file:\n"
        "        exec(file.read(), names)\n    return names['VALUE']\n\n"
        "def loader(options):\n    yield run(TOP / 'snippets' / ('st' + 'ep.py'))\n"
        "    names = sorted(os.listdir(TOP / 'recipes'))\n"
        "    which = int((TOP / 'which.txt').read_text()) % len(names)\n"
        "    yield names[which], run(TOP / 'recipes' / names[which])\n"
    ),
    "which.txt": "1\n",
    "snippets/step.py": "from snippets_part import VALUE\n",
    "tests/snippets_part.py": "VALUE = 1\n",
    "recipes/cut.py": "VALUE = 1\n",
    "recipes/mix.py": "VALUE = 2\n",
    "recipes/pad.py": "VALUE = 3\n",
}
# A shell runs a Python, of which nobody knows what else the shell reads.
SHELL = {
    "test_it.py": (
        "import subprocess\nfrom pathlib import Path\nHERE = Path(__file__).parent\n\n"
        "def loader(options):\n    command = ['sh', str(HERE / 'tools' / 'rows.sh')]\n"
        "    yield subprocess.run(command, capture_output=True, text=True, cwd=HERE).stdout\n"
    ),
    "tools/rows.sh": "python tools/rows.py\ncat tools/table.py\n",
    "tools/rows.py": "import shapes\nprint(shapes.VALUE)\n",
    "tools/shapes.py": "VALUE = 1\n",
    "tools/table.py": "VALUE = 1\n",
}
# A process of its own imports what a file names.
SPAWNED = {
    "conf/worker.json": '{"target": "jobs.resize_1"}\n',
    "test_it.py": "from feeding import loader\n",
    "feeding.py": (
        "import importlib, json, multiprocessing\nfrom pathlib import Path\n\n"
        "def work(queue):\n    text = (Path(__file__).parent / 'conf/worker.json').read_text()\n"
        "    try:\n        queue.put(importlib.import_module(json.loads(text)['target']).VALUE)\n"
        "    except Exception as error:\n        queue.put(type(error).__name__)\n\n"
        "def loader(options):\n    context = multiprocessing.get_context('spawn')\n"
        "    queue = context.SimpleQueue()\n"
        "    worker = context.Process(target=work, args=(queue,))\n    worker.start()\n"
        "    worker.join()\n    yield worker.exitcode\n"
        "    yield None if queue.empty() else queue.get()\n"
    ),
    "jobs/__init__.py": "",
    "jobs/resize_1.py": "from jobs import pixels\nVALUE = pixels.VALUE\n",
    "jobs/resize_2.py": "VALUE = 2\n",
    "jobs/pixels.py": "VALUE = 1\n",
}
PLAIN = {"pyproject.toml": "[tool.loader]\nfactor = 3\n"}
PROJECTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "package": ("tests/perf/test_it.py", {**UNUSED, **PACKAGE}),
    "workers": ("test_it.py", {**UNUSED, **WORKERS}),
    "plugins": ("tests/test_it.py", {**UNUSED, **PLUGINS}),
    "configured": ("tests/test_it.py", {**UNUSED, **CONFIGURED}),
    "flags": ("test_it.py", {**UNUSED, **PLAIN, **FLAGS}),
    "opened": ("tests/test_it.py", {**UNUSED, **PLAIN, **OPENED}),
    "shell": ("test_it.py", {**UNUSED, **PLAIN, **SHELL}),
    "spawned": ("test_it.py", {**UNUSED, **PLAIN, **SPAWNED}),
}
# New files: some hide a module that others import.
NEW = (
    "queue.py", "src/json.py", "tests/conftest.py", "conftest.py", "src/shop/fourth.py",
    "steps/flip.py", "steps/zoom.py", "tests/perf/conftest.py", "src/late.py", "colours.py",
    "workers/colorsys.py", "subprocess.py", "sitecustomize.py", "scratch/more.py", "docs/new.md",
    "data/rows_2.csv", "first.py", "helpers/__init__.py", "kinds.py", "pathlib.py", "notes.txt",
    "recipes/add.py", "quick/__init__.py", "rows_plain/__init__.py", "tools/shapes/__init__.py",
    "jobs/colours.py", "snippets_part.py",
)  # fmt: skip


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text[3:])
        else:
            path.write_text(text)


@dataclass(frozen=True)
class Template:
    """A project before any edit, in a repository: what its loader gives, and what it uses."""

    root: Path
    module: str
    given: str
    usage: UsedFiles | None


def template(root: Path, module: str, files: Mapping[str, str]) -> Template:
    """Write and commit a project; have its loader run, watched as a check is."""
    write(root, files)
    names = [f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "start"]):
        git.run(root, *command, variables=dict.fromkeys(names, "nobody"))
    sources = Sources(lambda: Project.find(root), root.with_name(f"{root.name}-told"))
    version = Version(root=root)
    folder = sources.new_folder(version, module)
    watched = sources.environment(version, folder, os.environ, watch=WHOLLY)
    given, _ = observed(root, module, watched)
    try:
        own = sources.copies(sys.executable).own
        seen = gathered({*read(folder)}, sources.exchange(version), own.__contains__)
        usage = recorded(root, seen)
        assert is_of(usage, git.contents(root, "HEAD"))
    except UseError as error:
        print(f"{root.name}: no record, since {error}")
        usage = None
    return Template(root, module, given, usage)


NOT_WATCHED: Mapping[str, str] = {}


def observed(
    root: Path, module: str, watched: Mapping[str, str] = NOT_WATCHED
) -> tuple[str, list[str]]:
    """What the loader gives, and the files that its module has imported."""
    command = [sys.executable, "-c", DRIVER, module]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **watched}
    finished = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    try:
        given, used = json.loads(finished.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return finished.stderr.strip().rpartition("\n")[2], []
    return given, [each for each in used if not each.startswith("..")]


def change_value(root: Path, names: list[str], rng: random.Random) -> str:
    path = root / rng.choice([each for each in names if (root / each).is_file()])
    text = path.read_text()
    numbers = [at for at, letter in enumerate(text) if letter.isdigit()]
    if numbers:
        at = rng.choice(numbers)
        text = text[:at] + rng.choice("456789") + text[at + 1 :]
    else:
        text += "\nVALUE = 7\n" if path.suffix == ".py" else "more\n"
    path.write_text(text)
    return "value"


def remove(root: Path, names: list[str], rng: random.Random) -> str:
    (root / rng.choice(names)).unlink(missing_ok=True)
    return "removed"


def rename(root: Path, names: list[str], rng: random.Random) -> str:
    name = rng.choice(names)
    new = name.replace(".", "_renamed.", 1) if rng.random() < 0.5 else rng.choice(NEW)
    target = root / new
    if os.path.lexists(target) or not os.path.lexists(root / name):
        return change_value(root, names, rng)
    target.parent.mkdir(parents=True, exist_ok=True)
    (root / name).rename(target)
    return "renamed"


def add(root: Path, names: list[str], rng: random.Random) -> str:
    name = rng.choice([each for each in NEW if each not in names and not (root / each).exists()])
    text = rng.choice(["VALUE = 9\n", "import os\nos.environ['MODE'] = 'other'\nVALUE = 9\n"])
    write(root, {name: text})
    return "added"


def link(root: Path, names: list[str], rng: random.Random) -> str:
    name, other = rng.sample(names, 2)
    (root / name).unlink(missing_ok=True)
    (root / name).symlink_to(os.path.relpath(root / other, (root / name).parent))
    return "linked"


EDITS: tuple[Callable[[Path, list[str], random.Random], str], ...] = (
    change_value, change_value, change_value, remove, rename, add, add, link,
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How an edit came out.

    ``idle``: it touched what no loader uses; ``changed``: the loader gives something else. The
    others say whether the footprint alone and with the record told that nothing differs.
    """

    project: str
    what: str
    idle: bool
    changed: bool
    by_footprint: bool
    by_record: bool


def one_edit(project: str, before: Template, folder: Path, rng: random.Random) -> Outcome:
    """Edit a fresh copy of a project, run its loader, and ask whether it is identical."""
    root = folder / "project"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(before.root, root, symlinks=True)
    idle = rng.random() < 0.4
    names = [*UNUSED] if idle else [*PROJECTS[project][1]]
    what = change_value(root, names, rng) if idle else rng.choice(EDITS)(root, names, rng)
    if not idle and rng.random() < 0.4:
        what += f" and {rng.choice(EDITS)(root, names, rng)}"
    after, used = observed(root, before.module)
    changes = changes_since(root, "HEAD")
    tree = SourceTree(top=str(root), files=git.listed(root))
    footprint = tree.footprint([*used, before.module, *conftests(before.module)])
    evidence = None
    if before.usage is not None:
        heard = words_of(os.environ, [])
        modified = git.modified(root, "HEAD")
        evidence = Evidence(usage=before.usage, modified=modified, heard=heard)
    by_footprint = not why_measured(changes, footprint, ("baselines",))
    by_record = not why_measured(changes, footprint, ("baselines",), evidence)
    changed = after != before.given
    if changed and (by_footprint or by_record):
        print(f"WRONG: {project}, {what} {changes}: {after}")
    return Outcome(project, what, idle, changed, by_footprint, by_record)


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
        templates = {}
        for project, (module, files) in PROJECTS.items():
            templates[project] = template(folder / project, module, files)
            print(f"{project}: {templates[project].given}")
        for number in range(options.edits):
            project = [*PROJECTS][number % len(PROJECTS)]
            outcomes.append(one_edit(project, templates[project], folder, rng))
    for project in PROJECTS:
        mine = [each for each in outcomes if each.project == project]
        kinds = Counter(each.what for each in mine if each.changed)
        print(f"{project}: {told(mine)}")
        print(f"    ({', '.join(f'{what} {count}' for what, count in sorted(kinds.items()))})")
    print(f"all: {told(outcomes)}")
    return int(any(each.changed and (each.by_footprint or each.by_record) for each in outcomes))


def told(outcomes: list[Outcome]) -> str:
    """The counts of some edits."""
    changed = [each for each in outcomes if each.changed]
    idle = [each for each in outcomes if each.idle]
    return (
        f"{len(outcomes)} edits; {len(changed)} changed what the loader gives, wrongly identical "
        f"{sum(each.by_footprint for each in changed)} by the footprint and "
        f"{sum(each.by_record for each in changed)} with the record; {len(idle)} touched what it "
        f"does not use, identical {sum(each.by_footprint for each in idle)} by the footprint and "
        f"{sum(each.by_record for each in idle)} with the record"
    )


if __name__ == "__main__":
    sys.exit(main())
