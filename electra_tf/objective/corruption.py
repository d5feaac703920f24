"""The sentence with the generator's samples in it, and which of its tokens were replaced (paper, section 2)."""

from typing import NamedTuple

import tensorflow as tf

from electra_tf.objective.masking import replace_at, resolve_repeats


class Corrupted(NamedTuple):
    """Input and labels of the discriminator.

    Attributes:
        token_ids: int32 [batch, length].
        is_replaced: bool [batch, length], False where a sample hit the original token.
    """

    token_ids: tf.Tensor
    is_replaced: tf.Tensor


def corrupt(token_ids, masked, *, sampled_ids, shown_ids=None, repeated_positions=None):
    """Puts the generator's samples into the original sentence; no [MASK] is left.

    Args:
        token_ids: int32 [batch, length], the original sentence.
        masked: Masked, whose `positions` the samples belong to.
        sampled_ids: int32 [batch, slots].
        shown_ids: int32 [batch, length], the sentence that the samples are put into where it is not the original
            itself; tokens of it that differ count as replaced.
        repeated_positions: rule of `resolve_repeats` for positions that were drawn with replacement; None where they
            are distinct.

    Returns:
        Corrupted.
    """
    where = masked.is_masked
    if repeated_positions is not None:
        sampled_ids, where = resolve_repeats(masked.positions, sampled_ids, where=where, rule=repeated_positions)
    shown_ids = token_ids if shown_ids is None else shown_ids
    corrupt_ids = replace_at(shown_ids, masked.positions, new_ids=sampled_ids, where=where)
    return Corrupted(corrupt_ids, corrupt_ids != token_ids)
