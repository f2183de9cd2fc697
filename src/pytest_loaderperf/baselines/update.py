"""What of a measurement becomes the new baseline, and which entries have no test any more."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import StoreError
from ..model.metrics import METRICS
from ..model.results import Verdict
from ..model.workload import Workload
from ..options import Update
from ..stats.comparison import spread, typical
from ..system.machine import machine_class
from ..versions.repository import Repository
from ..versions.usage import UsedFiles
from . import store
from .store import Entry, Record, Stored


def refusal(
    verdict: Verdict, update: Update, *, moved: bool, failed: bool, stored: bool
) -> str | None:
    """Why a check is not written: a reason worth telling, "" for nothing new, None to write it.

    ``moved`` says that a judged metric has. ``stored``: it was compared with stored numbers, where
    noise of the comparison says nothing against the measurement itself.
    """
    if failed:
        return "the test failed"
    if verdict is Verdict.INCONCLUSIVE and not (stored and update == "all"):
        return "the measurement was inconclusive"
    new = verdict is Verdict.NO_BASELINE
    if new and update == "new" and moved:  # one metric is new, another one is not
        return "a metric that has a baseline moved: use --loaderperf-update"
    if new or update == "all" or (update == "changed" and moved):
        return None
    return ""


def accepted_entry(
    workload: Workload,
    values: Mapping[str, Sequence[float]],
    versions: dict[str, str],
    old: Entry | None,
    *,
    moved: bool,
    used: UsedFiles | None = None,
) -> Entry:
    """The entry to store: the numbers of this machine class, with their spread between trials.

    ``values`` are those of each metric, one of every trial. Numbers of other classes are kept as
    long as they still describe this loader. ``used`` are the files that the check has used.
    """
    record = Record(
        metrics={
            name: Stored(value=typical(each), spread=spread(METRICS[name], each))
            for name, each in values.items()
        },
        versions=versions,
        used=used,
    )
    kept = {} if old is None or moved else old.records
    return Entry(workload=workload, records={**kept, machine_class(versions): record})


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """An entry that is to be written, and the one that it replaces.

    ``machine`` is the class that was measured, ``judged`` are the metrics that matter.
    """

    nodeid: str
    verdict: Verdict
    old: Entry | None
    new: Entry
    machine: str
    judged: frozenset[str]


def write(root: Path, acceptances: Sequence[Acceptance]) -> Iterator[tuple[str, int]]:
    """Write all entries, a file at a time, keeping all others.

    Yields the files that are written, below the root, and how many checks are new in each.

    StoreError where one cannot be; the files before it are written.
    """
    changed: dict[Path, store.Entries] = {}
    for each in acceptances:
        module, _, key = each.nodeid.partition("::")
        changed.setdefault(store.store_path(root, module), {})[key] = each.new
    for path, entries in changed.items():
        store.check_inside(root, path)
        store.save(path, {**store.load(path), **entries})
        yield path.relative_to(root).as_posix(), len(entries)


def patch(folder: Path, prefix: str) -> bytes:
    """What an update has changed, for ``git apply``: nothing if it changed nothing.

    ``folder`` is any of the checkout, and ``prefix`` the root folder of pytest below its top.
    Raises CheckoutError, in git's own words, if git cannot tell.
    """
    repository = Repository.find(folder)
    if repository is None:
        return b""
    return repository.patch(repository.toplevel / prefix / store.FOLDER)


@dataclass(frozen=True, kw_only=True)
class Stale:
    """The entries of one file that have no test any more."""

    path: Path
    keys: tuple[str, ...]

    def describe(self, root: Path) -> str:
        """The file, and what is stale in it."""
        return f"{self.path.relative_to(root)}: no test any more: {', '.join(self.keys)}"


def find_stale(root: Path, collected: Mapping[str, Collection[str]], *, whole: bool) -> list[Stale]:
    """The stale entries, given the checks that were collected of each module.

    Of a module of which none were collected it is only known that it has none if the collection
    was ``whole``, or if it does not exist. A damaged file is left to whoever needs it.
    """
    folder = root / store.FOLDER
    found = []
    for path in sorted(folder.rglob("*.json")):
        module = path.relative_to(folder).with_suffix(".py").as_posix()
        if module not in collected and not whole and (root / module).exists():
            continue
        with contextlib.suppress(StoreError):
            known = collected.get(module, ())
            keys = tuple(key for key in store.load(path) if key not in known)
            found += [Stale(path=path, keys=keys)] * bool(keys)
    return found


def prune(stale: Stale) -> None:
    """Remove the entries; StoreError where the file cannot be written."""
    entries = store.load(stale.path)
    kept = {key: entry for key, entry in entries.items() if key not in stale.keys}
    store.save(stale.path, kept)
