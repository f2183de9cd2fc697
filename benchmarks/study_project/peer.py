"""The same loaders as a peer times them: rounds of some batches, epoch after epoch."""

import itertools
from collections import deque

ROUNDS = 12


def measure(benchmark, loader, batches):
    endless = itertools.chain.from_iterable(iter(loader) for _ in itertools.count())
    take = lambda: deque(itertools.islice(endless, batches), maxlen=0)  # noqa: E731
    benchmark.pedantic(take, rounds=ROUNDS, warmup_rounds=1)
