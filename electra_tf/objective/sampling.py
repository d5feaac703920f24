"""One token drawn from the generator's distribution for each masked position (paper, section 2)."""

import tensorflow as tf

from electra_tf.objective import random_bits

_BLOCK = 128
# Both as in the original.
_DISALLOWED = 1000.0
_GUMBEL_EPSILON = 1e-9


def sample_replacements(logits, original_ids, *, masking, source):
    """One sample for each masked position, drawn as `masking` says.

    Args:
        logits: float [batch, slots, vocabulary], vocabulary known statically.
        original_ids: int32 [batch, slots].
        masking: MaskingConfig.
        source: RandomSource of the batch.

    Returns:
        int32 [batch, slots].
    """
    slots, vocabulary_size = logits.shape[1:]
    if masking.disallow_correct:
        # The original divides by the temperature first and subtracts afterwards.
        disallowed = _DISALLOWED * masking.temperature
        logits -= disallowed * tf.one_hot(original_ids, vocabulary_size, dtype=logits.dtype)
    if masking.sampler == "gumbel":
        uniforms = random_bits.uniform(
            source, stream=random_bits.GENERATOR_SAMPLES, count=slots * vocabulary_size)
        uniforms = tf.reshape(uniforms, [-1, slots, vocabulary_size])
        return sample_by_gumbel(logits, uniforms, temperature=masking.temperature)
    return sample_tokens(logits, sample_uniforms(source, slots=slots), temperature=masking.temperature)


def sample_uniforms(source, *, slots):
    """The random numbers of `sample_tokens`: float32 [batch, slots]."""
    return random_bits.uniform(source, stream=random_bits.GENERATOR_SAMPLES, count=slots)


def samples_plainly(masking):
    """Whether samples are those of `sample_tokens` on the logits as they are."""
    return masking.sampler != "gumbel" and not masking.disallow_correct and masking.temperature == 1


def sample_by_gumbel(logits, uniforms, *, temperature=1.0):
    """Samples from softmax(logits / temperature) as the original does: the largest logit after adding Gumbel noise.

    Args:
        logits, uniforms: float32 [batch, slots, vocabulary]; uniforms in [0, 1).
        temperature: divides the logits.

    Returns:
        int32 [batch, slots].

    >>> sample_by_gumbel([[[0., 0., 100.]]], [[[0.5, 0.5, 0.5]]])   # [[2]]
    """
    logits = tf.stop_gradient(tf.cast(logits, tf.float32)) / temperature
    noise = -tf.math.log(-tf.math.log(uniforms + _GUMBEL_EPSILON) + _GUMBEL_EPSILON)
    return tf.argmax(logits + noise, axis=-1, output_type=tf.int32)


def sample_tokens(logits, uniforms, *, temperature=1.0):
    """Samples from softmax(logits / temperature) by inverting its cumulative distribution.

    The distribution is that of the original's Gumbel-max, with one random number for each sample in place of one for
    each vocabulary entry. The sum runs over blocks first, then inside the chosen block, which keeps float32 exact
    enough for large vocabularies.

    Args:
        logits: float [batch, slots, vocabulary].
        uniforms: float32 [batch, slots] in [0, 1).
        temperature: divides the logits.

    Returns:
        int32 [batch, slots].

    >>> sample_tokens([[[0., 0., 100.]]], [[0.5]])   # [[2]]
    """
    logits = tf.stop_gradient(tf.cast(logits, tf.float32))
    if temperature != 1:
        logits /= temperature
    vocabulary_size = logits.shape[-1]
    weights = tf.exp(logits - tf.reduce_max(logits, axis=-1, keepdims=True))
    padding = -vocabulary_size % _BLOCK
    weights = tf.pad(weights, [[0, 0], [0, 0], [0, padding]])
    blocks = (vocabulary_size + padding) // _BLOCK
    batch, slots = tf.shape(weights)[0], weights.shape[1]
    weights = tf.reshape(weights, [batch, slots, blocks, _BLOCK])

    block_ends = tf.cumsum(tf.reduce_sum(weights, axis=-1), axis=-1)  # [batch, slots, blocks]
    target = uniforms * block_ends[..., -1]
    block = tf.reduce_sum(tf.cast(block_ends <= target[..., None], tf.int32), axis=-1)
    block = tf.minimum(block, blocks - 1)
    block_start = tf.where(block > 0, tf.gather(block_ends, tf.maximum(block - 1, 0), batch_dims=2), 0.0)
    inside = tf.gather(weights, block, batch_dims=2)  # [batch, slots, _BLOCK]
    ends = tf.cumsum(inside, axis=-1)
    offset = tf.reduce_sum(tf.cast(ends <= (target - block_start)[..., None], tf.int32), axis=-1)
    # Rounding may point past the last entry that has any weight: take that entry.
    numbers = tf.range(_BLOCK, dtype=tf.int32)
    last = tf.reduce_max(tf.where(inside > 0, numbers, 0), axis=-1)
    return block * _BLOCK + tf.minimum(offset, last)
