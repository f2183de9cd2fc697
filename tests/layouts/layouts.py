"""Layouts of projects, ways to install them and to start workers, and which are combined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

# The speed of a loader is that of `make`, in whichever process that runs.
LOADER = '''\
import multiprocessing, os, runpy, subprocess, sys, time
from pathlib import Path

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

def program(*command, start=(sys.executable,), **options):
    with subprocess.Popen([*start, *command], stdout=subprocess.PIPE, **options) as process:
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
        if self.way == "-c":
            return program("-c", f"import {__name__} as loader; loader.serve()")
        if self.way == "shell":
            return program("-c", f"exec {sys.executable} -m {__name__}", start=["sh"])
        if self.way == "elsewhere":
            return program("-m", __name__, cwd=Path(__file__).parents[__name__.count(".")])
        if self.way == "entry":
            return program(start=[Path(sys.executable).with_name("serve")])
        if self.way == "runpy":
            return runpy.run_path(__file__, run_name="copy")["here"]()
        if self.way == "absolute":
            return program(os.environ["LOADER"])
        if self.way == "isolated":
            return program("-I", __file__)
        if self.way == "bare":
            return program(__file__, env={})
        return worker(self.way)

def serve():
    while True:
        print(*make(), flush=True)

if __name__ == "__main__":
    serve()
'''
WAYS = (
    *("here", "fork", "spawn", "forkserver", "pool", "-m", "script", "-c", "shell", "elsewhere"),
    *("entry", "runpy", "absolute", "isolated", "bare"),
)
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
    ini: str = "pytest.ini"  # the file, relative to pytest's root
    since: Mapping[str, str | None] = field(default_factory=dict)  # written or removed since then
    moved: str = ""  # where the source is now
    compiled: str = ""  # a source of C that is compiled where it lies
    submodule: str = ""  # the folder that is one
    linked: bool = False  # whether the checkout is itself a worktree of another one


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
PLUGIN = "import mypkg.loader\n"
INSERTS = """\
import sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).parent / "lib"))
"""
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
            "conftest.py": INSERTS,
        },
    ),
    "ignored": Layout(  # as a template for Python's repositories does with all that is called lib
        source="lib/mypkg/loader.py",
        files={"lib/mypkg/__init__.py": "", "conftest.py": INSERTS},
        ignored=("lib",),
    ),
    "helper": Layout(
        source="tests/perf/helper.py", module="helper", files={}, test="tests/perf/test_it.py"
    ),
    "compiled": replace(
        FLAT,
        files={"mypkg/__init__.py": FAST, "mypkg/_fast.c": EXTENSION},
        tables='[tool.setuptools]\npackages = ["mypkg"]\n',
        compiled="mypkg/_fast.c",
    ),
    "submodule": Layout(
        source="third/party/mypkg/loader.py",
        files={"third/party/mypkg/__init__.py": ""},
        project="third/party",
        submodule="third/party",
        tables=FLAT.tables,
    ),
    "worktree": replace(SRC, linked=True),
    # The commit has its configuration in another file than the working tree.
    "ini-moved": replace(
        SRC,
        since={
            "pytest.ini": None,
            "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = 'src'\n"
            "loaderperf_budget = '24'\n",
        },
    ),
    "setup.cfg": replace(SRC, ini="setup.cfg"),
    "ini-elsewhere": replace(SRC, ini="config/pytest.ini"),
    "plugin-named": replace(FLAT, files={**FLAT.files, "mypkg/plugin.py": PLUGIN}),
    # What the commit does not have, and its configuration does not name.
    "plugin-new": replace(
        FLAT, since={"mypkg/plugin.py": PLUGIN, "pytest.ini": f"{INI}addopts = -p mypkg.plugin\n"}
    ),
    "plugin-of-conftest": replace(
        FLAT,
        files={
            **FLAT.files,
            "mypkg/plugin.py": PLUGIN,
            "conftest.py": "pytest_plugins = ['mypkg.plugin']\n",
        },
    ),
    "to-src": replace(
        FLAT,
        tables="",
        since={"mypkg/loader.py": None, "mypkg/__init__.py": None, "src/mypkg/__init__.py": ""},
        moved="src/mypkg/loader.py",
    ),
    "tests-in-package": replace(
        SRC,
        files={**SRC.files, "src/mypkg/tests/__init__.py": ""},
        test="src/mypkg/tests/test_it.py",
        imports="from ..loader import Loader",
    ),
    "tests-package": Layout(
        source="tests/helper.py",
        module="tests.helper",
        files={"tests/__init__.py": ""},
        test="tests/test_it.py",
        imports="from .helper import Loader",
    ),
    "sitecustomize": replace(
        SRC,
        files={
            **SRC.files,
            "dev/sitecustomize.py": "import sys\n"
            "sys.path.append(__file__.rpartition('/dev/')[0] + '/src')\n",
        },
    ),
    "namespaces": Layout(  # two folders, one namespace
        source="loaders/acme/loaders/loader.py",
        module="acme.loaders.loader",
        files={"tools/acme/tools/__init__.py": "", "loaders/acme/loaders/__init__.py": ""},
        imports="import acme.tools\nfrom {module} import Loader",
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
    link: bool = False  # whether all that is installed is a link to the package
    path: bool = False  # whether all that is installed is a .pth file, written by hand
    clone: bool = False  # whether it is installed from another clone
    target: str = ""  # the folder that a copy is put into, relative to the top folder


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
    "extension": replace(
        SETUPTOOLS,
        tables='[tool.setuptools]\npackages = ["{name}"]\npackage-dir = {{"" = "{root}"}}\n'
        'ext-modules = [{{name = "{name}._fast", sources = ["{package}/_fast.c"]}}]\n',
        files={"{package}/_fast.c": EXTENSION, "{package}/__init__.py": FAST},
    ),
    "linked-package": replace(SETUPTOOLS, link=True),  # as flit install --symlink does
    "pth": replace(SETUPTOOLS, path=True),  # as conda develop does
    "of-a-clone": replace(SETUPTOOLS, clone=True),
    "target": replace(COPY, target="vendor"),
    "target-outside": replace(COPY, target="../vendor"),
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
    "safe-path": Invocation(variables={"PYTHONSAFEPATH": "1"}),
    "bytecode": Invocation(console=True, variables={"PYTHONDONTWRITEBYTECODE": ""}),
    "strict-warnings": Invocation(console=True, variables={"PYTHONWARNINGS": "error"}),
    "-p": Invocation(arguments=("-p", "mypkg.plugin")),
    "-c": Invocation(
        console=True,
        arguments=("-c", "config/pytest.ini", "--rootdir=."),
        ini="pythonpath = ../src\n",
    ),
    "--pyargs": Invocation(console=True, arguments=("--pyargs", "mypkg")),
    "from-top": Invocation(console=True, folder="../..", arguments=("services/ml",)),
    "in-tests": Invocation(console=True, folder="tests", arguments=("test_it.py",)),
    "LOADER": Invocation(variables={"LOADER": "{top}/mypkg/loader.py"}),
    "PYTHONPATH-dev": Invocation(console=True, variables={"PYTHONPATH": "{top}/dev"}),
    "PYTHONPATH-vendor": Invocation(console=True, variables={"PYTHONPATH": "{top}/vendor"}),
    "PYTHONPATH-outside": Invocation(console=True, variables={"PYTHONPATH": "{top}/../vendor"}),
    "PYTHONPATH-two": Invocation(
        console=True, variables={"PYTHONPATH": "{top}/tools:{top}/loaders"}
    ),
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
    error: str = ""  # said of it, where it cannot be measured

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
    *_rows("src", "editable", "fork -c shell entry runpy elsewhere"),
    *_rows("src", "copy", "entry shell"),
    *_rows("src", "hatch poetry uv", "entry"),
    *_rows("flat", "paths", "elsewhere runpy", "module"),
    *_rows("src", "paths", "elsewhere", "pythonpath-ini"),
    *_rows("src", "paths", "-m", "PYTHONPATH-relative"),
    *_rows("compiled", "paths", "here spawn", "module"),
    *_rows("compiled", "editable", "spawn"),
    *_rows("flat src", "extension", "spawn"),
    *_rows("submodule", "editable", "-m"),
    *_rows("worktree", "editable copy", "spawn"),
    *_rows("ini-moved", "paths", "here", "pythonpath-ini"),
    *_rows("setup.cfg", "editable", "spawn"),
    *_rows("ini-elsewhere", "paths", "here", "-c"),
    *_rows("plugin-named", "paths", "spawn", "-p"),
    *_rows("plugin-named", "editable", "spawn", "-p"),
    *_rows("plugin-new", "paths", "here", "module"),
    *_rows("plugin-new", "editable", "spawn"),
    *_rows("plugin-of-conftest", "paths", "-m", "module"),
    *_rows("to-src", "editable", "here", "module"),
    *_rows("tests-in-package", "editable", "spawn", "console --pyargs importlib"),
    *_rows("tests-package", "paths", "spawn", "console in-tests"),
    *_rows("sitecustomize", "paths", "spawn", "PYTHONPATH-dev"),
    *_rows("namespaces", "paths", "spawn", "PYTHONPATH-two"),
    *_rows("monorepo-src", "editable", "-m", "from-top"),
    *_rows("src", "linked-package pth", "spawn"),
    *_rows("flat", "editable", "spawn", "bytecode strict-warnings safe-path"),
    *_rows("src", "target", "-m", "PYTHONPATH-vendor"),
    *_rows("src", "target-outside", "-m", "PYTHONPATH-outside"),
)
# Combinations of which nothing can be said: a verdict would be that of some other code.
UNMEASURABLE = (
    *(
        replace(row, error="does not show which files it runs")
        for row in _rows("flat", "paths", "isolated bare", "module")
    ),
    *(
        replace(row, error="it would measure the wrong version")
        for row in _rows("flat", "paths", "absolute", "LOADER")
    ),
    *(
        replace(row, error="every version would measure that copy")
        for row in _rows("src", "of-a-clone", "here spawn")
    ),
    *(  # both versions would run the one that is there
        replace(row, error="git ignores lib/mypkg/loader.py")
        for row in _rows("ignored", "paths", "here spawn")
    ),
    *(  # nothing leads to where its package was
        replace(row, error="its tests cannot be collected")
        for row in _rows("to-src", "editable", "here")
    ),
)
ROWS = QUICK + MORE + UNMEASURABLE
