"""Ways to install a project, and to start pytest in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from layouts.layouts import EXTENSION, FAST

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
