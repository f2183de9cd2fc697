"""What an epoch of one version delivers, compared with that of another: sample by sample."""

from __future__ import annotations

from collections import Counter


def difference(before: Counter[str], now: Counter[str]) -> str:
    """What became of the samples, in words; empty if they are the same.

    Each is counted by its hash.
    """
    missing, added = (before - now).total(), (now - before).total()
    if not missing and not added:
        return ""
    parts = [f"{missing:,} are missing"] if missing else []
    parts += [f"{added:,} come in addition"] if added else []
    return f"of {before.total():,} samples {' and '.join(parts)}"
