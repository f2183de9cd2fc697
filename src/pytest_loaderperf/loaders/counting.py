"""How many samples a batch holds.

An array has as many as its leading dimension, a table as many as it has rows, a list of single
values or records one for each. A list of like parts can be read in two ways: its parts are columns
of a batch, or each is a sample. What the loader tells of its batches decides, and how several
batches differ.
"""

from __future__ import annotations

import itertools
import operator
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import LoaderError
from ..model.batch_kinds import are_alike
from . import structure
from .outlines import outline

__tracebackhide__ = True  # pytest shows a failure from the test on, and in the loader itself

SampleCounter = Callable[[Any], int]
Step = tuple[str, Any]  # "item" and a key or an index, or "attribute" and a name
Path = tuple[Step, ...]
_SAY_HOW = "Say how: loaderperf(loader, samples=lambda batch: ...)"
# Batches that never hold as many samples as the loader tells, and always as many: from so many on
# that is no chance.
_NEVER = 3
_MANY = 3  # arrays of different lengths in a list: fewer may be two things that belong together


@dataclass(frozen=True, kw_only=True)
class Tally:
    """A way to read the number of samples: that of the part at the end of a path.

    There is a ``doubt`` where the parts may as well be those of a single sample, or a mistake:
    arrays of different lengths in a tuple, or few of them.
    """

    path: Path
    count: int
    doubt: str = ""


def count_samples(batch: object) -> int:
    """How many samples a batch holds; LoaderError where its parts disagree or cannot tell."""
    found = next((each for each in readings(batch) if not each.doubt), None)
    if found is None:
        raise _uncountable(batch)
    return found.count


def readings(batch: object) -> list[Tally]:
    """Ways to read the samples of a batch, the likeliest first; LoaderError if there is none."""
    found = _readings(batch, ())
    if not found:
        raise _uncountable(batch)
    return found


def _uncountable(batch: object) -> LoaderError:
    parts = list(_told(batch, "batch"))
    if len(parts) > 1:
        return _disagreeing(_shown(parts))
    return LoaderError(
        f"cannot count the samples of a batch of type {type(batch).__name__}: nothing in it has a "
        f"leading dimension. {_SAY_HOW}"
    )


def _disagreeing(parts: str) -> LoaderError:
    return LoaderError(
        f"cannot count the samples of a batch, its parts disagree: {parts}. {_SAY_HOW}"
    )


def _shown(parts: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{place} has {count}" for place, count in parts[:4])


def possible_readings(batch: object) -> list[Tally]:
    """The same, but for none where there is none."""
    return _readings(batch, ()) or []


def count_item(item: object, *, batches: bool) -> int:
    """How many samples an item holds that may be one itself; LoaderError where it is unclear.

    Single values in it, such as a label, make it a sample. Where whoever makes it may have made
    ``batches``, arrays alone are one, and arrays beside single values could be either.
    """
    arrays = any(_told(item, ""))
    single = has_single_value(item)
    if single and not (arrays and batches):
        return 1
    if arrays and batches and not single:
        return count_samples(item)
    raise LoaderError(
        f"the loader gives items of type {type(item).__name__} as they are, and each may be a "
        "sample or a batch of them. Say which: loaderperf(loader, samples=lambda item: 1), or the "
        "number of samples in it"
    )


def count_row(item: object, *, batches: bool = False) -> int:
    """How many samples an item holds of a loader that has put none into a batch: one, if it shows.

    A single value in it shows that, such as a label. Arrays alone may have been a batch from the
    start. Where that may have made ``batches``, so may several arrays beside a single value.
    """
    single = has_single_value(item)
    return (
        1
        if single and not (batches and sum(1 for _ in _told(item, "")) > 1)
        else count_samples(item)
    )


# --- the readings of one batch ------------------------------------------------------------------


def _readings(value: Any, path: Path) -> list[Tally] | None:
    """How a part can be read; empty if its parts disagree, None if it tells nothing."""
    if value is None or isinstance(value, structure.SCALARS) or structure.is_image(value):
        return None
    if isinstance(value, list | tuple):
        return _of_list(value, path)
    if structure.fields(value) is None:
        dims = structure.dims_of(value)
        return [Tally(path=path, count=dims[0])] if dims and dims[0] is not None else None
    rows = structure.told_rows(value)
    if rows is not None:
        return [Tally(path=path, count=rows)]
    if structure.is_graph(value):
        return None
    return _agreeing([_of_field(value, part, (*path, step)) for step, _, part in _parts(value)])


def _of_field(record: object, part: Any, path: Path) -> list[Tally] | None:
    if structure.is_column(record, part):
        return [Tally(path=path, count=len(part))]
    return _readings(part, path)


def _of_list(value: list[Any] | tuple[Any, ...], path: Path) -> list[Tally] | None:
    if structure.holds_samples(value):
        return [Tally(path=path, count=len(value))]
    columns = _agreeing([_readings(part, (*path, step)) for step, _, part in _parts(value)])
    if columns is None and not any(map(_is_sample, value)):
        return None
    if structure.is_named_tuple(value) or not are_alike([outline(part) for part in value]):
        return columns
    few = isinstance(value, tuple) or (len(value) < _MANY and all(map(structure.is_array, value)))
    doubt = _shown(list(_told(value, "batch"))) if columns == [] and few else ""
    elements = [Tally(path=path, count=len(value), doubt=doubt)]
    return [*elements, *(columns or ())] if _are_rows(value) else [*(columns or ()), *elements]


def _agreeing(parts: Sequence[list[Tally] | None]) -> list[Tally] | None:
    """The readings of the first part in which all others agree; None where no part tells any."""
    told = [each for each in parts if each is not None]
    if not told:
        return None
    counts = [{reading.count for reading in each} for each in told]
    sure = [{reading.count for reading in each if not reading.doubt} for each in told]
    return [
        replace(each, doubt="" if any(each.count in other for other in sure) else each.doubt)
        for each in told[0]
        if all(each.count in other for other in counts)
    ]


def _is_sample(value: object) -> bool:
    """Whether this tells no number, and can be a sample: an image, a graph, a record."""
    if isinstance(value, list | tuple):
        return any(map(_is_sample, value))
    return structure.is_image(value) or structure.fields(value) is not None


def _are_rows(elements: Sequence[Any]) -> bool:
    """Whether the elements of a list are rows: each has single values, such as a label."""
    return not any(
        isinstance(each, list | tuple) and structure.holds_samples(each) for each in elements
    ) and all(map(has_single_value, elements))


def _parts(value: Any) -> Iterator[tuple[Step, str, Any]]:
    """The parts of a mapping, a list or an object: with the step to each, and its place."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield ("item", key), f"[{key!r}]", part
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield ("item", index), f"[{index}]", part
    else:
        for name, part in structure.fields(value) or ():
            yield ("attribute", name), f".{name}", part


def _told(value: Any, place: str) -> Iterator[tuple[str, int]]:
    """Every part of a batch that tells a number of samples by itself, with its place."""
    column = isinstance(value, list | tuple) and structure.holds_samples(value)
    record = structure.fields(value) is not None
    if column or record or not isinstance(value, list | tuple):
        rows = len(value) if column else _rows(value)
        if rows is not None:
            yield place, rows
            return
    if isinstance(value, list | tuple) or (record and not structure.is_graph(value)):
        for _, where, part in _parts(value):
            if structure.is_column(value, part):
                yield f"{place}{where}", len(part)
            else:
                yield from _told(part, f"{place}{where}")


def _rows(value: Any) -> int | None:
    """What a single part tells: a record, or an array."""
    if value is None or isinstance(value, structure.SCALARS) or structure.is_image(value):
        return None
    return structure.told_rows(value)


def has_single_value(item: object) -> bool:
    """Whether some part of an item is a value by itself, and no array or list."""
    if item is None:
        return False
    if isinstance(item, structure.SCALARS) or structure.is_image(item):
        return True
    if isinstance(item, list | tuple):
        return (isinstance(item, tuple) or not structure.holds_samples(item)) and any(
            map(has_single_value, item)
        )
    named = structure.fields(item)
    if named is not None:
        return _rows(item) is None and any(has_single_value(part) for _, part in named)
    return not structure.is_array(item)


# --- what several batches say -------------------------------------------------------------------


def settle(
    looked: Sequence[Sequence[Tally]], batch_size: int | None, samples_per_epoch: int | None
) -> Path:
    """Which way to read the samples of a loader's batches, of which the first ones were read.

    ``batch_size`` and ``samples_per_epoch`` are what the loader tells, where it does. LoaderError
    if all ways contradict that, or none is likely.
    """
    counts = _counts_by_path(looked)
    looks = max(map(len, counts.values()))
    most = {path: max(each) for path, each in counts.items()}
    full = min(batch_size or sys.maxsize, samples_per_epoch or sys.maxsize)
    if batch_size is not None:
        if fitting := [path for path in counts if most[path] == full]:
            return fitting[0]
        if batch_size > 1:  # else the batch is an item, which may have been a batch already
            counts = {path: counts[path] for path in counts if most[path] < full}
    # A last batch has fewer samples, and batches by size as many as fit: columns do not vary.
    varied = [path for path, each in counts.items() if len(set(each)) > 1]
    doubts = {each.path: each.doubt for batch in looked for each in batch if each.doubt}
    likely = [*varied, *(path for path in counts if path not in doubts)]
    # Whoever puts a batch together may leave out samples, and a stream may end in each worker. But
    # that does not make all batches equally small.
    never = batch_size and samples_per_epoch and (looks >= _NEVER or len(most) > 1) and not varied
    if batch_size and batch_size > 1 and (never or not likely):
        seen = ", ".join(map(str, dict.fromkeys(most.values())))
        raise LoaderError(
            f"cannot count the samples of a batch: the loader tells that there are {full}, and its "
            f"parts tell {seen}. {_SAY_HOW}"
        )
    if not likely:
        raise _disagreeing(next(iter(doubts.values())))
    return likely[0]


def _counts_by_path(looked: Sequence[Sequence[Tally]]) -> dict[Path, list[int]]:
    """What several batches count by each way to read the first one.

    A way that some batch cannot be read in is none, if another way reads more of them.
    """
    told = [each for each in looked if each]
    counts: dict[Path, list[int]] = {reading.path: [] for reading in told[0]}
    for reading in itertools.chain.from_iterable(told):
        if reading.path in counts:
            counts[reading.path].append(reading.count)
    longest = max(map(len, counts.values()))
    return {path: each for path, each in counts.items() if len(each) == longest}


def counter(path: Path) -> SampleCounter:
    """A counter that reads batches by a path, quick enough to run inside a timed loop.

    It looks at one part only: that all of them agree was checked on the first batches. Where a
    batch does not have that part, all that it has is looked at.
    """
    chosen: SampleCounter | None = None

    def quickly(batch: Any) -> int:
        try:
            return len(_at(path, batch))
        except (TypeError, KeyError, IndexError, AttributeError):
            return count_samples(batch)

    def exactly(batch: Any) -> int:
        told = readings(batch)
        return next((each.count for each in told if each.path == path), told[0].count)

    def count(batch: Any) -> int:
        nonlocal chosen
        if chosen is None:
            try:
                part = _at(path, batch)  # of a graph the length is another, equal by chance
                is_quick = len(part) == exactly(batch) and not structure.is_graph(part)
            except (TypeError, KeyError, IndexError, AttributeError, RuntimeError):
                is_quick = False  # not everything with rows has a length
            chosen = quickly if is_quick else exactly
        return chosen(batch)

    return count


def _at(path: Path, batch: Any) -> Any:
    """The part at the end of a path."""
    for kind, key in path:
        batch = batch[key] if kind == "item" else getattr(batch, key)
    return batch


def settling_counter(batch_size: int | None, samples_per_epoch: int | None) -> SampleCounter:
    """A counter that its first batch settles."""
    settled: SampleCounter | None = None

    def count(batch: Any) -> int:
        nonlocal settled
        if settled is None:
            settled = counter(settle([readings(batch)], batch_size, samples_per_epoch))
        return settled(batch)

    return count


def checked(count: SampleCounter) -> SampleCounter:
    """A counter that checks what ``samples=`` says of a batch: it may be no number of samples."""

    def checked_count(batch: Any) -> int:
        given: Any = count(batch)
        try:
            samples = operator.index(given)  # also one of NumPy's integers
        except TypeError:
            samples = -1
        if samples < 0:
            raise LoaderError(
                f"samples= gave {given!r} for a batch: it must give the number of samples"
            )
        return samples

    return checked_count


def without(share: float, count: SampleCounter) -> SampleCounter:
    """A counter that leaves out a share of all samples, over batches of whatever size."""
    if not share:
        return count
    left = 0.0

    def some(batch: Any) -> int:
        nonlocal left
        left += int(count(batch)) * (1 - share)
        whole = int(left + 1e-9)
        left -= whole
        return whole

    return some
