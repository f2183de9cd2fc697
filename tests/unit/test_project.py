"""What the project promises outside its code: README commands, CI, versions, sizes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import pytest_loaderperf

ROOT = Path(__file__).parents[2]
README_COMMANDS = ROOT / ".ci" / "readme_commands.py"
RUN = ROOT / ".ci" / "run"

INSTALL = 'python3 -m venv .venv && .venv/bin/pip install -e ".[dev]"'
PYTEST = ".venv/bin/pytest -n 3 --dist loadfile"
TESTS = f"{INSTALL} && {PYTEST}"
GATE = f"{INSTALL} && .venv/bin/pytest --loaderperf"


def readme(*commands: str) -> str:
    """A README with each command in a block of its own, between others that are none of CI's."""
    other = (
        "```python\nassert True\n```\n\n```shell\npip install pytest-loaderperf\n```\n\n"
        "```shell\npytest --loaderperf\n```\n\n```shell\n.venv/bin/pytest --loaderperf -x\n```\n"
    )
    blocks = "\n".join(f"Words.\n\n```shell\n{command}\n```\n" for command in commands)
    return f"# Title\n\n{other}\n{blocks}\n{other}"


def read_command(path: Path, name: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(README_COMMANDS), str(path), name]
    return subprocess.run(command, capture_output=True, text=True, check=False)


class TestReadmeCommands:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("install", INSTALL),
            ("tests", PYTEST),
            ("gate", ".venv/bin/pytest --loaderperf"),
        ],
    )
    def test_finds_commands(self, tmp_path: Path, name: str, expected: str) -> None:
        path = tmp_path / "README.md"
        path.write_text(readme(GATE, TESTS))
        finished = read_command(path, name)
        assert (finished.stdout, finished.stderr) == (f"{expected}\n", "")

    def test_finds_those_of_this_readme(self) -> None:
        finished = read_command(ROOT / "README.md", "install")
        assert (finished.stdout, finished.stderr) == (f"{INSTALL}\n", "")

    @pytest.mark.parametrize(
        ("commands", "complaint"),
        [
            ((GATE,), f"0 shell blocks end in '{PYTEST}'"),
            ((TESTS,), "0 shell blocks end in '.venv/bin/pytest --loaderperf'"),
            ((TESTS, GATE, GATE), "2 shell blocks end in '.venv/bin/pytest --loaderperf'"),
            ((f"{TESTS}\n{GATE}",), f"0 shell blocks end in '{PYTEST}'"),
            ((GATE, TESTS.replace(" && ", "\n")), "not one line"),
            ((GATE, TESTS.replace(f" && {PYTEST}", f" &&\n{PYTEST}")), "not one"),
            ((GATE, PYTEST), "not one line"),
            ((GATE, f"pip list && nice {PYTEST}"), "not one line"),
            ((GATE, TESTS.replace("[dev]", "[torch]")), "install differently"),
        ],
    )
    @pytest.mark.parametrize("name", ["install", "tests", "gate"])
    def test_refuses_what_is_not_exactly_one(
        self, tmp_path: Path, commands: tuple[str, ...], complaint: str, name: str
    ) -> None:
        path = tmp_path / "README.md"
        path.write_text(readme(*commands))
        finished = read_command(path, name)
        assert (finished.returncode, finished.stdout) == (1, "")
        assert complaint in finished.stderr
        assert "Traceback" not in finished.stderr

    def test_refuses_a_name_that_it_does_not_know(self) -> None:
        finished = read_command(ROOT / "README.md", "deploy")
        assert (finished.returncode, finished.stdout) == (1, "")
        assert "usage:" in finished.stderr


TOOL = """\
#!/bin/sh
echo "ran ${0##*/}${*:+ }$*"
mkdir -p .loaderperf .pytest_cache src/__pycache__
[ "${0##*/}" != "$FAILING" ] || exit 3
"""
TOOLS = (
    "ruff", "lint-imports", "zizmor", "actionlint", "mypy", "mkdocs", "python", "pytest", "pip",
)  # fmt: skip


class TestRun:
    """``.ci/run`` in a folder whose README installs tools that only say their names."""

    @pytest.fixture
    def checkout(self, tmp_path: Path) -> Path:
        checkout = tmp_path / "check out"
        (checkout / ".ci").mkdir(parents=True)
        (checkout / "src").mkdir()
        shutil.copy(RUN, checkout / ".ci")
        shutil.copy(README_COMMANDS, checkout / ".ci")
        (checkout / "tool").write_text(TOOL)
        (checkout / "tool").chmod(0o755)
        links = " && ".join(f"ln -s ../../tool .venv/bin/{tool}" for tool in TOOLS)
        install = f"mkdir -p .venv/bin && {links}"
        commands = (f"{install} && .venv/bin/pytest --loaderperf", f"{install} && {PYTEST}")
        (checkout / "README.md").write_text(readme(*commands))
        return checkout

    def run(self, checkout: Path, failing: str = "") -> tuple[int, list[str]]:
        """Return the exit status, and what was run in which order."""
        finished = subprocess.run(
            [checkout / ".ci" / "run"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "FAILING": failing},
        )
        lines = finished.stdout.splitlines()
        return finished.returncode, [x.removeprefix("ran ") for x in lines if x[:4] == "ran "]

    def test_runs_linters_tests_and_gate(self, checkout: Path) -> None:
        before = sorted(checkout.rglob("*"))
        assert self.run(checkout) == (
            0,
            [
                "ruff check .",
                "lint-imports",
                "ruff format --check .",
                "zizmor --offline --no-progress .github",
                "actionlint",
                "mypy",
                "mypy .ci",
                "mkdocs build --strict -f .ci/mkdocs.yml",
                "python .ci/links.py build/site",
                "pytest -n 3 --dist loadfile",
                "pytest -n 3 --dist loadfile tests/faults",
                "pip install -q -e .[dev,layouts]",
                "pytest -n 3 --dist worksteal tests/layouts -k quick or mutations or carrying",
                "pytest --loaderperf",
            ],
        )
        assert sorted(checkout.rglob("*")) == before

    @pytest.mark.parametrize("failing", TOOLS)
    def test_failure_ends_the_run_and_leaves_nothing_behind(
        self, checkout: Path, failing: str
    ) -> None:
        before = sorted(checkout.rglob("*"))
        status, ran = self.run(checkout, failing)
        assert status == 3
        assert ran[-1].split()[0] == failing
        assert [line.split()[0] for line in ran].count(failing) == 1
        assert sorted(checkout.rglob("*")) == before

    def test_fails_without_the_commands(self, checkout: Path) -> None:
        (checkout / "README.md").write_text("# Title\n")
        assert self.run(checkout) == (1, [])

    def test_refuses_an_environment_that_is_there(self, checkout: Path) -> None:
        (checkout / ".venv").mkdir()
        assert self.run(checkout) == (2, [])
        assert (checkout / ".venv").is_dir()

    def test_keeps_what_was_there(self, checkout: Path) -> None:
        data = checkout / ".loaderperf" / "data"
        data.mkdir(parents=True)
        assert self.run(checkout)[0] == 0
        assert data.is_dir()
        assert not (checkout / ".pytest_cache").exists()


class TestWorkflows:
    @pytest.fixture
    def workflows(self) -> dict[str, str]:
        folder = ROOT / ".github" / "workflows"
        found = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
        assert {"test.yml", "loaderperf.yml"} <= found.keys()
        return found

    @pytest.fixture
    def action(self) -> str:
        file = ROOT / ".github" / "actions" / "loaderperf" / "action.yml"
        return file.read_text(encoding="utf-8")

    def test_actions_are_pinned_by_commit(self, workflows: dict[str, str], action: str) -> None:
        ours = r"\./\.github/actions/loaderperf # zizmor: .*"
        pinned = re.compile(rf"[\w.-]+(/[\w.-]+)+@[0-9a-f]{{40}} # v\d+(\.\d+)*|{ours}")
        uses = [
            (name, use.strip())
            for name, text in {**workflows, "action.yml": action}.items()
            for use in re.findall(r"^[\s-]*[\"']?uses[\"']?\s*:(.*)$", text, re.MULTILINE)
        ]
        assert uses
        assert [each for each in uses if not pinned.fullmatch(each[1])] == []

    def test_one_action_has_one_version(self, workflows: dict[str, str], action: str) -> None:
        texts = "\n".join([*workflows.values(), action])
        uses = set(re.findall(r"uses: (\S+?)@(\S+ # \S+)", texts))
        assert len(uses) == len({action for action, _ in uses})

    def test_a_comment_is_written_when_the_gate_has_ended(self, workflows: dict[str, str]) -> None:
        gate, comment = (yaml.safe_load(workflows[f"{n}.yml"]) for n in ("loaderperf", "comment"))
        started = comment[True]["workflow_run"]  # that is how YAML reads "on"
        assert started == {"workflows": [gate["name"]], "types": ["completed"]}

    def test_no_permission_is_given_to_a_whole_workflow(self, workflows: dict[str, str]) -> None:
        for text in workflows.values():
            found = re.findall(r"^[\"']?permissions.*$", text, re.MULTILINE)
            assert found == ["permissions: {}"]

    def test_oldest_versions_are_tested(self, workflows: dict[str, str]) -> None:
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        python = re.search(r'^requires-python = ">=([\d.]+)"$', project, re.MULTILINE)
        needed = project[project.index("\ndependencies") : project.index("\n[project.optional")]
        oldest = re.findall(r'^ *"(pytest[\w-]*)>=([\d.]+)",$', needed, re.MULTILINE)
        assert python
        assert [name for name, _ in oldest] == ["pytest", "pytest-benchmark"]
        assert f'python: ["{python[1]}", ' in workflows["test.yml"]
        together = " ".join(f"{name}=={version}.*" for name, version in oldest)
        assert f'pytest: ["{together}", ' in workflows["test.yml"]


class TestRelease:
    def test_changelog_begins_with_this_version(self) -> None:
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        versions = re.findall(r"^## \[?v?(\d[^\s\]]*)", changelog, re.MULTILINE)
        assert versions[:1] == [pytest_loaderperf.__version__]

    def test_what_is_cited_and_installed_by_the_docs_is_this_version(self) -> None:
        cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
        assert cited["version"] == pytest_loaderperf.__version__
        pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
        text = "\n".join(page.read_text("utf-8") for page in pages)
        named = re.findall(r"pip install pytest-loaderperf==(\S+)", text)
        assert set(named) == {pytest_loaderperf.__version__}

    def test_the_same_pythons_are_promised_and_tested(self) -> None:
        project = (ROOT / "pyproject.toml").read_text("utf-8")
        promised = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project)
        nox = (ROOT / ".ci" / "noxfile.py").read_text("utf-8")
        workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text("utf-8"))
        jobs = workflow["jobs"]
        assert jobs["test"]["strategy"]["matrix"]["python"] == promised
        sessions = ["oldest", *(f"tests-{version}" for version in promised)]
        assert jobs["numpy"]["strategy"]["matrix"]["session"] == sessions
        assert f"PYTHONS = {tuple(promised)}".replace("'", '"') in nox
        assert re.search(rf'requires-python = ">={promised[0]}"', project)

    def test_the_oldest_of_everything_that_is_needed_is_tested(self) -> None:
        project = (ROOT / "pyproject.toml").read_text("utf-8")
        needed = project[project.index("\ndependencies") : project.index("\n[project.urls")]
        oldest = [f"{n}=={v}.*" for n, v in re.findall(r'"([\w-]+)>=([\d.]+)"', needed)]
        nox = (ROOT / ".ci" / "noxfile.py").read_text("utf-8")
        tested = nox[nox.index("OLDEST = (") : nox.index("SCHEMAS")]
        assert re.findall(r'"(.*?)"', tested) == oldest

    def test_only_the_job_that_publishes_has_a_right_and_it_runs_nothing_of_its_own(self) -> None:
        workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text("utf-8"))
        build, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
        assert build["permissions"] == {"contents": "read"}
        assert publish["permissions"] == {"id-token": "write"}
        assert publish["environment"]["name"] == "pypi"
        used = [step["uses"].partition("@")[0] for step in publish["steps"]]
        assert used == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]
        assert not any("run" in step for step in publish["steps"])


def test_no_module_is_too_long() -> None:
    package = Path(pytest_loaderperf.__file__).parent  # the installed one, where src/ is gone
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in package.rglob("*.py")}
    assert lengths
    assert {path.name: length for path, length in lengths.items() if length > 400} == {}
