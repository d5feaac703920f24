"""Which tokens the generator must predict, and what it sees in their place (paper, section 2; original masking)."""

from typing import NamedTuple

import tensorflow as tf

from electra_tf.objective import random_bits


class SpecialIds(NamedTuple):
    """Ids of the pieces that are never masked, and of the mask symbol itself.

    >>> ElectraPretrainer(config, special_ids=SpecialIds.of(vocabulary))
    """

    cls: int
    sep: int
    mask: int

    @classmethod
    def of(cls, vocabulary):
        """Those of a Vocabulary.

        >>> SpecialIds.of(Vocabulary.load("vocabulary")).mask   # 4
        """
        return cls(cls=vocabulary.cls_id, sep=vocabulary.sep_id, mask=vocabulary.mask_id)


class Masked(NamedTuple):
    """A batch prepared for the generator.

    Attributes:
        token_ids: int32 [batch, length], the generator's input.
        positions: int32 [batch, slots], distinct where `is_masked` unless drawn with replacement; 0 in unused slots.
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


def candidates(token_ids, padding_mask, *, special_ids):
    """Which tokens may be masked: bool [batch, length], real ones other than [CLS], [SEP] and [MASK]."""
    is_special = tf.reduce_any(token_ids[..., None] == tf.constant(special_ids, token_ids.dtype), axis=-1)
    return tf.cast(padding_mask, tf.bool) & ~is_special


def masked_counts(padding_mask, *, mask_rate, slots):
    """How many tokens of each row are masked: int32 [batch], round(n * mask_rate), at least 1 and at most `slots`."""
    lengths = tf.reduce_sum(tf.cast(tf.cast(padding_mask, tf.bool), tf.float32), axis=1)
    # tf.round rounds half to even, as the original does.
    return tf.clip_by_value(tf.cast(tf.round(lengths * mask_rate), tf.int32), 1, slots)


def positions_without_replacement(is_candidate, uniforms, *, slots):
    """Distinct positions, int32 [batch, slots]; `uniforms` float32 [batch, length]. Candidates come first."""
    return tf.math.top_k(tf.where(is_candidate, uniforms, -1.0), k=slots)[1]


def positions_with_replacement(is_candidate, uniforms):
    """One candidate for each number of `uniforms` float32 [batch, slots], all equally likely: int32 [batch, slots].

    >>> positions_with_replacement([[False, True, True]], [[0.1, 0.9, 0.6]])   # [[1, 2, 2]]
    """
    ends = tf.cumsum(tf.cast(is_candidate, tf.int32), axis=1)  # [batch, length]
    available = ends[:, -1:]
    chosen = tf.cast(uniforms * tf.cast(available, tf.float32), tf.int32)
    chosen = tf.minimum(chosen, tf.maximum(available - 1, 0))
    is_before = ends[:, None, :] <= chosen[..., None]  # [batch, slots, length]
    return tf.minimum(tf.reduce_sum(tf.cast(is_before, tf.int32), axis=-1), tf.shape(is_candidate)[1] - 1)


def resolve_repeats(positions, new_ids, *, where, rule):
    """What stands at a position that several slots name.

    Args:
        positions, new_ids: int32 [batch, slots].
        where: bool [batch, slots], the slots in use.
        rule: "first", the first slot's id; or "average", the rounded down mean of all, as in the original's code.

    Returns:
        (new_ids, where): only the first slot of each position stays in use.

    >>> resolve_repeats([[1, 1]], [[4, 9]], where=[[True, True]], rule="average")   # [[6, ...]], [[True, False]]
    """
    positions, new_ids, where = (tf.convert_to_tensor(tensor) for tensor in (positions, new_ids, where))
    is_same = (positions[:, :, None] == positions[:, None, :]) & where[:, None, :]  # [batch, slot, other slot]
    slots = tf.range(tf.shape(positions)[1])
    is_later = tf.reduce_any(is_same & (slots[None, :] < slots[:, None]), axis=-1)
    if rule == "average":
        counts = tf.cast(is_same, new_ids.dtype)
        new_ids = tf.reduce_sum(counts * new_ids[:, None, :], axis=-1) // tf.maximum(1, tf.reduce_sum(counts, axis=-1))
    return new_ids, where & ~is_later


def hide_tokens(token_ids, positions, *, is_masked, shows_symbol, mask_id, repeats=False):
    """The generator's input and targets for positions that were drawn.

    Args:
        token_ids: int32 [batch, length].
        positions: int32 [batch, slots].
        is_masked: bool [batch, slots], the slots in use.
        shows_symbol: bool [batch, slots], where the generator sees [MASK]; elsewhere it sees the token itself.
        mask_id: id of [MASK].
        repeats: whether a position may stand in several slots; it shows [MASK] where any of them says so.

    Returns:
        Masked.
    """
    positions = tf.where(is_masked, positions, 0)
    original_ids = tf.gather(token_ids, positions, batch_dims=1)
    symbols = tf.fill(tf.shape(original_ids), tf.constant(mask_id, token_ids.dtype))
    where = is_masked & shows_symbol
    if repeats:
        _, where = resolve_repeats(positions, symbols, where=where, rule="first")
    return Masked(replace_at(token_ids, positions, new_ids=symbols, where=where), positions, original_ids, is_masked)


def mask_tokens(token_ids, padding_mask, *, masking, special_ids, source):
    """Chooses positions and hides them from the generator.

    A row of n real tokens gets round(n * mask_rate) masked positions, at least one and at most
    `masking.max_masked(length)`, drawn uniformly from the tokens that are not [CLS], [SEP] or [MASK]: each once, or,
    as in the original, with replacement, which masks fewer distinct tokens than its rate says.

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
    is_candidate = candidates(token_ids, padding_mask, special_ids=special_ids)
    with_replacement = masking.mask_sampling == "with_replacement"
    uniforms = random_bits.uniform(
        source, stream=random_bits.MASKED_POSITIONS, count=slots if with_replacement else length)
    positions = (positions_with_replacement(is_candidate, uniforms) if with_replacement
                 else positions_without_replacement(is_candidate, uniforms, slots=slots))
    wanted = masked_counts(padding_mask, mask_rate=masking.mask_rate, slots=slots)
    available = tf.reduce_sum(tf.cast(is_candidate, tf.int32), axis=1)
    count = tf.where(available > 0, wanted, 0) if with_replacement else tf.minimum(wanted, available)
    is_masked = tf.range(slots)[None, :] < count[:, None]
    shows_symbol = random_bits.uniform(source, stream=random_bits.MASK_SYMBOLS, count=slots) < masking.mask_symbol_rate
    return hide_tokens(token_ids, positions, is_masked=is_masked, shows_symbol=shows_symbol, mask_id=special_ids.mask,
                       repeats=with_replacement)


def masked_places(masked, *, length):
    """bool [batch, length], where a slot in use points; `masked` is Masked."""
    hits = tf.one_hot(masked.positions, length, on_value=True, off_value=False, dtype=tf.bool)  # [batch, slots, length]
    return tf.reduce_any(hits & masked.is_masked[..., None], axis=1)
