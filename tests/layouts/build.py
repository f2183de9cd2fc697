"""Builds the project of a row, its environment, and runs pytest in it as its invocation says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from integration import tiny
from integration.project import Project, Run, clean_environment
from layouts.layouts import (
    CHECK,
    IGNORED,
    INI,
    INSTALLS,
    INVOCATIONS,
    LAYOUTS,
    LOADER,
    Install,
    Invocation,
    Layout,
    Row,
)

THROUGHPUT = 480.0  # samples/s: two every 4 ms
SLOWER = ("SECONDS = 0.004", "SECONDS = 0.008")


@dataclass(frozen=True)
class Built:
    """A project that is set up and accepted, at the path by which its users reach it."""

    row: Row
    top: Path
    python: Path  # of the environment that it is installed in

    @property
    def layout(self) -> Layout:
        return LAYOUTS[self.row.layout]

    @property
    def install(self) -> Install | None:
        return INSTALLS[self.row.install]

    @property
    def invocation(self) -> Invocation:
        return INVOCATIONS[self.row.invocation]

    @property
    def node(self) -> str:
        """The node id of the check."""
        return f"{self.layout.test}::test_it"

    def slow_down(self) -> None:
        """Make the loader twice as slow, and install it again where that is the way."""
        source = self.top / self.layout.source
        source.write_text(source.read_text().replace(*SLOWER))
        if self.install is not None and self.install.again:
            put_in(self)

    def run(self, *arguments: str, path: Path | None = None) -> Run:
        """Run the check; modules in the folder ``path`` are found besides."""
        invocation = self.invocation
        root = Project(self.top / self.layout.rootdir)
        variables = {
            name: value.format(top=self.top) for name, value in invocation.variables.items()
        }
        if path is not None:
            before = variables.get("PYTHONPATH")
            variables["PYTHONPATH"] = os.pathsep.join(filter(None, (str(path), before)))
        variables["PATH"] = f"{self.python.parent}{os.pathsep}{os.environ['PATH']}"
        command = [str(self.python.with_name("pytest"))]
        if not invocation.console:
            command = [str(self.python), "-m", "pytest"]
        folder = root.root / invocation.folder
        folder.mkdir(exist_ok=True)
        arguments = ("--loaderperf", *invocation.arguments, *arguments)
        return root.pytest(*arguments, command=command, folder=folder, environment=variables)


def build(row: Row, folder: Path) -> Built:
    """The project of a row, accepted; ``folder`` is a new one."""
    top = folder / "repository"
    top.mkdir(parents=True)
    layout, invocation = LAYOUTS[row.layout], INVOCATIONS[row.invocation]
    if invocation.link:
        (folder / "link").symlink_to(top)
        top = folder / "link"
    python = Path(sys.executable)
    install = INSTALLS[row.install]
    if install is not None:
        python = environment(Path(os.path.normpath(top / install.environment)))
    built = Built(row, top, python)
    Project(top).git("init", "-q", "-b", "main")
    environments = "/.tox/\n/.nox/\n/.venv/\n/bin/\n/include/\n/lib/\n/lib64\n/pyvenv.cfg\n"
    write(
        top, ".gitignore", IGNORED + environments + "".join(f"/{name}\n" for name in layout.ignored)
    )
    write(top, layout.source, LOADER)
    for name, text in layout.files.items():
        write(top, name, text)
    root = top / layout.rootdir
    write(root, "pytest.ini", INI + invocation.ini)
    imports = layout.imports.format(module=layout.module)
    write(root, layout.test, CHECK.format(imports=imports, way=row.way))
    if install is not None:
        describe(built, install)
        put_in(built)
    tiny.accept(Project(root), built.node, throughput=THROUGHPUT, commit=False)
    Project(top).commit("accept the baselines")
    return built


def describe(built: Built, install: Install) -> None:
    """Write the metadata of a project, as its backend wants it."""
    layout = built.layout
    project = built.top / layout.project
    package = PurePosixPath(layout.source).parent.relative_to(layout.project or ".")
    names = {
        "package": str(package),
        "folder": str(package.parent).strip("."),
        "name": package.name,
    }
    name = layout.module.partition(".")[0]
    tables = layout.tables if install.tables is None else install.tables.format(**names)
    write(
        project,
        "pyproject.toml",
        f'[build-system]\nrequires = ["{install.requires}"]\nbuild-backend = "{install.backend}"\n'
        f'[project]\nname = "{name}"\nversion = "1.0"\ndescription = "A loader"\n{tables}',
    )
    for file, text in install.files.items():
        content = text.replace("{package}", names["package"])
        write(project, file.format(**names), content)


def put_in(built: Built) -> None:
    """Install a project into its environment, as pip does it."""
    install = built.install
    assert install is not None
    project = built.top / built.layout.project
    pip = [sys.executable, "-m", "pip", "--python", str(built.python), "--no-input", "-q"]
    plain = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    what = str(project)
    if install.wheel:
        wheels = built.top / "dist"
        shutil.rmtree(wheels, ignore_errors=True)
        execute(*pip, "wheel", *plain, "-w", str(wheels), what)
        (wheel,) = wheels.glob("*.whl")
        what = str(wheel)
    execute(*pip, "install", *plain, "--force-reinstall", *install.arguments, what)
    if not install.arguments:
        shutil.rmtree(project / "build", ignore_errors=True)  # else its files are taken again


def environment(folder: Path) -> Path:
    """A virtual environment that finds the packages of this one; returns its interpreter."""
    execute(sys.executable, "-m", "venv", "--without-pip", str(folder))
    python = folder / "bin" / "python"
    answer = execute(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    outer = sysconfig.get_path("purelib")
    # Last, so that what is installed into the environment is found first.
    Path(answer.strip(), "zzz_outer.pth").write_text(f"import site; site.addsitedir({outer!r})\n")
    script = python.with_name("pytest")
    script.write_text(f"#!{python}\nimport sys\nimport pytest\nsys.exit(pytest.main())\n")
    script.chmod(0o755)
    return python


def execute(*command: str) -> str:
    """Run a program that must succeed; returns what it prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # of meson and ninja
    finished = subprocess.run(
        command,
        env={**clean_environment(), "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
