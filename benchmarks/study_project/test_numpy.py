"""A loader without workers: rows of a table, scaled, noised and sorted with numpy."""

import loss
import numpy as np
import peer
import pytest


class Rows:
    def __init__(self, batch_size):
        self.batch_size = batch_size
        self.slower = loss.Slower("copy", "sleep")  # across epochs: what is due stays due
        self.table = np.random.default_rng(0).standard_normal((4096, 2048)).astype("float32")

    def row(self, index):
        row = self.table[index]
        return np.sort((row - row.mean()) / row.std() + np.tanh(row))

    def __iter__(self):
        for start in range(0, len(self.table), self.batch_size):
            yield self.slower(
                np.stack([self.row(i) for i in range(start, start + self.batch_size)])
            )


@pytest.mark.loaderperf(batch_sizes=[32, 64])
def test_rows(batch_size, loaderperf):
    perf = loaderperf(Rows(batch_size))
    assert perf.throughput >= perf.baseline.throughput


def test_peer(benchmark):
    peer.measure(benchmark, Rows(64), batches=32)
