"""A pipeline of eight nodes with work; ``benchmarks/why_nodes.py`` makes one of them slower."""

import tensorflow as tf

SAMPLES = 50_000
BATCH = 32
SIDE = 24


def work(image, times):
    """Use the CPU, without a line of Python in any batch."""
    for _ in range(times):
        product = tf.linalg.matmul(image, image)
        image = product / (1.0 + tf.reduce_max(tf.abs(product)))  # no number gets large
    return image


def slowed(image, times):
    """The same image, or images, later."""
    if not times:
        return image
    late = work(tf.fill((SIDE, SIDE), tf.reduce_max(image)), times)
    return image + 1e-30 * tf.reduce_sum(late)


def load(index):
    image = tf.fill((SIDE, SIDE), tf.cast(index % 7, tf.float32))
    return slowed(work(image, 6), 0)


def decode(image):
    return slowed(work(image, 6), 0)


def keep(image):
    return tf.reduce_min(slowed(image, 0)) > -1e30


def count(total, image):
    return total + 1, slowed(image, 0)


def crop(image):
    return slowed(work(image, 6), 0)


def augment(image):
    return slowed(work(image, 6), 0)


def normalize(images):
    return slowed(images, 0) / 2.0


def convert(images):
    return slowed(images, 0) + 1.0


def make():
    """The pipeline, whose nodes run one after the other."""
    options = tf.data.Options()
    options.autotune.enabled = False
    made = tf.data.Dataset.range(SAMPLES).map(load).map(decode).take_while(keep)
    made = made.scan(tf.constant(0, tf.int64), count).map(crop).map(augment)
    return made.batch(BATCH).map(normalize).map(convert).with_options(options)
