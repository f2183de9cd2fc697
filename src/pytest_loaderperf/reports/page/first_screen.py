"""The first screen: what got worse, by how much, how sure that is, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ...model.results import Run, Verdict
from ...model.units import format_percent
from .. import terminal
from .forest import ForestGroup, ForestRow, as_words, change, reason, span


@dataclass(frozen=True, kw_only=True)
class Lead:
    """The sentence below the headline: what stands before the name of a check, and after it."""

    before: str
    row: ForestRow
    after: str
    why: str = ""


def counts(groups: Sequence[ForestGroup]) -> list[tuple[str, int]]:
    """How many checks ended how, in the order in which they are shown."""
    return list(Counter(str(row.result.verdict) for g in groups for row in g.rows).items())


def facts(run: Run) -> list[tuple[str, str]]:
    """What was measured where."""
    machine = run.machine
    commits = ", ".join(commit[:10] for commit in run.commits)
    told = [
        ("compared with", f"{run.mode}{': ' * bool(commits)}{commits}"),
        (
            "machine",
            f"{machine['cpu']} x{machine['cores']}, {machine['os']} {machine['architecture']}, "
            f"Python {machine['python']}",
        ),
        ("pytest-loaderperf", run.plugin),
    ]
    if run.commit:
        told.insert(0, ("checked out", run.commit[:10] + " with changes" * bool(run.changes)))
    if run.shares:
        told.append(("shards", f"{len(run.shares)} of {run.shares[0].shard.of}"))
    return told


def lead(groups: Sequence[ForestGroup]) -> Lead | None:
    """What there is to know first: of the check that got the most worse, or that came nearest.

    None where no check was compared with a baseline, and none failed.
    """
    if not groups:
        return None
    first = groups[0]
    row = first.rows[0]
    if first.name == "failed":
        return _of_failures(first)
    if row.decides is None:
        return None
    metric = row.decides.metric.replace("_", " ")
    if first.name == "inconclusive":
        return Lead(
            before=f"Neither proven nor ruled out: {metric} of ",
            row=row,
            after=f" is {_sure(row)}.",
            why=reason(row.result),
        )
    if first.name == "improved":
        return Lead(before=f"The most: {metric} of ", row=row, after=f" is {_sure(row)}.")
    return Lead(before=f"The nearest to a loss: {metric} of ", row=row, after=f" is {_sure(row)}.")


def _of_failures(group: ForestGroup) -> Lead:
    row = group.rows[0]
    rest = len(group.rows) - 1
    more = f" {rest} more failed." if rest else ""
    if row.result.verdict is not Verdict.REGRESSED or row.decides is None:
        return Lead(before="", row=row, after=f" failed.{more}", why=reason(row.result))
    metric = row.decides.metric.replace("_", " ").capitalize()
    tolerated = format_percent(row.decides.tolerance or 0.0)
    return Lead(
        before=f"{metric} of ",
        row=row,
        after=f" is {_sure(row)}; {tolerated} is tolerated.{more}",
        why=reason(row.result),
    )


def _sure(row: ForestRow) -> str:
    """How much a check got worse or better, and how sure that is."""
    assert row.decides is not None
    bounds = span(row.decides)
    if bounds is None:
        return change(row.decides)
    low, high = bounds
    if low * high > 0:
        least, most = sorted((abs(low), abs(high)))
        ends = f"{100 * least:.1f} % to {100 * most:.1f} %"
    else:
        ends = f"{as_words(low)} to {as_words(high)}"
    return f"{change(row.decides)} (95 % interval: {ends})"


def shards(run: Run) -> list[str]:
    """What each shard of a merged run was."""
    return [
        f"shard {share.shard}: {len(share.own)} check{'' if len(share.own) == 1 else 's'} on "
        f"{share.machine.get('cpu')}, exit status {share.status}"
        for share in run.shares
    ]


def remarks(run: Run) -> list[str]:
    """What there is to know beside the numbers."""
    return [*terminal.below(run.results), *shards(run)]
