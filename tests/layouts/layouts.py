"""Layouts of projects, ways to install them and to start workers, and which are combined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

# The speed of a loader is that of `make`, in whichever process that runs.
LOADER = '''\
import multiprocessing, subprocess, sys, time

SECONDS = 0.004

def make():
    time.sleep(SECONDS)
    return [1, 2]

def feed(queue):
    while True:
        queue.put(make())

def here():
    while True:
        yield make()

def worker(method):
    context = multiprocessing.get_context(method)
    queue = context.Queue(1)
    process = context.Process(target=feed, args=(queue,), daemon=True)
    process.start()
    try:
        while True:
            yield queue.get()
    finally:
        process.kill()

def pool():
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        ready = [executor.submit(make), executor.submit(make)]
        while True:
            yield ready.pop(0).result()
            ready.append(executor.submit(make))

def program(*command):
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE) as process:
        try:
            for line in process.stdout:
                yield [int(each) for each in line.split()]
        finally:
            process.kill()

class Loader:
    """Batches of two samples, made in the way that is asked for."""

    def __init__(self, way):
        self.way = way

    def __iter__(self):
        if self.way == "here":
            return here()
        if self.way == "pool":
            return pool()
        if self.way == "-m":
            return program("-m", __name__)
        if self.way == "script":
            return program(__file__)
        return worker(self.way)

if __name__ == "__main__":
    while True:
        print(*make(), flush=True)
'''
WAYS = ("here", "fork", "spawn", "forkserver", "pool", "-m", "script")
CHECK = """\
import pytest
{imports}

@pytest.mark.loaderperf(metrics=["throughput"])
def test_it(loaderperf):
    perf = loaderperf(Loader({way!r}))
    assert perf.throughput >= perf.baseline.throughput
"""
INI = "[pytest]\nloaderperf_budget = 24\n"
IGNORED = "__pycache__/\n.pytest_cache/\n.loaderperf/\n*.egg-info/\nbuild/\ndist/\n*.so\n"

# A compiled module, for backends that are made for such.
EXTENSION = """\
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_fast", NULL, -1, NULL};
PyMODINIT_FUNC PyInit__fast(void) { return PyModule_Create(&module); }
"""
FAST = "from . import _fast\n"
MESON = """\
project('mypkg', 'c', version: '1.0')
py = import('python').find_installation(pure: false)
py.install_sources('{package}/__init__.py', '{package}/loader.py', subdir: 'mypkg')
py.extension_module('_fast', '{package}/_fast.c', install: true, subdir: 'mypkg')
"""
CMAKE = """\
cmake_minimum_required(VERSION 3.15...4.0)
project(mypkg LANGUAGES C)
find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
python_add_library(_fast MODULE {package}/_fast.c WITH_SOABI)
install(TARGETS _fast DESTINATION mypkg)
"""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A project: where its parts are, relative to the top folder of its repository."""

    source: str = "mypkg/loader.py"  # the file that is slowed down
    module: str = "mypkg.loader"
    files: Mapping[str, str] = field(default_factory=lambda: {"mypkg/__init__.py": ""})
    project: str = ""  # the folder that is installed
    rootdir: str = ""  # pytest's, with its ini file
    test: str = "tests/test_it.py"  # relative to that
    imports: str = "from {module} import Loader"
    tables: str = ""  # of pyproject.toml, for setuptools
    ignored: tuple[str, ...] = ()  # what git is to ignore


def in_src(layout: Layout, folder: str = "src") -> Layout:
    """The same with its package in a folder of sources."""
    return replace(
        layout,
        source=f"{folder}/{layout.source}",
        files={f"{folder}/{name}": text for name, text in layout.files.items()},
        tables=f'[tool.setuptools]\npackage-dir = {{"" = "{folder}"}}\n{layout.tables}',
    )


FLAT = Layout(tables='[tool.setuptools]\npackages = ["mypkg"]\n')
SRC = in_src(Layout(tables='packages = ["mypkg"]\n'))
SINGLE = Layout(source="single.py", module="single", files={})
NAMESPACE = Layout(
    source="acme/loaders/loader.py",
    module="acme.loaders.loader",
    files={"acme/loaders/__init__.py": ""},
    tables='[tool.setuptools]\npackages = ["acme.loaders"]\n',
)
VERSIONED = replace(
    FLAT,
    files={
        "mypkg/__init__.py": "from ._version import version\n",
        "mypkg/_version.py": "version = 1\n",
    },
    ignored=("mypkg/_version.py",),
    test="test_it.py",
)
READING = replace(
    FLAT,
    files={
        "mypkg/__init__.py": "from pathlib import Path\n"
        "ROWS = Path(__file__).with_name('rows.txt').read_text()\n",
        "mypkg/rows.txt": "1 2\n",
    },
    ignored=("mypkg/rows.txt",),
    test="test_it.py",
)
READING_LATER = replace(
    FLAT,
    imports="from mypkg.loader import Loader as Plain\nfrom pathlib import Path\n\n"
    "def Loader(way):\n    Path(__file__).with_name('rows').joinpath('1').read_text()\n"
    "    return Plain(way)",
    files={**FLAT.files, "rows/1": "1 2\n"},
    ignored=("rows",),
    test="test_it.py",
)
LAYOUTS: Mapping[str, Layout] = {
    "flat": FLAT,
    "src": SRC,
    "python": in_src(Layout(tables='packages = ["mypkg"]\n'), "python"),
    "renamed": Layout(
        source="code/loader.py",
        files={"code/__init__.py": ""},
        tables='[tool.setuptools]\npackages = ["mypkg"]\npackage-dir = {"mypkg" = "code"}\n',
    ),
    "single": replace(SINGLE, tables='[tool.setuptools]\npy-modules = ["single"]\n'),
    "single-src": in_src(replace(SINGLE, tables='py-modules = ["single"]\n')),
    "namespace": NAMESPACE,
    "namespace-src": in_src(replace(NAMESPACE, tables='packages = ["acme.loaders"]\n')),
    "monorepo": Layout(
        source="services/ml/mypkg/loader.py",
        files={"services/ml/mypkg/__init__.py": "", "services/web/mypkg/loader.py": ""},
        project="services/ml",
        rootdir="services/ml",
        tables=FLAT.tables,
    ),
    "monorepo-src": Layout(
        source="services/ml/src/mypkg/loader.py",
        files={"services/ml/src/mypkg/__init__.py": ""},
        project="services/ml",
        rootdir="services/ml",
        tables=SRC.tables,
    ),
    "workspace": Layout(  # the tests of one of its packages use the loader of the other one
        source="packages/b/src/mypkg/loader.py",
        files={
            "packages/b/src/mypkg/__init__.py": "",
            "packages/a/pyproject.toml": '[project]\nname = "a"\nversion = "1.0"\n',
            "pyproject.toml": '[tool.uv.workspace]\nmembers = ["packages/*"]\n',
        },
        project="packages/b",
        rootdir="packages/a",
        tables=SRC.tables,
    ),
    "plugin": replace(  # of pytest, which rewrites all modules of such a project
        FLAT,
        files={"mypkg/__init__.py": "", "mypkg/plugin.py": "import mypkg.loader\n"},
        tables=f'[project.entry-points.pytest11]\nmypkg = "mypkg.plugin"\n{FLAT.tables}',
    ),
    "root-in-tests": replace(FLAT, rootdir="tests", test="test_it.py"),
    "root-in-tests-src": replace(SRC, rootdir="tests", test="test_it.py"),
    "version": VERSIONED,
    "reading": READING,
    "reading-later": READING_LATER,
    "conftest": Layout(
        source="lib/mypkg/loader.py",
        files={
            "lib/mypkg/__init__.py": "",
            "conftest.py": "import sys\nfrom pathlib import Path\n"
            "sys.path.insert(0, str(Path(__file__).parent / 'lib'))\n",
        },
    ),
    "helper": Layout(
        source="tests/perf/helper.py", module="helper", files={}, test="tests/perf/test_it.py"
    ),
}


@dataclass(frozen=True, kw_only=True)
class Install:
    """A way to install a project into an environment of its own."""

    backend: str = "setuptools.build_meta"
    requires: str = "setuptools"
    arguments: tuple[str, ...] = ("-e",)
    tables: str | None = None  # of pyproject.toml; None: those of the layout
    again: bool = False  # whether a change takes effect only when it is installed again
    environment: str = "../env"  # relative to the top folder
    wheel: bool = False  # whether a wheel is built, and that is installed
    files: Mapping[str, str] = field(default_factory=dict)  # below the project, in any layout


SETUPTOOLS = Install()
COPY = replace(SETUPTOOLS, arguments=(), again=True)
HATCH = Install(
    backend="hatchling.build",
    requires="hatchling",
    tables='[tool.hatch.build.targets.wheel]\npackages = ["{package}"]\n',
)
EXACT = "[tool.hatch.build]\ndev-mode-exact = true\n"
PDM = Install(backend="pdm.backend", requires="pdm-backend", tables="")
INSTALLS: Mapping[str, Install | None] = {
    "paths": None,
    "editable": SETUPTOOLS,
    "strict": replace(SETUPTOOLS, arguments=("--config-settings", "editable_mode=strict", "-e")),
    "compat": replace(SETUPTOOLS, arguments=("--config-settings", "editable_mode=compat", "-e")),
    "copy": COPY,
    "stale-copy": replace(COPY, again=False),  # nobody has installed what was changed
    "wheel": replace(COPY, wheel=True),
    "tox": replace(COPY, environment=".tox/py3", wheel=True),
    "nox": replace(COPY, environment=".nox/tests"),
    "venv-inside": replace(SETUPTOOLS, environment=".venv"),
    "venv-inside-copy": replace(COPY, environment=".venv"),
    "venv-is-project": replace(SETUPTOOLS, environment="."),
    "hatch": HATCH,
    "hatch-exact": replace(HATCH, tables=f"{EXACT}{HATCH.tables}"),
    "hatch-copy": replace(HATCH, arguments=(), again=True),
    "flit": Install(backend="flit_core.buildapi", requires="flit_core", tables=""),
    "poetry": Install(
        backend="poetry.core.masonry.api",
        requires="poetry-core",
        tables='[tool.poetry]\npackages = [{{ include = "{name}", from = "{folder}" }}]\n',
    ),
    "pdm": PDM,
    "pdm-editables": replace(PDM, tables='[tool.pdm.build]\neditable-backend = "editables"\n'),
    "uv": Install(
        backend="uv_build",
        requires="uv_build",
        tables='[tool.uv.build-backend]\nmodule-root = "{folder}"\n',
    ),
    "meson": Install(
        backend="mesonpy",
        requires="meson-python",
        tables="",
        files={"meson.build": MESON, "{package}/_fast.c": EXTENSION, "{package}/__init__.py": FAST},
    ),
    "scikit-build": Install(
        backend="scikit_build_core.build",
        requires="scikit-build-core",
        tables='[tool.scikit-build]\nwheel.packages = ["{package}"]\n',
        files={
            "CMakeLists.txt": CMAKE,
            "{package}/_fast.c": EXTENSION,
            "{package}/__init__.py": FAST,
        },
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """How pytest is started."""

    arguments: tuple[str, ...] = ()
    console: bool = False  # the script `pytest`, and not `python -m pytest`
    folder: str = ""  # where, relative to the root folder
    variables: Mapping[str, str] = field(default_factory=dict)  # {top} is the repository
    ini: str = ""  # lines more of the ini file
    link: bool = False  # whether all of it is reached through a link


INVOCATIONS: Mapping[str, Invocation] = {
    "module": Invocation(),
    "console": Invocation(console=True),
    "sub-folder": Invocation(console=True, folder="notes", arguments=("..",)),
    "prepend": Invocation(console=True, arguments=("--import-mode=prepend",)),
    "append": Invocation(console=True, arguments=("--import-mode=append",)),
    "importlib": Invocation(console=True, arguments=("--import-mode=importlib",)),
    "pythonpath-ini": Invocation(console=True, ini="pythonpath = src\n"),
    "PYTHONPATH": Invocation(console=True, variables={"PYTHONPATH": "{top}/src"}),
    "PYTHONPATH-relative": Invocation(console=True, variables={"PYTHONPATH": "src"}),
    "link": Invocation(console=True, link=True),
    "link-module": Invocation(link=True),
    "fresh": Invocation(ini="loaderperf_trials = fresh\n"),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One combination."""

    layout: str
    install: str = "paths"
    way: str = "here"
    invocation: str = "module"
    quick: bool = False  # in the part of the table that every run of CI goes through

    @property
    def name(self) -> str:
        """What the row is called in the table and in test ids."""
        return " ".join((self.layout, self.install, self.way, self.invocation))


def _rows(layouts: str, installs: str, ways: str, invocations: str = "console") -> list[Row]:
    return [
        Row(layout=layout, install=install, way=way, invocation=invocation)
        for layout in layouts.split()
        for install in installs.split()
        for way in ways.split()
        for invocation in invocations.split()
    ]


# The first ones are those that once passed while both sides ran the same code, or that were
# compared with stored numbers; they are the quick part.
QUICK = tuple(
    replace(row, quick=True)
    for row in [
        *_rows("flat", "editable", "spawn"),
        *_rows("src", "editable", "-m"),
        *_rows("python renamed single", "copy", "here"),
        *_rows("root-in-tests", "copy", "here"),
        *_rows("monorepo", "editable", "here"),
        *_rows("version reading", "paths", "here"),
        *_rows("src", "tox", "spawn"),
        *_rows("flat", "venv-is-project", "spawn"),
    ]
)
MORE = (
    *_rows("flat", "editable", "spawn", "module"),  # which has the working folder on the path
    *_rows("flat", "editable", "fork forkserver pool -m script"),
    *_rows("src", "editable", "spawn forkserver pool script"),
    *_rows("flat src", "strict compat", "spawn"),
    *_rows("flat", "copy", "spawn -m script"),
    *_rows("src", "copy stale-copy wheel nox venv-inside-copy", "spawn"),
    *_rows("python renamed single single-src namespace namespace-src", "editable", "spawn"),
    *_rows("namespace namespace-src single-src", "copy", "-m"),
    *_rows("monorepo", "editable copy", "spawn -m"),
    *_rows("monorepo-src", "editable copy", "spawn"),
    *_rows("plugin", "editable copy", "here spawn"),
    *_rows("workspace", "uv copy", "spawn"),
    *_rows("root-in-tests", "editable", "spawn"),
    *_rows("root-in-tests-src", "copy", "-m"),
    *_rows("src", "hatch hatch-exact flit poetry pdm pdm-editables uv", "spawn"),
    *_rows("src", "hatch-copy", "-m"),
    *_rows("flat", "flit pdm", "-m"),
    *_rows("flat src", "meson scikit-build", "spawn"),
    *_rows("flat src", "venv-inside", "spawn"),
    *_rows("src", "venv-is-project", "-m"),
    *_rows("flat", "paths", "here spawn -m", "module"),
    *_rows("flat", "paths", "spawn", "fresh"),
    *_rows("src", "paths", "spawn -m", "PYTHONPATH"),
    *_rows("src", "paths", "here", "PYTHONPATH-relative pythonpath-ini"),
    *_rows("conftest", "paths", "here spawn"),
    *_rows("helper", "paths", "here spawn", "console prepend append"),
    *_rows("src", "editable", "here", "sub-folder prepend append importlib"),
    *_rows("flat", "editable", "spawn", "link link-module"),
    *_rows("src", "copy", "spawn", "link"),
    *_rows("version", "editable", "spawn"),
    *_rows("reading-later", "paths", "here spawn"),
)
ROWS = QUICK + MORE
