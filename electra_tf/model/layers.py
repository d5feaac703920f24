"""The small layers from which the encoder is built, in the original's numerics."""

import keras
import tensorflow as tf

from electra_tf.objective import random_bits


def gelu(values):
    """The exact (erf) GELU, as in the original everywhere."""
    return tf.nn.gelu(values, approximate=False)


def initial_weights(config):
    """Truncated normal, cut at two standard deviations and not rescaled, as in the original."""
    return keras.initializers.TruncatedNormal(stddev=config.initializer_range)


def dense(units, *, config, name, dtype):
    """A dense layer with the encoder's initial weights."""
    return keras.layers.Dense(units, kernel_initializer=initial_weights(config), name=name, dtype=dtype)


class LayerNorm(keras.layers.Layer):
    """LayerNorm over the last axis; its statistics are float32 under every dtype policy."""

    def __init__(self, *, epsilon, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        self.gamma = self.add_weight(name="gamma", shape=(input_shape[-1],), initializer="ones", autocast=False)
        self.beta = self.add_weight(name="beta", shape=(input_shape[-1],), initializer="zeros", autocast=False)

    def call(self, inputs):
        values = tf.cast(inputs, tf.float32)
        centred = values - tf.reduce_mean(values, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
        outputs = centred * (tf.math.rsqrt(variance + self.epsilon) * self.gamma.value) + self.beta.value
        return tf.cast(outputs, inputs.dtype)


class Dropout(keras.layers.Layer):
    """Dropout whose mask is a function of (run seed, stream, example), or of TensorFlow's seed where none is given.

    Args:
        rate: dropped fraction, 0..1.
        stream: integer, one for each dropout of a network.
    """

    def __init__(self, rate, *, stream, **kwargs):
        super().__init__(**kwargs)
        self.rate = round(rate * 65536) / 65536
        self.stream = stream

    def call(self, inputs, training=False, random=None):
        if not training or self.rate == 0:
            return inputs
        if random is None:
            random = random_source_of_the_moment(tf.shape(inputs)[0])
        keep = random_bits.keep_mask(
            random, stream=random_bits.FIRST_DROPOUT_STREAM + self.stream, shape=inputs.shape[1:], rate=self.rate)
        return tf.where(keep, inputs / (1 - self.rate), tf.zeros_like(inputs))


def random_source_of_the_moment(batch_size):
    """A RandomSource for callers that have no run: new numbers at each call, from TensorFlow's global generator."""
    example_index = tf.random.uniform([batch_size], maxval=2**62, dtype=tf.int64)
    return random_bits.RandomSource(tf.constant(0, tf.int32), example_index)
