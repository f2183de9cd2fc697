"""Whether ranks and workers together deliver each sample of an epoch once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ..model.workload import EPOCHS, Delivered

_DROPS = (
    ". If the loader drops what does not fill its last batch, say so: "
    "check_samples(loader, drops_last=True)"
)


def problems(ranks: Sequence[Delivered], alone: Delivered, *, whole: bool) -> list[str]:
    """What is wrong with the samples of some ranks, beside what one process ``alone`` delivers.

    ``whole``: these are all ranks of their world, so that nothing may be missing. Ranks may repeat
    as many samples as it takes for each to have as many, and lack as many as are in the batches
    that they drop.
    """
    found: list[str] = []
    for number in range(EPOCHS):
        told = list(_of_epoch(ranks, alone, number, whole=whole))
        found += [f"epoch {number + 1}: {each}" for each in told]
    if len(ranks) > 1 and all(_has_one_order(rank) for rank in ranks):
        found.append(
            "all ranks deliver both epochs in the same order, although their loaders shuffle: call "
            "sampler.set_epoch(epoch), or the dataset's, before each of them"
        )
    return found


def _of_epoch(
    ranks: Sequence[Delivered], alone: Delivered, number: int, *, whole: bool
) -> Iterator[str]:
    there = Counter(alone.epochs[number])
    left = Counter(there)
    repeated: list[tuple[int, int]] = []  # ranks and how many they repeat
    strange = 0
    for rank, delivered in enumerate(ranks):
        mine = Counter(delivered.epochs[number])
        strange += sum(count for each, count in mine.items() if each not in there)
        more = sum(max(0, count - left[each]) for each, count in mine.items() if each in there)
        left -= mine
        if more:
            repeated.append((rank, more))
    total = there.total()
    if sum(count for _, count in repeated) > _padding(ranks):
        who = ", ".join(f"rank {rank} {count:,}" for rank, count in repeated)
        where = f" ({who})" if len(ranks) > 1 else ""
        count = sum(count for _, count in repeated)
        yield f"{count:,} of {total:,} samples come once more than they should{where}"
    missing = left.total()
    if whole and missing > _dropped(ranks):
        yield f"{missing:,} of {total:,} samples are missing{_hint(ranks, missing)}"
    if strange > _dropped([alone]):  # which one process may have dropped
        told = f"{strange:,} samples are none of those that one process alone delivers"
        yield told + _hint(ranks, strange)


def _padding(ranks: Sequence[Delivered]) -> int:
    """Samples that may come twice, for all ranks and their workers to have as many."""
    return len(ranks) * max(1, ranks[0].workers) - 1 if len(ranks) > 1 else 0


def _dropped(ranks: Sequence[Delivered]) -> int:
    """Samples that may be missing, since the last batches were not full, or for equal shares."""
    dropped = len(ranks) - 1
    for each in ranks:
        if each.drops:
            dropped += max(1, each.workers) * (each.largest - 1)
    return dropped


def _hint(ranks: Sequence[Delivered], samples: int) -> str:
    """What to do if so many samples may have been dropped, and nobody has said that they are."""
    told = any(each.drops for each in ranks)
    might = sum(max(1, each.workers) * each.largest for each in ranks)
    return "" if told or samples >= might else _DROPS


def _has_one_order(rank: Delivered) -> bool:
    return rank.shuffles and rank.epochs[0] == rank.epochs[1]


def differs(ranks: Sequence[Delivered]) -> bool:
    """Whether each epoch has other samples of all ranks: nothing can be told of them then."""
    first, *others = (samples(ranks, number) for number in range(EPOCHS))
    return any(other != first for other in others)


def samples(ranks: Sequence[Delivered], number: int) -> Counter[str]:
    """What an epoch of all ranks has, each sample counted by its hash."""
    return Counter(each for rank in ranks for each in rank.epochs[number])
