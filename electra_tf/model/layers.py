"""The small layers from which the encoder is built, in the original's numerics."""

import math

import keras
import tensorflow as tf

from electra_tf import kernels
from electra_tf.kernels import operations
from electra_tf.objective import random_bits

_ROOT_HALF = 0.5 ** 0.5
_NORMAL_DENSITY_AT_0 = (2 * math.pi) ** -0.5


@tf.custom_gradient
def gelu(values):
    """The exact (erf) GELU, as in the original everywhere; computed in float32 under every policy.

    Args:
        values: float tensor of any shape.

    Returns:
        A tensor like it.

    >>> gelu(tf.constant([1.0]))   # [0.8413]
    """
    # TensorFlow's own goes through erfc, several times slower on CPUs; its gradient makes twice the passes of this one.
    # The order of the factors is the one that LiteRT's converter knows as GELU; it has no erf by itself.
    x = tf.cast(values, tf.float32)
    twice_cumulative = 1.0 + tf.math.erf(x * _ROOT_HALF)

    def gradient(upstream):
        slope = 0.5 * twice_cumulative + x * tf.exp(tf.square(x) * -0.5) * _NORMAL_DENSITY_AT_0
        return tf.cast(tf.cast(upstream, tf.float32) * slope, values.dtype)

    return tf.cast((x * 0.5) * twice_cumulative, values.dtype), gradient


def gelu_tanh(values):
    """The tanh approximation of GELU, as KerasHub and Hugging Face's "gelu_new"; in float32 under every policy.

    Args:
        values: float tensor of any shape.

    Returns:
        A tensor like it.

    >>> gelu_tanh(tf.constant([1.0]))   # [0.8412]
    """
    return tf.cast(tf.nn.gelu(tf.cast(values, tf.float32), approximate=True), values.dtype)


def activation_of(config):
    """The function that `config.activation` names."""
    return {"gelu": gelu, "gelu_tanh": gelu_tanh}[config.activation]


@tf.custom_gradient
def normalize(values, gamma, beta, epsilon):
    """LayerNorm over the last axis: (x - mean) / sqrt(population variance + epsilon) * gamma + beta, in float32.

    Args:
        values: float [..., width].
        gamma: float32 [width].
        beta: float32 [width].
        epsilon: float, added to the variance.

    Returns:
        A tensor like `values`.
    """
    x = tf.cast(values, tf.float32)
    centred = x - tf.reduce_mean(x, axis=-1, keepdims=True)
    scale = tf.math.rsqrt(tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True) + epsilon)
    normed = centred * scale

    def gradient(upstream):
        upstream = tf.cast(upstream, tf.float32)
        leading = list(range(values.shape.rank - 1))
        by_normed = upstream * gamma
        by_values = scale * (by_normed - tf.reduce_mean(by_normed, axis=-1, keepdims=True)
                             - normed * tf.reduce_mean(by_normed * normed, axis=-1, keepdims=True))
        return (tf.cast(by_values, values.dtype), tf.reduce_sum(upstream * normed, axis=leading),
                tf.reduce_sum(upstream, axis=leading), None)

    return tf.cast(normed * gamma + beta, values.dtype), gradient


def initial_weights(config):
    """Truncated normal, cut at two standard deviations and not rescaled, as in the original."""
    return keras.initializers.TruncatedNormal(stddev=config.initializer_range)


def dense(units, *, config, name, dtype, stream=None):
    """A dense layer with the encoder's initial weights; with a `stream`, one that DropConnect applies to."""
    if stream is not None and config.drop_connect:
        return DropConnectDense(units, rate=config.drop_connect, stream=stream,
                                kernel_initializer=initial_weights(config), name=name, dtype=dtype)
    return Dense(units, kernel_initializer=initial_weights(config), name=name, dtype=dtype)


@keras.saving.register_keras_serializable(package="electra_tf")
class Dense(keras.layers.Dense):
    """A dense layer of Keras whose weights stay float32 up to the product, which the fused operations round for it."""

    def add_weight(self, *args, **kwargs):
        return super().add_weight(*args, **{**kwargs, "autocast": False})

    def call(self, inputs):
        if kernels.are_in_use():
            return operations.linear(inputs, self.kernel, self.bias)
        return keras.ops.matmul(inputs, tf.cast(self.kernel, inputs.dtype)) + tf.cast(self.bias, inputs.dtype)


class LayerNorm(keras.layers.Layer):
    """LayerNorm over the last axis; its statistics are float32 under every dtype policy."""

    def __init__(self, *, epsilon, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        self.gamma = self.add_weight(name="gamma", shape=(input_shape[-1],), initializer="ones", autocast=False)
        self.beta = self.add_weight(name="beta", shape=(input_shape[-1],), initializer="zeros", autocast=False)

    def call(self, inputs):
        return normalize(inputs, tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta), self.epsilon)


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
        # Batches of fine-tuning are as long as their longest text: a size that is known only at run time.
        if kernels.are_in_use() and inputs.shape.rank == 3:
            return operations.dropout(inputs, self.dice(random))
        shape = [tf.shape(inputs)[axis] if size is None else size for axis, size in enumerate(inputs.shape)][1:]
        keep = random_bits.keep_mask(
            random, stream=random_bits.FIRST_DROPOUT_STREAM + self.stream, shape=shape, rate=self.rate)
        return tf.where(keep, inputs / (1 - self.rate), tf.zeros_like(inputs))

    def dice(self, random):
        """What a fused operation needs to do this dropout itself; `random` None: it drops nothing."""
        return operations.Dice(self.rate, stream=random_bits.FIRST_DROPOUT_STREAM + self.stream, source=random)


@keras.saving.register_keras_serializable(package="electra_tf")
class DropConnectDense(keras.layers.Dense):
    """A dense layer that drops entries of its kernel in training: one draw for all rows of a (micro-)batch.

    Args:
        units: width of the output.
        rate: dropped fraction, 0..1.
        stream: integer, one for each such layer of a network.
    """

    def __init__(self, units, *, rate, stream, **kwargs):
        super().__init__(units, **kwargs)
        self.rate = round(rate * 65536) / 65536
        self.stream = stream

    def call(self, inputs, training=False, random=None):
        if not training or self.rate == 0:
            return super().call(inputs)
        if random is None:
            random = random_source_of_the_moment(1)
        first = random_bits.RandomSource(random.seed, random.example_index[:1])
        keep = random_bits.keep_mask(first, stream=random_bits.FIRST_DROPOUT_STREAM + self.stream,
                                     shape=self.kernel.shape, rate=self.rate)[0]
        kernel = tf.where(keep, self.kernel / (1 - self.rate), 0.0)
        return tf.matmul(inputs, tf.cast(kernel, inputs.dtype)) + tf.cast(self.bias, inputs.dtype)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "stream": self.stream}


def random_source_of_the_moment(batch_size):
    """A RandomSource for callers that have no run: new numbers at each call, from TensorFlow's global generator."""
    example_index = tf.random.uniform([batch_size], maxval=2**62, dtype=tf.int64)
    return random_bits.RandomSource(tf.constant(0, tf.int32), example_index)
