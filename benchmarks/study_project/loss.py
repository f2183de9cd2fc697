"""What the candidate loses on purpose: nothing here. The study writes this file anew."""

PARTS = 0  # of 1,000 samples, how many are worked on twice


def extra(index: int) -> bool:
    """Whether this sample costs extra: spread evenly, the same ones in every epoch."""
    return index * 617 % 1000 < PARTS
