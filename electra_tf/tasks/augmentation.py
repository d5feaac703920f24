"""Texts changed at random in training: tokens deleted, swapped, inserted, replaced (Wei and Zou, 2019, on pieces).

Every function changes a whole batch in the graph. [CLS], [SEP] and padding stay what they are; each token is chosen by
itself, with one number of the caller's.
"""

from typing import NamedTuple

import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.model.encoder import unpack_inputs
from electra_tf.model.networks import ElectraGenerator
from electra_tf.objective import random_bits
from electra_tf.objective.random_bits import RandomSource
from electra_tf.objective.sampling import sample_tokens
from electra_tf.tasks.run_models import generator_folder_of
from electra_tf.tasks.text_batches import FEATURES, rounded_up
from electra_tf.text.pieces import SPECIAL_PIECES

_FORBIDDEN = -1e9


class Tokens(NamedTuple):
    """A batch of texts: int32 [batch, length] each; the first two hold 0 where there is padding."""

    token_ids: tf.Tensor
    segment_ids: tf.Tensor
    padding_mask: tf.Tensor


def chosen_places(tokens, uniforms, *, rate, fixed_ids):
    """Where something is done: each token but the fixed pieces with the chance `rate`; bool [batch, length].

    Args:
        tokens: Tokens.
        uniforms: float32 [batch, length] in [0, 1).
        rate: 0..1.
        fixed_ids: ids of the pieces that never change.

    >>> chosen_places(Tokens([[2, 7, 3]], [[0, 0, 0]], [[1, 1, 1]]), [[0.0, 0.1, 0.2]], rate=0.15, fixed_ids=(2, 3))
    """
    return _free_places(tokens, fixed_ids) & (uniforms < rate)


def delete_tokens(tokens, uniforms, *, rate, fixed_ids):
    """Deletes tokens; what follows moves to the left. Where all of a text's tokens are chosen, all of them stay.

    Args, as of `chosen_places`; returns Tokens of the same shape.

    >>> delete_tokens(tokens, uniforms, rate=0.1, fixed_ids=(2, 3)).padding_mask
    """
    is_free = _free_places(tokens, fixed_ids)
    is_deleted = is_free & (uniforms < rate)
    for segment in (0, 1):
        is_in_text = is_free & tf.equal(tokens.segment_ids, segment)
        is_lost = tf.reduce_all(is_deleted | ~is_in_text, axis=1, keepdims=True)
        is_deleted &= ~(is_in_text & is_lost)
    is_kept = tf.cast(tokens.padding_mask, tf.bool) & ~is_deleted
    order = tf.argsort(tf.cast(~is_kept, tf.int32), axis=1, stable=True)
    is_real = tf.range(tf.shape(is_kept)[1]) < tf.reduce_sum(tf.cast(is_kept, tf.int32), axis=1, keepdims=True)
    token_ids, segment_ids = (tf.where(is_real, tf.gather(values, order, batch_dims=1), 0)
                              for values in (tokens.token_ids, tokens.segment_ids))
    return Tokens(token_ids, segment_ids, tf.cast(is_real, tf.int32))


def swap_tokens(tokens, uniforms, *, rate, fixed_ids):
    """Lets the first chosen token of a row change places with the second, the third with the fourth, and so on.

    Two of different texts of a pair do not change places. Args as of `chosen_places`; returns Tokens of the same shape.

    >>> swap_tokens(tokens, uniforms, rate=0.1, fixed_ids=(2, 3)).token_ids
    """
    is_chosen = chosen_places(tokens, uniforms, rate=rate, fixed_ids=fixed_ids)
    length = tf.shape(is_chosen)[1]
    chosen_first = tf.argsort(tf.cast(~is_chosen, tf.int32), axis=1, stable=True)
    number = tf.cumsum(tf.cast(is_chosen, tf.int32), axis=1) - 1
    partner_number = tf.bitwise.bitwise_xor(tf.maximum(number, 0), 1)
    partner = tf.gather(chosen_first, tf.minimum(partner_number, length - 1), batch_dims=1)
    is_swapped = (is_chosen & (partner_number <= number[:, -1:])
                  & tf.equal(tf.gather(tokens.segment_ids, partner, batch_dims=1), tokens.segment_ids))
    source = tf.where(is_swapped, partner, tf.range(length))
    return tokens._replace(token_ids=tf.gather(tokens.token_ids, source, batch_dims=1))


def insert_places(tokens, uniforms, *, rate, fixed_ids, longest):
    """Makes room for a new token behind every chosen one, in the same text; a row has `longest` tokens at most.

    Args:
        tokens, uniforms, rate, fixed_ids: as of `chosen_places`.
        longest: tokens of a row; where room is short, the first of the chosen get theirs.

    Returns:
        (Tokens [batch, as long as is needed], in which a new place repeats the token before it; bool of the same
        shape, the new places).

    >>> tokens, is_new = insert_places(tokens, uniforms, rate=0.1, fixed_ids=(2, 3), longest=128)
    """
    is_followed = chosen_places(tokens, uniforms, rate=rate, fixed_ids=fixed_ids)
    room = longest - tf.reduce_sum(tokens.padding_mask, axis=1, keepdims=True)
    is_followed &= tf.cumsum(tf.cast(is_followed, tf.int32), axis=1) <= room
    ends = tf.cumsum(tokens.padding_mask + tf.cast(is_followed, tf.int32), axis=1)  # behind each token and its new one
    most = tf.reduce_max(ends)
    length = tf.maximum(tf.minimum(rounded_up(most), longest), most)
    place = tf.tile(tf.range(length)[None], [tf.shape(ends)[0], 1])
    source = tf.minimum(tf.searchsorted(ends, place, side="right"), tf.shape(ends)[1] - 1)
    is_real = place < ends[:, -1:]
    is_new = (is_real & tf.gather(is_followed, source, batch_dims=1)
              & tf.equal(place, tf.gather(ends, source, batch_dims=1) - 1))
    token_ids, segment_ids = (tf.where(is_real, tf.gather(values, source, batch_dims=1), 0)
                              for values in (tokens.token_ids, tokens.segment_ids))
    return Tokens(token_ids, segment_ids, tf.cast(is_real, tf.int32)), is_new


def generator_proposals(generator, tokens, is_new, uniforms, *, allowed_ids):
    """What a generator says in the new places, each one a [MASK] for it: int32 [batch, length], 0 in all others.

    Args:
        generator: ElectraGenerator.
        tokens: Tokens, with [MASK] in the new places.
        is_new: bool [batch, length].
        uniforms: float32 [batch, length] in [0, 1).
        allowed_ids: int32 [pieces], what may be proposed.

    >>> generator_proposals(generator, tokens, is_new, uniforms, allowed_ids=[5, 6, 7])
    """
    count = tf.reduce_max(tf.reduce_sum(tf.cast(is_new, tf.int32), axis=1))
    positions = tf.argsort(tf.cast(~is_new, tf.int32), axis=1, stable=True)[:, :count]
    logits = generator(tokens._asdict(), positions=positions, training=False)  # [batch, count, vocabulary]
    size = generator.config.vocabulary_size
    is_allowed = tf.scatter_nd(tf.constant(allowed_ids)[:, None], tf.ones_like(allowed_ids, tf.float32), [size])
    logits = tf.reshape(logits + (1 - is_allowed) * _FORBIDDEN, [-1, 1, size])
    chosen = tf.reshape(tf.gather(uniforms, positions, batch_dims=1), [-1, 1])
    samples = tf.reshape(sample_tokens(logits, chosen), tf.shape(positions))
    rows = tf.broadcast_to(tf.range(tf.shape(positions)[0])[:, None], tf.shape(positions))
    proposed = tf.scatter_nd(tf.stack([rows, positions], axis=-1), samples, tf.shape(is_new))
    return tf.where(is_new, proposed, 0)


def augment(tokens, source, *, config, vocabulary, longest, generator=None):
    """Changes a batch as the settings say: deletes, swaps, inserts, replaces, in this order.

    Args:
        tokens: Tokens.
        source: RandomSource of the rows.
        config: AugmentationConfig.
        vocabulary: Vocabulary.
        longest: tokens that a row may have.
        generator: ElectraGenerator for new_tokens="generator".

    Returns:
        Tokens; longer than before where something was inserted.

    >>> augment(tokens, source, config=AugmentationConfig(swap_rate=0.1), vocabulary=vocabulary, longest=128)
    """
    fixed_ids = (vocabulary.cls_id, vocabulary.sep_id)

    def uniforms(stream):
        return random_bits.uniform(source, stream=stream, count=tf.shape(tokens.token_ids)[1])

    if config.deletion_rate:
        tokens = delete_tokens(tokens, uniforms(random_bits.DELETED_TOKENS), rate=config.deletion_rate,
                               fixed_ids=fixed_ids)
    if config.swap_rate:
        tokens = swap_tokens(tokens, uniforms(random_bits.SWAPPED_TOKENS), rate=config.swap_rate, fixed_ids=fixed_ids)
    is_new = tf.zeros_like(tokens.token_ids, tf.bool)
    if config.insertion_rate:
        tokens, is_new = insert_places(tokens, uniforms(random_bits.FOLLOWED_TOKENS), rate=config.insertion_rate,
                                       fixed_ids=fixed_ids, longest=longest)
    if config.replacement_rate:
        is_new |= chosen_places(tokens, uniforms(random_bits.REPLACED_TOKENS), rate=config.replacement_rate,
                                fixed_ids=fixed_ids)
    if not config.insertion_rate and not config.replacement_rate:
        return tokens
    tokens = tokens._replace(token_ids=tf.where(is_new, vocabulary.mask_id, tokens.token_ids))
    if config.new_tokens == "mask":
        return tokens
    allowed_ids, chances = _ordinary_ids(vocabulary), uniforms(random_bits.NEW_TOKENS)
    if config.new_tokens == "generator":
        proposed = generator_proposals(generator, tokens, is_new, chances, allowed_ids=allowed_ids)
    else:
        proposed = tf.gather(tf.constant(allowed_ids), tf.cast(chances * len(allowed_ids), tf.int32))
    return tokens._replace(token_ids=tf.where(is_new, proposed, tokens.token_ids))


def augmenter(config, *, vocabulary, longest):
    """The function that changes the features of a batch as the settings say.

    Args:
        config: AugmentationConfig.
        vocabulary: Vocabulary of the texts.
        longest: tokens that a row may have.

    Returns:
        Function of (features, RandomSource) -> features; features are a dict of int32 [batch, ..., length]. A text of
        several rows, as in multiple choice, is changed differently in each.

    Raises:
        InputError: there is no such generator, or it has another vocabulary or fewer positions.

    >>> augmenter(AugmentationConfig(swap_rate=0.1), vocabulary=vocabulary, longest=128)(features, source)
    """
    generator = _load_generator(config.generator, vocabulary, longest) if config.generator else None

    def change(features, source):
        values = unpack_inputs(features)
        leading = tf.shape(values[0])[:-1]
        rows = tf.cast(tf.reduce_prod(leading[1:]), tf.int64)
        numbers = tf.reshape(source.example_index[:, None] * rows + tf.range(rows), [-1])
        flat = Tokens(*(tf.reshape(value, [-1, tf.shape(value)[-1]]) for value in values))
        changed = augment(flat, RandomSource(source.seed, numbers), config=config, vocabulary=vocabulary,
                          longest=longest, generator=generator)
        return {**features, **{name: tf.reshape(value, tf.concat([leading, tf.shape(value)[-1:]], axis=0))
                               for name, value in zip(FEATURES, changed, strict=True)}}
    return change


def _free_places(tokens, fixed_ids):
    is_fixed = tf.reduce_any(tf.equal(tokens.token_ids[..., None], tf.constant(fixed_ids, tf.int32)), axis=-1)
    return tf.cast(tokens.padding_mask, tf.bool) & ~is_fixed


def _ordinary_ids(vocabulary):
    """The pieces that may stand in a text: neither special nor a spare place of BERT's vocabularies."""
    return [number for number, piece in enumerate(vocabulary.pieces)
            if piece not in SPECIAL_PIECES and not piece.startswith("[unused")]


def _load_generator(folder, vocabulary, longest):
    generator = ElectraGenerator.from_preset(generator_folder_of(folder))
    if generator.vocabulary != vocabulary:
        raise InputError(f"augmentation.generator={folder}: its vocabulary is not the model's; give the generator of "
                         f"the same pretraining.")
    if generator.config.max_positions < longest:
        raise InputError(f"augmentation.generator={folder}: it has {generator.config.max_positions} positions, fewer "
                         f"than sequence_length={longest}.")
    return generator
