"""Results files of strangers: what is not exactly right is refused, and nothing else happens."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import examples
from pytest_loaderperf.errors import LoaderPerfError
from pytest_loaderperf.model.results import Coverage
from pytest_loaderperf.reports import explain, reading, results_json, terminal
from pytest_loaderperf.reports.forges import markdown

GOOD = json.loads(json.dumps(results_json.to_json(examples.run(), examples.sweeps())))
TEXT = json.dumps(GOOD)
FIRST = "checks", 0


def changed(*path: str | int, to: object) -> bytes:
    """The file of a good run with something else in one place."""
    content = copy.deepcopy(GOOD)
    place = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return json.dumps(content).encode()


def without(*path: str | int) -> bytes:
    content = copy.deepcopy(GOOD)
    place = content
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return json.dumps(content).encode()


def nested(depth: int, opening: str, end: str) -> bytes:
    return TEXT.replace('"problems": []', f'"problems": {opening * depth}{end * depth}').encode()


SPEED = (*FIRST, "metrics", "throughput")
HOSTILE: Mapping[str, bytes | Callable[[], bytes]] = {
    "empty": b"",
    "no JSON": b"PK\x03\x04 not a zip that anybody opens",
    "not UTF-8": TEXT.encode("utf-16"),
    "half of a character": TEXT.encode().replace(b"resize", b"\xff"),
    "half of a file": TEXT.encode()[: len(TEXT) // 2],
    "more than one document": TEXT.encode() * 2,
    "too large": lambda: TEXT.encode().ljust(reading.LIMIT + 1),
    "deep lists": nested(100_000, "[", "]"),
    "deep objects": nested(100_000, '{"a":', "1" + "}" * 0).replace(b'"a":1', b'"a":'),
    "a list": b"[]",
    "null": b"null",
    "a number": b"1e5",
    "another schema": changed("schema", to=2),
    "a schema that is text": changed("schema", to="<b>1</b>"),
    "no checks": without("checks"),
    "checks that are text": changed("checks", to="abc"),
    "a check that is a list": changed("checks", 0, to=[]),
    "a check that is null": changed("checks", 0, to=None),
    "too many checks": lambda: changed("checks", to=[GOOD["checks"][1]] * 10_001),
    "a name that is a number": changed(*FIRST, "nodeid", to=3),
    "a name that is a list": changed(*FIRST, "nodeid", to=["a"]),
    "no name": without(*FIRST, "nodeid"),
    "another verdict": changed(*FIRST, "verdict", to="approved"),
    "another outcome": changed(*FIRST, "outcome", to="<img src=x>"),
    "another metric": changed(
        *FIRST, "metrics", "@everyone", to=GOOD["checks"][0]["metrics"]["throughput"]
    ),
    "a metric that is text": changed(*SPEED, to="fast"),
    "a value that is text": changed(*SPEED, "value", to="![x](https://evil.example)"),
    "a value that is a truth value": changed(*SPEED, "value", to=True),
    "NaN": TEXT.replace('"ratio": 0.795', '"ratio": NaN').encode(),
    "infinity": TEXT.replace('"ratio": 0.795', '"ratio": -Infinity').encode(),
    "a number without end": TEXT.replace('"ratio": 0.795', '"ratio": 1e999').encode(),
    "a number of many digits": TEXT.replace('"pairs": 4', f'"pairs": {"9" * 1_000}').encode(),
    "an interval of three ends": changed(*SPEED, "interval", to=[0.1, 0.2, 0.3]),
    "an interval that is text": changed(*SPEED, "interval", to="01"),
    "pairs that are a fraction": changed(*SPEED, "pairs", to=2.5),
    "a field twice": TEXT.replace('"schema": 1', '"schema": 1, "schema": 1').encode(),
    "a name twice": TEXT.replace('"nodeid"', '"nodeid": "safe", "nodeid"', 1).encode(),
    "notes that are text": changed(*FIRST, "notes", to="@all"),
    "notes that hold a list": changed(*FIRST, "notes", to=[["x"]]),
    "packages that are no pairs": changed(*FIRST, "packages", to={"torch": ["1"]}),
    "an epoch without a batch": changed(
        *FIRST, "coverage", to={"batches": 1, "epoch_batches": 0, "share": None}
    ),
    "a reason of another kind": changed(*FIRST, "why", "time", "culprits", 0, "waits", to="yes"),
    "a reason with a field more": changed(*FIRST, "why", "time", "exec", to="import os"),
    "problems that are no text": changed("problems", to=[{"a": 1}]),
    "commits that are no text": changed("against", "commits", to=[None]),
    "no mode": changed("against", to={}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_not_a_results_file_is_refused_and_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "loaderperf.json"
    content = HOSTILE[kind]
    path.write_bytes(content if isinstance(content, bytes) else content())
    with pytest.raises(LoaderPerfError) as raised:
        reading.read(path)
    said = str(raised.value)
    assert said.startswith(f"{path} is no results file: ")
    assert len(said) < len(str(path)) + 250


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("link", "Too many levels of symbolic links"),
        ("dangling link", "Too many levels of symbolic links"),
        ("folder", "Is a directory"),
        ("pipe", "it is not a file"),
        ("device", "it is not a file"),
        ("nothing", "No such file"),
    ],
)
def test_what_is_not_a_file_is_refused(tmp_path: Path, kind: str, said: str) -> None:
    path = tmp_path / "loaderperf.json"
    secret = tmp_path / "secret.json"
    secret.write_text(TEXT)
    match kind:
        case "link":
            path.symlink_to(secret)
        case "dangling link":
            path.symlink_to(tmp_path / "nowhere")
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "device":
            path = Path("/dev/zero")
    with pytest.raises(LoaderPerfError, match=f"{path.name} is no results file: .*{said}"):
        reading.read(path)


def read(folder: Path, content: bytes) -> Any:
    path = folder / "results.json"
    path.write_bytes(content)
    return reading.read(path)


def test_what_reports_say_of_a_run_is_what_they_say_of_its_file(tmp_path: Path) -> None:
    run, again = examples.run(), read(tmp_path, TEXT.encode())
    assert terminal.headline(again.results) == terminal.headline(run.results)
    assert terminal.summary(again.results) == terminal.summary(run.results)
    for result, other in zip(run.results, again.results, strict=True):
        told = [line for line in explain.failure(result) if "made worse by" not in line]
        assert explain.failure(other) == told
        assert terminal.verdict_cell(other) == terminal.verdict_cell(result)
        for name, metric in result.metrics.items():
            assert terminal.ratio_cell(other.metrics[name]) == terminal.ratio_cell(metric)


def test_a_value_that_is_unbounded_is_one_again(tmp_path: Path) -> None:
    content = json.loads(TEXT)
    speed = content["checks"][0]["metrics"]["throughput"]
    speed["interval"][1] = None
    content["checks"][1]["metrics"]["throughput"]["value"] = None
    content["checks"][2]["coverage"] = {"batches": 4, "epoch_batches": 4, "share": 1.0}
    run = read(tmp_path, json.dumps(content).encode())
    assert terminal.ratio_cell(run.results[0].metrics["throughput"]) == "0.795"
    assert "throughput" not in run.results[1].metrics
    assert run.results[2].coverage == Coverage(batches=4, epoch_batches=4, whole=True)


@pytest.mark.parametrize(
    ("against", "source"),
    [
        ({"mode": "stored", "commits": []}, "stored numbers"),
        ({"mode": "accepted", "commits": ["abcdef0123456789"]}, "commit abcdef012345"),
        ({"mode": "accepted", "commits": ["a", "b"]}, "its accepted commit"),
    ],
)
def test_baselines_are_named_as_well_as_the_file_does(
    tmp_path: Path, against: dict[str, Any], source: str
) -> None:
    run = read(tmp_path, changed("against", to=against))
    assert run.results[0].metrics["throughput"].source == source


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
places = st.lists(st.integers(0, 50), min_size=1, max_size=6)


@given(places, leaves | st.lists(leaves, max_size=3) | st.dictionaries(st.text(), leaves))
@settings(deadline=None, max_examples=100)
def test_one_wrong_value_anywhere_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], value: object
) -> None:
    content = copy.deepcopy(GOOD)
    place: Any = content
    for step in steps:
        keys = [*place] if isinstance(place, dict) else range(len(place))
        key = [*keys][step % len(keys)]
        if not isinstance(place[key], dict | list) or not place[key] or step is steps[-1]:
            break
        place = place[key]
    place[key] = value
    try:
        run = read(tmp_path_factory.getbasetemp(), json.dumps(content).encode())
    except LoaderPerfError:
        return
    assert len(markdown.comment(run.results, run.problems, about=[])) <= 65_536
