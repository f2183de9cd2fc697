"""Sentences through the two text preparations of Keras, fed by tf.data."""

from __future__ import annotations

import pytest
import tensorflow as tf
from tensorflow.keras.layers import TextVectorization
from tensorflow.keras.preprocessing.text import Tokenizer
from tensorflow.keras.utils import pad_sequences

from pytest_loaderperf import LoaderPerf


@pytest.fixture
def labels(sentences: list[str]) -> list[int]:
    return [len(sentence.split()) for sentence in sentences]


@pytest.fixture
def token_loader(batch_size: int, sentences: list[str], labels: list[int]) -> tf.data.Dataset:
    tokenizer = Tokenizer(num_words=10_000)
    tokenizer.fit_on_texts(sentences)
    tokens = pad_sequences(tokenizer.texts_to_sequences(sentences), maxlen=50)
    dataset = tf.data.Dataset.from_tensor_slices((tokens, labels))
    return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)


@pytest.fixture
def vector_loader(batch_size: int, sentences: list[str], labels: list[int]) -> tf.data.Dataset:
    vectorize = TextVectorization(max_tokens=10_000, output_sequence_length=50)
    vectorize.adapt(sentences)
    dataset = tf.data.Dataset.from_tensor_slices((sentences, labels)).batch(batch_size)
    dataset = dataset.map(lambda text, label: (vectorize(text), label), tf.data.AUTOTUNE)
    return dataset.prefetch(tf.data.AUTOTUNE)


@pytest.mark.loaderperf(batch_sizes=[32, 64, 128])
def test_tokenizer(token_loader: tf.data.Dataset, loaderperf: LoaderPerf) -> None:
    perf = loaderperf(token_loader)
    assert perf.throughput >= perf.baseline.throughput
    assert perf.peak_memory <= perf.baseline.peak_memory


@pytest.mark.loaderperf(batch_sizes=[32, 64, 128])
def test_text_vectorization(vector_loader: tf.data.Dataset, loaderperf: LoaderPerf) -> None:
    perf = loaderperf(vector_loader)
    assert perf.throughput >= perf.baseline.throughput
    assert perf.peak_memory <= perf.baseline.peak_memory
