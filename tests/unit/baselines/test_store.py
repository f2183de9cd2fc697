"""The store: one text per content, strict reading, and writes that are all or nothing."""

import json
import os
import resource
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_loaderperf.baselines.store import (
    Entries,
    Entry,
    Record,
    Stored,
    load,
    parse,
    render,
    save,
    store_path,
)
from pytest_loaderperf.errors import StoreError
from pytest_loaderperf.model.units import round_significant
from pytest_loaderperf.model.workload import Workload
from pytest_loaderperf.versions.usage import UsedFiles

KEY = "test_photos[32]"
ENTRIES: Entries = {
    KEY: Entry(
        workload=Workload(
            batch="tuple[float32[*,3,256,256], int64[*]]",
            bytes_per_sample=786440.0,
            samples_per_epoch=2048,
        ),
        records={
            "x86_64 32 cores": Record(
                metrics={"throughput": Stored(value=561.87654, spread=0.012345)},
                versions={"torch": "2.14.1"},
            )
        },
    )
}
TEXT = """\
{
  "checks": {
    "test_photos[32]": {
      "records": {
        "x86_64 32 cores": {
          "metrics": {
            "throughput": {
              "spread": 0.012,
              "value": 561.9
            }
          },
          "versions": {
            "torch": "2.14.1"
          }
        }
      },
      "workload": {
        "batch": "tuple[float32[*,3,256,256], int64[*]]",
        "bytes_per_sample": 786440.0,
        "samples_per_epoch": 2048
      }
    }
  },
  "format": 1
}
"""

USAGE = UsedFiles(files=("a.py", "tests/größe.py"), folders=("data",), digest="0123")
RECORDED = """\
          "used": {
            "digest": "0123",
            "files": [
              "a.py",
              "tests/größe.py"
            ],
            "folders": [
              "data"
            ]
          },
          "versions": {
"""
texts = st.text(st.characters(codec="utf-8"))
lists = st.lists(texts, max_size=3).map(tuple)
numbers = st.floats(min_value=0, max_value=1e29)
entries = st.dictionaries(
    texts,
    st.builds(
        Entry,
        workload=st.builds(
            Workload,
            batch=texts,
            bytes_per_sample=numbers,
            samples_per_epoch=st.none() | st.integers(min_value=0),
        ),
        records=st.dictionaries(
            texts,
            st.builds(
                Record,
                metrics=st.dictionaries(
                    texts, st.builds(Stored, value=numbers, spread=numbers), max_size=3
                ),
                versions=st.dictionaries(texts, texts, max_size=3),
                used=st.none() | st.builds(UsedFiles, files=lists, folders=lists, digest=texts),
            ),
            max_size=3,
        ),
    ),
    max_size=3,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
no_deadline = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def rounded(original: Entries) -> Entries:
    return {
        key: Entry(
            workload=Workload(
                batch=entry.workload.batch,
                bytes_per_sample=round_significant(entry.workload.bytes_per_sample, 6),
                samples_per_epoch=entry.workload.samples_per_epoch,
            ),
            records={
                machine: Record(
                    metrics={
                        name: Stored(
                            value=round_significant(stored.value),
                            spread=round_significant(stored.spread, 2),
                        )
                        for name, stored in record.metrics.items()
                    },
                    versions=record.versions,
                    used=record.used,
                )
                for machine, record in entry.records.items()
            },
        )
        for key, entry in original.items()
    }


# --- the path -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("tests/perf/test_images.py", "baselines/tests/perf/test_images.json"),
        ("test_a.b.py", "baselines/test_a.b.json"),
        ("./my tests//test_größe.py", "baselines/my tests/test_größe.json"),
        ("..hidden/test_a.py", "baselines/..hidden/test_a.json"),
    ],
)
def test_store_path(module: str, expected: str) -> None:
    assert store_path(Path("/project"), module) == Path("/project") / expected


@pytest.mark.parametrize(
    "module",
    ["../test_a.py", "tests/../../test_a.py", "/etc/test_a.py", "..", ".", "", "a.txt", "a\0.py"],
)
def test_store_path_refuses_what_is_not_a_module_below_the_root(module: str) -> None:
    with pytest.raises(StoreError, match="below the root"):
        store_path(Path("/project"), module)


# --- rendering and parsing ----------------------------------------------------------------------


def test_render_is_the_documented_layout() -> None:
    assert render(ENTRIES) == TEXT


def test_parse_reads_the_documented_layout() -> None:
    assert parse(TEXT, "x.json") == rounded(ENTRIES)
    assert parse(TEXT.replace("\n", "\r\n").encode(), "x.json") == rounded(ENTRIES)


def with_usage(usage: UsedFiles) -> Entries:
    entry = ENTRIES[KEY]
    records = {name: replace(record, used=usage) for name, record in entry.records.items()}
    return {KEY: replace(entry, records=records)}


def test_what_was_used_makes_a_file_of_the_second_format() -> None:
    text = TEXT.replace('          "versions": {\n', RECORDED).replace(": 1\n", ": 2\n")
    assert render(with_usage(USAGE)) == text
    assert parse(text, "x.json") == rounded(with_usage(USAGE))
    assert '"format": 2' in render({**with_usage(USAGE), "test_b": ENTRIES[KEY]})


def test_a_name_that_utf8_cannot_encode_is_refused() -> None:
    with pytest.raises(StoreError, match=r"\['files'\]\[1\] is not a text"):
        render(with_usage(replace(USAGE, files=("a.py", "\udcff.py"))))


def test_entries_are_sorted_and_readable_in_any_language() -> None:
    entry = ENTRIES[KEY]
    text = render({"test_ü[größe]": entry, "TestX::test_y[32-a]": entry, "test_b": entry})
    assert list(json.loads(text)["checks"]) == ["TestX::test_y[32-a]", "test_b", "test_ü[größe]"]
    assert '"test_ü[größe]": {' in text


def test_an_epoch_of_unknown_length_and_an_integer_are_read() -> None:
    text = TEXT.replace("2048", "null").replace("561.9", "562")
    entry = parse(text, "x.json")[KEY]
    stored = entry.records["x86_64 32 cores"].metrics["throughput"]
    assert entry.workload.samples_per_epoch is None
    assert (stored.value, type(stored.value)) == (562.0, float)


@no_deadline
@given(entries)
def test_rendering_and_parsing_lose_nothing_but_digits(original: Entries) -> None:
    text = render(original)
    read = parse(text.encode(), "x.json")
    assert read == rounded(original)
    assert render(read) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1.7976931348623157e308])
def test_render_refuses_what_parse_would_refuse(value: float) -> None:
    record = Record(metrics={"throughput": Stored(value=value, spread=0.01)}, versions={})
    bad = {KEY: Entry(workload=ENTRIES[KEY].workload, records={"m": record})}
    with pytest.raises(StoreError, match=r"\['throughput'\]\['value'\] is not a finite number"):
        render(bad)


def test_render_refuses_a_key_that_utf8_cannot_encode() -> None:
    with pytest.raises(StoreError, match="UTF-8"):
        render({"test_a[\ud800]": ENTRIES[KEY]})


# --- damage -------------------------------------------------------------------------------------


def set_at(*places: str, value: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for place in places[:-1]:
            document = document[place]
        document[places[-1]] = value

    return change


def used(**changed: object) -> dict[str, object]:
    return {"digest": "0", "files": [], "folders": [], **changed}


ENTRY = ("checks", KEY)
RECORD = (*ENTRY, "records", "x86_64 32 cores")
METRIC = (*RECORD, "metrics", "throughput")
WORKLOAD = (*ENTRY, "workload")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (set_at("format", value=0), "$['format'] is not 1"),
        (set_at("format", value=-1), "$['format'] is not a whole number"),
        (set_at("format", value=True), "$['format'] is not a whole number"),
        (set_at("format", value="1"), "$['format'] is not a whole number"),
        (lambda document: document.pop("format"), "$ has no 'format'"),
        (lambda document: document.pop("checks"), "$ has no 'checks'"),
        (set_at("date", value="today"), "$ has an unknown key 'date'"),
        (set_at("checks", value=[]), "$['checks'] is not an object"),
        (set_at(*ENTRY, value=None), f"$['checks']['{KEY}'] is not an object"),
        (set_at(*ENTRY, "extra", value=1), f"$['checks']['{KEY}'] has an unknown key 'extra'"),
        (set_at(*ENTRY, "records", value=1), "['records'] is not an object"),
        (set_at(*RECORD, "host", value="a"), "['x86_64 32 cores'] has an unknown key 'host'"),
        (set_at(*RECORD, "versions", value=[]), "['versions'] is not an object"),
        (set_at(*RECORD, "versions", "torch", value=2), "['versions']['torch'] is not a text"),
        (set_at(*RECORD, "used", value=[]), "['used'] is not an object"),
        (set_at(*RECORD, "used", value={"files": []}), "['used'] has no 'digest'"),
        (set_at(*RECORD, "used", value=used(files={})), "['used']['files'] is not a list"),
        (set_at(*RECORD, "used", value=used(files=[["a"]])), "['files'][0] is not a text"),
        (set_at(*RECORD, "used", value=used(folders=None)), "['folders'] is not a list"),
        (set_at(*RECORD, "used", value=used(digest=1)), "['digest'] is not a text"),
        (set_at(*RECORD, "used", value=used(host="a")), "['used'] has an unknown key 'host'"),
        (set_at(*METRIC, value=561.9), "['throughput'] is not an object"),
        (set_at(*METRIC, value={"value": 1.0}), "['throughput'] has no 'spread'"),
        (set_at(*METRIC, "value", value="561"), "['value'] is not a finite number"),
        (set_at(*METRIC, "value", value=True), "['value'] is not a finite number"),
        (set_at(*METRIC, "value", value=-1), "['value'] is not a finite number"),
        (set_at(*METRIC, "value", value=float("nan")), "['value'] is not a finite number"),
        (set_at(*METRIC, "value", value=float("inf")), "['value'] is not a finite number"),
        (set_at(*METRIC, "value", value=10**400), "['value'] is not a finite number"),
        (set_at(*METRIC, "spread", value=-0.1), "['spread'] is not a finite number"),
        (set_at(*WORKLOAD, "batch", value=None), "['batch'] is not a text"),
        (set_at(*WORKLOAD, "batch", value="\ud800"), "['batch'] is not a text"),
        (set_at(*WORKLOAD, "bytes_per_sample", value=None), "['bytes_per_sample'] is not a finite"),
        (set_at(*WORKLOAD, "samples_per_epoch", value=1.5), "is not a whole number"),
        (set_at(*WORKLOAD, "samples_per_epoch", value=-1), "is not a whole number"),
        (set_at(*WORKLOAD, "samples_per_epoch", value=False), "is not a whole number"),
    ],
)
def test_a_damaged_file_names_source_place_and_remedy(
    change: Callable[[Any], None], complaint: str
) -> None:
    document = json.loads(TEXT)
    change(document)
    with pytest.raises(StoreError) as caught:
        parse(json.dumps(document), "baselines/x.json")
    message = str(caught.value)
    assert message.startswith("baselines/x.json: $")
    assert complaint in message
    assert "restore the file from git" in message


DAMAGED_TEXTS: dict[str, str | bytes] = {
    "line 1 column 1": "",
    "line 6 column 11": TEXT[:100],
    "line 9 column 28": TEXT.replace("561.9", "561,9"),
    "can't decode byte 0xff in position 0": TEXT.encode("utf-16"),
    "can't decode byte 0xff in position": TEXT.encode().replace(b"test_photos", b"test_\xff"),
    "BOM": b"\xef\xbb\xbf" + TEXT.encode(),
    "Extra data: line 26": TEXT + TEXT,
    "while decoding": "[" * 100_000,
    "digits": '{"format": ' + "1" * 5000 + "}",
    "$ is not an object": "null",
    "['throughput']['value'] occurs twice": TEXT.replace('"spread": 0.012', '"value": 1.0'),
    "$['format'] occurs twice": TEXT.replace('"format": 1', '"format": 1, "format": 1'),
}


@pytest.mark.parametrize("complaint", DAMAGED_TEXTS)
def test_damaged_text_names_the_place(complaint: str) -> None:
    with pytest.raises(StoreError) as caught:
        parse(DAMAGED_TEXTS[complaint], "baselines/x.json")
    assert str(caught.value).startswith("baselines/x.json: ")
    assert complaint in str(caught.value)


def test_a_newer_format_says_to_upgrade_whatever_else_it_holds() -> None:
    with pytest.raises(StoreError, match=r"is 3, .* reads 2; upgrade the plugin"):
        parse('{"format": 3, "tables": [], "checks": 7}', "x.json")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["<<<<<<< HEAD", "||||||| base", "=======", ">>>>>>> branch"])
def test_a_merge_conflict_says_so(mark: str, end: str) -> None:
    lines = TEXT.splitlines()
    lines.insert(7, mark)
    with pytest.raises(StoreError, match="line 8 is the mark of a merge conflict; resolve it"):
        parse(end.join(lines), "x.json")


def test_conflict_marks_inside_a_key_are_data() -> None:
    unusual = {"test_a[<<<<<<< x\n=======\n]": ENTRIES[KEY]}
    assert parse(render(unusual), "x.json") == rounded(unusual)


def survives(content: str | bytes) -> None:
    message = "x.json: "
    try:
        parse(content, "x.json")
    except StoreError as error:
        message = str(error)
    assert message.startswith("x.json: ")


@no_deadline
@given(st.text() | st.binary())
@example("\ufeff{}")
def test_any_content_is_read_or_refused(content: str | bytes) -> None:
    survives(content)


@no_deadline
@given(json_values)
def test_any_json_is_read_or_refused(value: object) -> None:
    survives(json.dumps(value))
    survives(json.dumps({"checks": value, "format": 1}))


@no_deadline
@given(st.data())
def test_any_json_at_any_place_is_read_or_refused(data: st.DataObject) -> None:
    document = json.loads(TEXT)
    places = [("checks",), ENTRY, RECORD, METRIC, WORKLOAD, (*METRIC, "value"), ("format",)]
    places += [(*RECORD, "used"), (*RECORD, "used", "files")]
    set_at(*RECORD, "used", value=used())(document)
    set_at(*data.draw(st.sampled_from(places)), value=data.draw(json_values))(document)
    survives(json.dumps(document))


@no_deadline
@given(st.integers(0, len(TEXT)), st.integers(0, 20), st.text(max_size=5))
def test_any_edit_is_read_or_refused(start: int, length: int, replacement: str) -> None:
    survives(TEXT[:start] + replacement + TEXT[start + length :])


# --- files --------------------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_save_and_load(tmp_path: Path) -> None:
    path = store_path(tmp_path, "tests/größe x/test_a.py")
    assert load(path) == {}
    save(path, ENTRIES)
    assert contents(path.parent) == {"test_a.json": TEXT.encode()}
    assert load(path) == rounded(ENTRIES)


def test_saving_nothing_removes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    save(path, {})
    save(path, ENTRIES)
    save(path, {})
    assert contents(tmp_path) == {}


def test_a_folder_in_the_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.mkdir()
    with pytest.raises(StoreError, match=r"a\.json: .*cannot be read: Is a directory"):
        load(path)
    with pytest.raises(StoreError, match=r"a\.json: .*cannot be written .*: Is a directory"):
        save(path, ENTRIES)
    with pytest.raises(StoreError, match="cannot be written"):
        save(path, {})
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "baselines").write_text("a file")
    path = store_path(tmp_path, "tests/test_a.py")
    with pytest.raises(StoreError, match="cannot be read"):
        load(path)
    with pytest.raises(StoreError, match="cannot be written"):
        save(path, ENTRIES)
    assert contents(tmp_path) == {"baselines": b"a file"}


def test_damage_found_on_loading_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"\xff")
    with pytest.raises(StoreError, match=f"^{path}: "):
        load(path)


def test_permissions_are_kept_and_new_files_follow_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    umask = os.umask(0o027)
    try:
        save(path, ENTRIES)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o664)
        save(path, ENTRIES)
        assert stat.S_IMODE(path.stat().st_mode) == 0o664
    finally:
        os.umask(umask)


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_stays_one(tmp_path: Path, exists: bool) -> None:
    path, target = tmp_path / "a.json", tmp_path / "shared" / "b.json"
    target.parent.mkdir()
    if exists:
        target.write_text("old")
    path.symlink_to("shared/b.json")
    save(path, ENTRIES)
    assert path.is_symlink()
    assert contents(target.parent) == {"b.json": TEXT.encode()}
    save(path, {})
    assert not path.is_symlink()
    assert target.exists()


@pytest.mark.parametrize(
    "failing", ["os.fsync", "pathlib.Path.replace", "shutil.copymode", "pathlib.Path.open"]
)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_save_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, error: BaseException
) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def fail(*arguments: object) -> None:
        raise error

    expected = StoreError if isinstance(error, OSError) else KeyboardInterrupt
    with monkeypatch.context() as patch:
        patch.setattr(failing, fail)
        with pytest.raises(expected) as caught:
            save(path, ENTRIES)
    assert contents(tmp_path) == {"a.json": b"old"}
    if expected is StoreError:
        assert str(path) in str(caught.value)
        assert "are unchanged: No space left on device" in str(caught.value)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(TEXT) // 2, hard))
    try:
        with pytest.raises(StoreError, match="are unchanged: File too large"):
            save(path, ENTRIES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(tmp_path) == {"a.json": b"old"}


def test_entries_that_cannot_be_stored_leave_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    save(path, ENTRIES)
    with pytest.raises(StoreError):
        save(path, {"test_a[\udcff]": ENTRIES[KEY]})
    assert contents(tmp_path) == {"a.json": TEXT.encode()}
