"""Some neighbouring tokens change places, so that the discriminator must find wrong order as well as wrong words."""

import tensorflow as tf

from electra_tf.objective import random_bits


def reorder_tokens(token_ids, is_candidate, *, rate, source):
    """Rotates windows of three tokens by one place: a b c -> b c a.

    Args:
        token_ids: int32 [batch, length].
        is_candidate: bool [batch, length], tokens that may move: no special ones, no padding.
        rate: share of the places at which a window is drawn; one that would overlap a window drawn before it, or hold
            a token that may not move, is left out.
        source: RandomSource of the batch.

    Returns:
        int32 [batch, length].
    """
    length = token_ids.shape[1]
    drawn = random_bits.uniform(source, stream=random_bits.REORDERED_WINDOWS, count=length) < rate
    before = _shifted(drawn, 1) | _shifted(drawn, 2)
    starts = drawn & ~before & is_candidate & _shifted(is_candidate, -1) & _shifted(is_candidate, -2)
    moved = tf.where(starts | _shifted(starts, 1), tf.roll(token_ids, -1, axis=1), token_ids)
    return tf.where(_shifted(starts, 2), tf.roll(token_ids, 2, axis=1), moved)


def _shifted(values, by):
    """bool [batch, length] moved to the right (left where negative), false where nothing was."""
    length = values.shape[1]
    padded = tf.pad(values, [[0, 0], [max(by, 0), max(-by, 0)]])
    return padded[:, max(-by, 0):max(-by, 0) + length]
