"""Which tokens the generator must predict, and what it sees in their place (paper, section 2; original masking)."""

from typing import NamedTuple

import tensorflow as tf

from electra_tf.objective import random_bits


class SpecialIds(NamedTuple):
    """Ids of the pieces that are never masked, and of the mask symbol itself."""

    cls: int
    sep: int
    mask: int


class Masked(NamedTuple):
    """A batch prepared for the generator.

    Attributes:
        token_ids: int32 [batch, length], the generator's input.
        positions: int32 [batch, slots], distinct where `is_masked`; 0 in unused slots.
        original_ids: int32 [batch, slots], the tokens at `positions`: the generator's targets.
        is_masked: bool [batch, slots], False in the unused slots of a short row.
    """

    token_ids: tf.Tensor
    positions: tf.Tensor
    original_ids: tf.Tensor
    is_masked: tf.Tensor


def replace_at(token_ids, positions, *, new_ids, where):
    """Writes `new_ids` at `positions` of each row, in the slots where `where` is true.

    Args:
        token_ids: int32 [batch, length].
        positions: int32 [batch, slots], distinct where `where`.
        new_ids: int32 [batch, slots].
        where: bool [batch, slots].

    Returns:
        int32 [batch, length].

    >>> replace_at([[5, 6, 7]], [[1]], new_ids=[[9]], where=[[True]])   # [[5, 9, 7]]
    """
    token_ids, new_ids = tf.convert_to_tensor(token_ids), tf.convert_to_tensor(new_ids)
    old_ids = tf.gather(token_ids, positions, batch_dims=1)
    # Adding differences makes unused slots harmless: they add zero wherever they point.
    difference = tf.where(where, new_ids - old_ids, tf.zeros_like(new_ids))
    rows = tf.broadcast_to(tf.range(tf.shape(positions)[0])[:, None], tf.shape(positions))
    return tf.tensor_scatter_nd_add(token_ids, tf.stack([rows, positions], axis=-1), difference)


def mask_tokens(token_ids, padding_mask, *, masking, special_ids, source):
    """Chooses positions without replacement and hides them from the generator.

    A row of n real tokens gets round(n * mask_rate) masked positions, at least one and at most
    `masking.max_masked(length)`, drawn uniformly from the tokens that are not [CLS], [SEP] or [MASK]. The
    original draws with replacement, which masks fewer distinct tokens than its rate says.

    Args:
        token_ids: int32 [batch, length], length known statically.
        padding_mask: int32 or bool [batch, length], 1 for real tokens.
        masking: MaskingConfig.
        special_ids: SpecialIds.
        source: RandomSource of the batch.

    Returns:
        Masked.
    """
    length = token_ids.shape[1]
    slots = min(masking.max_masked(length), length)
    is_real = tf.cast(padding_mask, tf.bool)
    is_special = tf.reduce_any(token_ids[..., None] == tf.constant(special_ids, token_ids.dtype), axis=-1)
    is_candidate = is_real & ~is_special

    scores = random_bits.uniform(source, stream=random_bits.MASKED_POSITIONS, count=length)
    _, positions = tf.math.top_k(tf.where(is_candidate, scores, -1.0), k=slots)
    # tf.round rounds half to even, as the original does.
    wanted = tf.cast(tf.round(tf.reduce_sum(tf.cast(is_real, tf.float32), axis=1) * masking.mask_rate), tf.int32)
    available = tf.reduce_sum(tf.cast(is_candidate, tf.int32), axis=1)
    count = tf.minimum(tf.clip_by_value(wanted, 1, slots), available)
    is_masked = tf.range(slots)[None, :] < count[:, None]
    positions = tf.where(is_masked, positions, 0)

    original_ids = tf.gather(token_ids, positions, batch_dims=1)
    show_symbol = random_bits.uniform(source, stream=random_bits.MASK_SYMBOLS, count=slots) < masking.mask_symbol_rate
    symbols = tf.fill(tf.shape(original_ids), tf.constant(special_ids.mask, token_ids.dtype))
    masked_ids = replace_at(token_ids, positions, new_ids=symbols, where=is_masked & show_symbol)
    return Masked(masked_ids, positions, original_ids, is_masked)
