"""tf.data pipelines, and its service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kinds.harness import assert_guarded, guard, look, needs

pytestmark = needs("tensorflow")

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
COUNTED = {
    "plain": (105, 11, 11, "int64[*]"),
    "dicts": (100, 10, 10, "dict[image: float32[*,4,4], label: int64[*]]"),
    "ragged": (105, 11, 11, "int64[*,*]"),
    "sparse": (105, 11, 11, "float32[*,7]"),
    "texts": (105, 11, 11, "string[*]"),
    "unknown": (53, 6, None, "int64[*]"),
    "service": (105, 11, None, "int64[*]"),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return look(tmp_path_factory.mktemp("tf"), LOADERS, [*COUNTED, "endless", "scalars"])


@pytest.mark.parametrize("name", COUNTED)
def test_samples_are_counted(found: dict[str, Any], name: str) -> None:
    samples, batches, told, batch = COUNTED[name]
    assert found[name]["epochs"] == [[samples, batches]] * 2, found[name].get("error")
    assert found[name]["epoch_batches"] == told
    assert found[name]["workload"]["batch"] == batch


def test_an_endless_pipeline_has_no_length(found: dict[str, Any]) -> None:
    assert found["endless"]["epoch_batches"] is None
    assert found["endless"]["epochs"][0][1] == 400  # where the test stopped


def test_pipelines_of_single_rows_are_asked_for_samples(found: dict[str, Any]) -> None:
    assert "samples=lambda" in found["scalars"]["error"]


def test_bytes_of_ragged_and_sparse_tensors_are_those_of_their_values(
    found: dict[str, Any],
) -> None:
    # In each batch two numbers of eight bytes a sample, and where the rows begin.
    assert found["ragged"]["workload"]["bytes_per_sample"] == pytest.approx(2 * 8 + 8.8, abs=0.1)
    # A value of four bytes, and its place of two numbers; the shape comes once a batch.
    assert found["sparse"]["workload"]["bytes_per_sample"] == pytest.approx(4 + 16 + 1.6, abs=0.1)


def test_settings_are_told(found: dict[str, Any]) -> None:
    assert found["plain"]["settings"] == {"prefetch": "AUTOTUNE"}
    assert found["dicts"]["settings"] == {"prefetch": 3}
    assert found["endless"]["settings"] == {"private_threadpool_size": 2, "deterministic": False}


@pytest.mark.parametrize("name", ["plain", "service"])
def test_a_slowed_pipeline_fails(tmp_path: Path, name: str) -> None:
    assert_guarded(guard(tmp_path, LOADERS, name, 4000))
