"""Photographs through a tf.data pipeline."""

from __future__ import annotations

import pytest
import tensorflow as tf

from perf.corpus import Photos
from pytest_loaderperf import LoaderPerf


def decode(path: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
    image = tf.image.resize(image, (256, 256))
    return tf.cast(image, tf.float32) / 255, label


@pytest.fixture
def train_loader(batch_size: int, photos: Photos) -> tf.data.Dataset:
    dataset = tf.data.Dataset.from_tensor_slices((photos.paths, photos.labels))
    dataset = dataset.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)


@pytest.mark.loaderperf(batch_sizes=[32, 64, 128])
def test_photos(train_loader: tf.data.Dataset, loaderperf: LoaderPerf) -> None:
    perf = loaderperf(train_loader)
    assert perf.throughput >= perf.baseline.throughput
    assert perf.peak_memory <= perf.baseline.peak_memory
