"""Photographs through tf.data."""

import loss
import peer
import pytest
import tensorflow as tf


def photo(path):
    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
    return tf.cast(tf.image.resize(image, (256, 256)), tf.float32) / 255


def worked(index, path):
    if loss.PARTS == 0:
        return photo(path)
    extra = index * 617 % 1000 < loss.PARTS
    # The second time is added with a factor of 0: else it would be optimised away.
    return photo(path) + tf.cond(extra, lambda: photo(path) * 0, lambda: tf.zeros((256, 256, 3)))


@pytest.fixture
def dataset(photos):
    dataset = tf.data.Dataset.from_tensor_slices(photos.paths).enumerate()
    return dataset.map(worked, tf.data.AUTOTUNE).batch(32).prefetch(tf.data.AUTOTUNE)


@pytest.mark.loaderperf
def test_photos(dataset, loaderperf):
    perf = loaderperf(dataset)
    assert perf.throughput >= perf.baseline.throughput


def test_peer(dataset, benchmark):
    peer.measure(benchmark, dataset, batches=16)
