"""The store: one JSON file of accepted numbers per test module, below ``baselines/``.

The files are read by people in a diff and merged by git, so they are rendered in one way only.
Their content is data: nothing in it is executed, imported or used as a path.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import StoreError
from ..model.units import round_significant
from ..model.workload import Workload
from ..system import files
from ..versions.usage import UsedFiles

FOLDER = "baselines"

# History of the format, oldest first. A change that an older version would misread adds a number.
#   1  first format
#   2  a record may say which files were ``used``; a file without any is still written as 1
FORMAT = 2
_WITHOUT_USED = 1

_LARGEST = 1e30  # no metric comes near it, and its square is still a number
_REPAIR = (
    "restore the file from git (git checkout -- FILE), or delete it and record it anew: "
    "pytest --loaderperf-update"
)
_CONFLICT = re.compile(r"^(<{7}|\|{7}|={7}|>{7})( |\r?$)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What was measured of one metric when it was accepted.

    ``value`` is in the unit of the metric; ``spread`` is the standard deviation of its natural
    logarithm between runs (dimensionless, 0.01 is about one per cent).
    """

    value: float
    spread: float


@dataclass(frozen=True, kw_only=True)
class Record:
    """What one machine class measured: metrics by name, and the versions of the packages.

    ``used`` are the project's files that the check has used; None where nobody knows.
    """

    metrics: Mapping[str, Stored]
    versions: Mapping[str, str]
    used: UsedFiles | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is accepted for one check: its workload, and one record per machine class."""

    workload: Workload
    records: Mapping[str, Record]


Entries = dict[str, Entry]  # by check: what follows the module path in the node id


def store_path(root: Path, module: str) -> Path:
    """Name the file of a test module, given as a POSIX path relative to the project root.

    Raises StoreError if that is not a ``.py`` file below the root.
    """
    path = PurePosixPath(module)
    if path.is_absolute() or ".." in path.parts or path.suffix != ".py" or "\0" in module:
        raise StoreError(
            f"{module!r} cannot have baselines: a test module is a .py file below the root folder "
            "of the project; move the test there, or set --rootdir"
        )
    return root / FOLDER / path.with_suffix(".json")


def check_inside(root: Path, path: Path) -> None:
    """StoreError if a file of the store is a link to somewhere else: it would be written there."""
    folder = os.path.realpath(root / FOLDER)
    if not os.path.realpath(path).startswith(folder + os.sep):
        raise StoreError(f"{path} is a link that leads out of {FOLDER}/; put a file in its place")


def parse(text: str | bytes, source: str) -> Entries:
    """Read the content of a file, as text or UTF-8; ``source`` names it in errors.

    Raises StoreError if it is damaged or of another format, with the place inside and a remedy.
    """
    try:
        return _read(text)
    except _DamageError as damage:
        raise StoreError(f"{source}: {damage}; {damage.remedy}") from damage


def render(entries: Entries) -> str:
    """Write entries as the one text that stands for them, numbers rounded.

    Raises StoreError if they hold what ``parse`` would refuse, such as NaN.
    """
    checks = {
        key: {
            "records": {machine: _rendered(record) for machine, record in entry.records.items()},
            "workload": {
                "batch": entry.workload.batch,
                # Most often an exact product of shape and dtype: more digits mean something.
                "bytes_per_sample": round_significant(entry.workload.bytes_per_sample, 6),
                "samples_per_epoch": entry.workload.samples_per_epoch,
            },
        }
        for key, entry in entries.items()
    }
    has_used = any(each.used for entry in entries.values() for each in entry.records.values())
    document = {"checks": checks, "format": FORMAT if has_used else _WITHOUT_USED}
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    try:
        _read(text)  # what the next run would refuse must not be written by this one
    except _DamageError as damage:
        raise StoreError(f"a baseline cannot be stored: {damage}") from damage
    return text


def load(path: Path) -> Entries:
    """Read a file; one that does not exist has no entries.

    Raises StoreError if it cannot be read, or as ``parse`` does.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreError(
            f"{path}: the baselines cannot be read: {error.strerror}; "
            f"let it be a readable file, or restore it: git checkout -- {path}"
        ) from error
    return parse(content, str(path))


def save(path: Path, entries: Entries) -> None:
    """Replace a file, all or nothing; without entries, remove it.

    Raises StoreError if it cannot be written; what was there is then unchanged.
    """
    content = render(entries)
    try:
        if entries:
            files.replace(
                Path(os.path.realpath(path)), content
            )  # so that a symbolic link stays one
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path}: the baselines cannot be written and are unchanged: {error.strerror}; "
            "make room or permit writing there, then: pytest --loaderperf-update"
        ) from error


def _rendered(record: Record) -> dict[str, object]:
    used = {"used": dataclasses.asdict(record.used)} if record.used else {}
    return {
        **used,
        "metrics": {
            # A spread is estimated from few runs: a third digit would be noise.
            name: {
                "spread": round_significant(stored.spread, 2),
                "value": round_significant(stored.value),
            }
            for name, stored in record.metrics.items()
        },
        "versions": dict(record.versions),
    }


class _DamageError(Exception):
    """What is wrong with a content, where, and what to do about it."""

    def __init__(self, problem: str, remedy: str = _REPAIR) -> None:
        super().__init__(problem)
        self.remedy = remedy


@dataclass(frozen=True, kw_only=True)
class _Node:
    """A value inside a file with its place, which every complaint names."""

    value: object
    place: str

    def members(self) -> dict[str, _Node]:
        """Return the members of an object with any keys."""
        if not isinstance(self.value, tuple):
            raise self.wrong("an object")
        members: dict[str, _Node] = {}
        for key, value in self.value:
            node = _Node(value=value, place=f"{self.place}[{key!r}]")
            _Node(value=key, place=node.place).text()
            if key in members:
                raise _DamageError(f"{node.place} occurs twice")
            members[key] = node
        return members

    def fields(self, *names: str, but: str = "") -> list[_Node]:
        """Return the members of an object with exactly these keys, in this order.

        It may have one more, ``but``.
        """
        members = self.members()
        members.pop(but, None)
        for name in names:
            if name not in members:
                raise _DamageError(f"{self.place} has no {name!r}")
        for name in members.keys() - set(names):
            raise _DamageError(f"{self.place} has an unknown key {name!r}")
        return [members[name] for name in names]

    def text(self) -> str:
        if not isinstance(self.value, str) or re.search("[\ud800-\udfff]", self.value):
            raise self.wrong("a text that UTF-8 can encode")
        return self.value

    def texts(self) -> tuple[str, ...]:
        """Return the items of a list of texts."""
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        items = enumerate(self.value)
        return tuple(_Node(value=each, place=f"{self.place}[{at}]").text() for at, each in items)

    def number(self) -> float:
        if (
            isinstance(self.value, (int, float))
            and not isinstance(self.value, bool)
            and 0 <= self.value <= _LARGEST  # false for NaN
        ):
            return float(self.value)
        raise self.wrong(f"a finite number from zero to {_LARGEST:g}")

    def count(self) -> int:
        if isinstance(self.value, int) and not isinstance(self.value, bool) and self.value >= 0:
            return self.value
        raise self.wrong("a whole number from zero up")

    def wrong(self, expected: str) -> _DamageError:
        return _DamageError(f"{self.place} is not {expected}")


def _read(text: str | bytes) -> Entries:
    document = _Node(
        value=_decoded(text), place="$"
    )  # places are JSON paths (RFC 9535), "$" is the file
    version = document.members().get("format")  # first: a newer format may have any other key
    if version is not None and version.count() > FORMAT:
        raise _DamageError(
            f"{version.place} is {version.value}, and this version of the plugin reads {FORMAT}",
            "upgrade the plugin: pip install --upgrade pytest-loaderperf",
        )
    if version is not None and version.count() < _WITHOUT_USED:
        raise version.wrong(f"{_WITHOUT_USED} or {FORMAT}")
    checks, _ = document.fields("checks", "format")
    return {key: _entry(node) for key, node in checks.members().items()}


def _decoded(text: str | bytes) -> object:
    """Decode JSON; objects become tuples of pairs, so that a repeated key can be seen."""
    try:
        if isinstance(text, bytes):
            text = text.decode()
        if conflict := _CONFLICT.search(text):
            line = text.count("\n", 0, conflict.start()) + 1
            raise _DamageError(
                f"line {line} is the mark of a merge conflict", "resolve it: keep one side"
            )
        value: object = json.loads(text, object_pairs_hook=tuple)
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, nested without end
        raise _DamageError(str(error)) from error
    return value


def _entry(node: _Node) -> Entry:
    records, workload = node.fields("records", "workload")
    batch, size, samples = workload.fields("batch", "bytes_per_sample", "samples_per_epoch")
    return Entry(
        workload=Workload(
            batch=batch.text(),
            bytes_per_sample=size.number(),
            samples_per_epoch=None if samples.value is None else samples.count(),
        ),
        records={machine: _record(record) for machine, record in records.members().items()},
    )


def _record(node: _Node) -> Record:
    metrics, versions = node.fields("metrics", "versions", but="used")
    used = node.members().get("used")
    return Record(
        used=None if used is None else _used(used),
        metrics={name: _stored(metric) for name, metric in metrics.members().items()},
        versions={package: version.text() for package, version in versions.members().items()},
    )


def _used(node: _Node) -> UsedFiles:
    made_of, used_files, folders = node.fields("digest", "files", "folders")
    return UsedFiles(files=used_files.texts(), folders=folders.texts(), digest=made_of.text())


def _stored(node: _Node) -> Stored:
    spread, value = node.fields("spread", "value")
    return Stored(value=value.number(), spread=spread.number())
