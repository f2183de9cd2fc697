"""The documentation: complete where it claims to be, and without a link that leads nowhere."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import examples
from pytest_loaderperf.model.metrics import METRICS
from pytest_loaderperf.model.results import Verdict
from pytest_loaderperf.options import OPTIONS
from pytest_loaderperf.reports import results_json
from pytest_loaderperf.settings import MARKER_ARGUMENTS
from support.scripts import script

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
REFERENCE = (ROOT / "docs" / "reference.md").read_text("utf-8")


def named(text: str, name: str) -> bool:
    """Whether a text has this name as code, alone or at the beginning of some."""
    return re.search(rf"`{re.escape(name)}(?![\w-])", text) is not None


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_the_reference_has_every_option(option: object) -> None:
    assert isinstance(option, type(OPTIONS[0]))
    if option.command_line:
        assert named(REFERENCE, option.switch)
    if option.name:  # without one, it is the name of the fixture as well
        assert named(REFERENCE, option.key) == option.ini


def test_the_generated_tables_of_the_reference_are_those_of_the_code() -> None:
    reference = script("reference")
    assert reference.generated(REFERENCE) == REFERENCE, "run python .ci/reference.py"
    assert {*reference.MORE} <= {option.name for option in OPTIONS}
    assert "| `--loaderperf-stall=TOLERANCE` | `loaderperf_stall` | 0.02 |" in REFERENCE
    assert r"| `--loaderperf-why[=never\|FILE]` | `loaderperf_why` | tell of every" in REFERENCE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a 'word' of a check's; --loaderperf too", "a `word` of a check's. `--loaderperf` too"),
        ("one (two; three); or four", "one (two; three); or four"),
        ("'a|b'", r"`a\|b`"),
    ],
)
def test_the_help_of_an_option_as_markdown(text: str, expected: str) -> None:
    assert script("reference").prose(text) == expected


@pytest.mark.parametrize("name", [*MARKER_ARGUMENTS, *METRICS, *map(str, Verdict)])
def test_the_reference_has_every_argument_metric_and_verdict(name: str) -> None:
    assert named(REFERENCE, name)


def fields(value: object) -> set[str]:
    """The names of all fields of a JSON document; what has names of its own is not among them."""
    if isinstance(value, list):
        return set().union(*map(fields, value))
    if not isinstance(value, dict):
        return set()
    below = {name: each for name, each in value.items() if name not in METRICS}
    below = {name: each for name, each in below.items() if name not in set(Verdict)}
    return set(below).union(*map(fields, value.values()))


def test_the_reference_has_every_field_of_the_results() -> None:
    found = fields(results_json.to_json(examples.run(), examples.sweeps()))
    assert {"schema", "spread", "cpu_pressure", "ratios", "samples_per_epoch"} <= found
    assert not [name for name in found if not named(REFERENCE, name)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name) if name else page
        assert other.exists(), target
        titles = re.findall(r"^#+ (.+)$", other.read_text("utf-8"), re.MULTILINE)
        anchors = {
            re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles
        }
        assert not anchor or anchor in anchors, target


def test_every_page_can_be_reached() -> None:
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page not in reached:
            reached.add(page)
            targets = re.findall(r"\]\(([^)\s#]+\.md)", page.read_text("utf-8"))
            todo += [(page.parent / target).resolve() for target in targets]
    assert reached >= set(PAGES)


@pytest.mark.parametrize("page", ["evidence", "history", "memory", "reliability", "verdicts"])
def test_files_of_this_repository_that_a_page_names_exist(page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text("utf-8")
    found = re.findall(r"(?<![\w/])(?:tests|benchmarks)/[\w/]*\.\w+", text)
    assert [name for name in found if not (ROOT / name).exists()] == []


# --- the code on the pages


def blocks(page: Path, *languages: str) -> Iterator[tuple[int, str]]:
    """The blocks of code in these languages, each with the number of its line."""
    text = page.read_text("utf-8")
    for found in re.finditer(r"^( *)```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        if found[2] in languages:
            lines = [line.removeprefix(found[1]) for line in found[3].splitlines()]
            yield text.count("\n", 0, found.start()) + 1, "\n".join([*lines, ""])


SWITCHES = {option.switch for option in OPTIONS if option.command_line}
KEYS = {option.key for option in OPTIONS if option.ini}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_the_code_of_a_page_is_sound(page: Path) -> None:
    languages = {"", "groovy", "ini", "json", "python", "shell", "text", "yaml"}
    fences = re.findall(r"^ *```(.*)$", page.read_text("utf-8"), re.MULTILINE)
    assert set(fences) <= languages
    for line, code in blocks(page, "python"):
        compile(code, f"{page.name}:{line}", "exec")
    for _, code in blocks(page, "json"):
        json.loads(code)
    for _, code in blocks(page, "yaml"):
        assert isinstance(yaml.safe_load(code), dict)
    for _, code in blocks(page, "ini"):
        settings = configparser.ConfigParser(interpolation=None)
        settings.read_string(code)
        named = [key for key in settings["pytest"] if key.startswith("loaderperf")]
        assert {*named} <= KEYS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_that_a_page_names_exist(page: Path) -> None:
    text = re.sub(r"`--loaderperf-NAME`", "", page.read_text("utf-8"))
    assert {*re.findall(r"(?<![\w-])--loaderperf[\w-]*\w", text)} <= SWITCHES
    keys = {*re.findall(r"(?<![\w/-])loaderperf_[a-z]\w*", text)}
    assert keys <= KEYS | {"loaderperf_data"}


def test_workflows_of_a_page_use_inputs_of_the_action() -> None:
    action = yaml.safe_load((ROOT / ".github/actions/loaderperf/action.yml").read_text("utf-8"))
    steps = [
        step
        for page in PAGES
        for _, code in blocks(page, "yaml")
        for job in yaml.safe_load(code).get("jobs", {}).values()
        for step in job.get("steps", ())
    ]
    ours = [step for step in steps if "actions/loaderperf@" in step.get("uses", "")]
    assert len(ours) >= 3
    for step in ours:
        assert {*step.get("with", {})} <= {*action["inputs"]}
