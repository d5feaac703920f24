"""Random numbers that depend on (run seed, stream, example) and on nothing else.

TensorFlow's stateless generators give other numbers under XLA than in graph mode, and none of them can be asked
for "row 17 of the global batch" on whichever replica that row lands. Philox4x32-10 (Salmon et al., 2011) is a
hash of a counter and a key in integer arithmetic only: the same everywhere.
"""

from typing import NamedTuple

import tensorflow as tf

_ROUNDS = 10
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_INCREMENTS = (0x9E3779B9, 0xBB67AE85)

# Streams: one for each purpose, so that no two draws of one example share numbers.
MASKED_POSITIONS, MASK_SYMBOLS, GENERATOR_SAMPLES, REORDERED_WINDOWS = range(4)
DELETED_TOKENS, SWAPPED_TOKENS, FOLLOWED_TOKENS, REPLACED_TOKENS, NEW_TOKENS = range(4, 9)
FIRST_DROPOUT_STREAM = 16


class RandomSource(NamedTuple):
    """Where the random numbers of a batch come from.

    Attributes:
        seed: scalar, the run seed (below 2**31).
        example_index: int64 [batch], the number of each example in the run: unique over steps and rows.
    """

    seed: tf.Tensor
    example_index: tf.Tensor


def _multiply_high_low(left, multiplier):
    product = tf.cast(left, tf.uint64) * tf.constant(multiplier, tf.uint64)
    high = tf.cast(tf.bitwise.right_shift(product, tf.constant(32, tf.uint64)), tf.uint32)
    low = tf.cast(tf.bitwise.bitwise_and(product, tf.constant(0xFFFFFFFF, tf.uint64)), tf.uint32)
    return high, low


def philox(counter, key):
    """The Philox4x32-10 block function.

    Args:
        counter: four uint32 tensors of one shape (or shapes that broadcast).
        key: two uint32 tensors or integers below 2**32.

    Returns:
        Four uint32 tensors of the broadcast shape.

    >>> philox([tf.zeros([1], tf.uint32)] * 4, (0, 0))[0]   # [0x6627e8d5]
    """
    counter0, counter1, counter2, counter3 = counter
    key0, key1 = (tf.cast(part, tf.uint32) for part in key)
    for _ in range(_ROUNDS):
        high0, low0 = _multiply_high_low(counter0, _MULTIPLIERS[0])
        high1, low1 = _multiply_high_low(counter2, _MULTIPLIERS[1])
        counter0 = tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(high1, counter1), key0)
        counter2 = tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(high0, counter3), key1)
        counter1, counter3 = low1, low0
        key0 = key0 + tf.constant(_KEY_INCREMENTS[0], tf.uint32)
        key1 = key1 + tf.constant(_KEY_INCREMENTS[1], tf.uint32)
    return counter0, counter1, counter2, counter3


def random_words(source, *, stream, count):
    """Uniform 32-bit words for each example of a batch.

    Args:
        source: RandomSource; `example_index` int64 [batch].
        stream: integer, what the numbers are for; draws of different streams are independent.
        count: words per example.

    Returns:
        uint32 [batch, count].

    >>> random_words(RandomSource(0, tf.constant([5], tf.int64)), stream=2, count=3).shape   # [1, 3]
    """
    index = tf.cast(source.example_index, tf.uint64)[:, None]
    low = tf.cast(tf.bitwise.bitwise_and(index, tf.constant(0xFFFFFFFF, tf.uint64)), tf.uint32)
    high = tf.cast(tf.bitwise.right_shift(index, tf.constant(32, tf.uint64)), tf.uint32)
    blocks = tf.range(-(-count // 4), dtype=tf.int32)[None, :]
    shape = tf.shape(index + tf.cast(blocks, tf.uint64))
    counter = [tf.broadcast_to(part, shape) for part in
               (tf.cast(blocks, tf.uint32), tf.fill([1, 1], tf.constant(stream, tf.uint32)), low, high)]
    words = tf.stack(philox(counter, (source.seed, 0)), axis=-1)  # [batch, blocks, 4]
    return tf.reshape(words, [shape[0], 4 * (-(-count // 4))])[:, :count]


def uniform(source, *, stream, count):
    """Uniform float32 [batch, count] in [0, 1), multiples of 2**-24 (arguments as `random_words`)."""
    words = tf.bitwise.right_shift(random_words(source, stream=stream, count=count), tf.constant(8, tf.uint32))
    return tf.cast(words, tf.float32) * (2.0 ** -24)


def keep_mask(source, *, stream, shape, rate):
    """Which elements dropout keeps: 16 random bits decide each one.

    Args:
        source: RandomSource; `example_index` int64 [batch].
        stream: integer, one for each dropout of the network.
        shape: sequence of integers, the shape of one example.
        rate: dropped fraction; rounded to a multiple of 2**-16.

    Returns:
        bool [batch, *shape]; divide what is kept by `1 - round(rate * 65536) / 65536`.
    """
    count = 1
    for size in shape:
        count *= size
    words = random_words(source, stream=stream, count=-(-count // 2))
    halves = tf.stack([tf.bitwise.bitwise_and(words, tf.constant(0xFFFF, tf.uint32)),
                       tf.bitwise.right_shift(words, tf.constant(16, tf.uint32))], axis=-1)
    halves = tf.reshape(halves, [-1, 2 * (-(-count // 2))])[:, :count]
    return tf.reshape(tf.cast(halves, tf.int32) >= int(round(rate * 65536)), [-1, *shape])
