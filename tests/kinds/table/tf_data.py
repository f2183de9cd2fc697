"""tf.data pipelines, and its service."""

from __future__ import annotations

from unittest.mock import ANY

import pytest

from kinds.kind import Expected, Kind, Slowed

LOADERS = """\
import time
import tensorflow as tf

def slowly(seconds):
    def row(index):
        time.sleep(seconds)
        return index
    return row

def plain(folder, rows, seconds):
    data = tf.data.Dataset.range(rows)
    if seconds:
        data = data.map(lambda i: tf.py_function(slowly(seconds), [i], tf.int64))
        data = data.map(lambda i: tf.ensure_shape(i, ()))
    return data.batch(10).prefetch(tf.data.AUTOTUNE)

def dicts(folder, rows, seconds):
    data = tf.data.Dataset.range(rows).batch(10, drop_remainder=True)
    data = data.map(lambda i: {"image": tf.zeros((10, 4, 4)), "label": i}, tf.data.AUTOTUNE)
    return data.prefetch(3)

def ragged(folder, rows, seconds):
    data = tf.data.Dataset.range(rows).map(lambda i: tf.range(i % 5))
    return data.ragged_batch(10)

def sparse(folder, rows, seconds):
    data = tf.data.Dataset.range(rows)
    data = data.map(lambda i: tf.sparse.SparseTensor([[i % 7]], [1.0], [7]))
    return data.batch(10)

def texts(folder, rows, seconds):
    return tf.data.Dataset.from_tensor_slices([f"row {i}" for i in range(rows)]).batch(10)

def unknown(folder, rows, seconds):
    return tf.data.Dataset.range(rows).filter(lambda i: i % 2 == 0).batch(10)

def endless(folder, rows, seconds):
    options = tf.data.Options()
    options.threading.private_threadpool_size = 2
    options.deterministic = False
    return tf.data.Dataset.range(rows).repeat().batch(10).with_options(options)

def scalars(folder, rows, seconds):
    return tf.data.Dataset.range(rows)

def labelled(folder, rows, seconds):
    return tf.data.Dataset.from_tensor_slices((tf.zeros((rows, 28, 28)), tf.range(rows)))

SERVERS = []

def service(folder, rows, seconds):
    if not SERVERS:
        dispatcher = tf.data.experimental.service.DispatchServer()
        address = dispatcher.target.split("://")[1]
        config = tf.data.experimental.service.WorkerConfig(dispatcher_address=address)
        SERVERS.extend([dispatcher, tf.data.experimental.service.WorkerServer(config)])
    target = SERVERS[0].target
    data = plain(folder, rows, seconds)
    return data.apply(tf.data.experimental.service.distribute("parallel_epochs", target))
"""
EACH = {"epoch_batches": 11}
KIND = Kind(
    needs=("tensorflow",),
    source=LOADERS,
    loaders={
        "plain": Expected(tells=EACH, settings={"prefetch": "AUTOTUNE"}, batch="int64[*]"),
        "dicts": Expected(
            epoch=(100, 10),
            tells={"epoch_batches": 10},
            settings={"prefetch": 3},
            batch="dict[image: float32[*,4,4], label: int64[*]]",
        ),
        # In each batch two numbers of eight bytes a sample, and where the rows begin: 16 + 8.8.
        "ragged": Expected(
            tells=EACH, batch="int64[*,*]", bytes_per_sample=pytest.approx(24.8, abs=0.1)
        ),
        # A value of four bytes, its place of two numbers, and once a batch the shape: 4 + 16 + 1.6.
        "sparse": Expected(
            tells=EACH, batch="sparse_float32[*,7]", bytes_per_sample=pytest.approx(21.6, abs=0.1)
        ),
        "texts": Expected(tells=EACH, batch="string[*]"),
        "unknown": Expected(epoch=(53, 6), tells={"epoch_batches": None}, batch="int64[*]"),
        # It has no length: 400 is where the test stopped.
        "endless": Expected(
            epoch=(ANY, 400),
            tells={"epoch_batches": None},
            settings={"private_threadpool_size": 2, "deterministic": False},
        ),
        "scalars": Expected(epoch=(105, 105)),
        "labelled": Expected(epoch=(105, 105), batch="tuple[float32[*,28], EagerTensor]"),
        "service": Expected(tells={"epoch_batches": None}, batch="int64[*]"),
    },
    slowed={"plain": Slowed(rows=4000), "service": Slowed(rows=4000)},
)
