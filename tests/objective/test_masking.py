import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config import MaskingConfig
from electra_tf.objective.masking import SpecialIds, mask_tokens, replace_at
from electra_tf.objective.random_bits import RandomSource
from electra_tf.text.vocabulary import Vocabulary

SPECIAL = SpecialIds(cls=2, sep=3, mask=4)


def test_special_ids_are_those_of_the_vocabulary():
    vocabulary = Vocabulary(["[PAD]", "a", "[MASK]", "[SEP]", "[CLS]", "[UNK]"])
    assert SpecialIds.of(vocabulary) == SpecialIds(cls=4, sep=3, mask=2)


def rows_of(lengths, *, width, vocabulary=500, seed=0):
    """Rows [CLS] text [SEP] padding with the given numbers of real tokens."""
    rng = np.random.default_rng(seed)
    token_ids = np.zeros((len(lengths), width), np.int32)
    for row, length in zip(token_ids, lengths):
        row[:length] = rng.integers(5, vocabulary, length)
        row[0], row[length - 1] = SPECIAL.cls, SPECIAL.sep
    return token_ids, (np.arange(width)[None, :] < np.array(lengths)[:, None]).astype(np.int32)


def mask(token_ids, padding_mask, *, masking=MaskingConfig(), seed=0, first_example=0):
    source = RandomSource(seed, tf.range(first_example, first_example + len(token_ids), dtype=tf.int64))
    return mask_tokens(
        tf.constant(token_ids), tf.constant(padding_mask), masking=masking, special_ids=SPECIAL, source=source)


def test_rates_over_100_000_tokens():
    token_ids, padding_mask = rows_of([128] * 800, width=128)
    masked = mask(token_ids, padding_mask)
    tokens = token_ids.size
    assert tokens > 100_000
    chosen = masked.is_masked.numpy().sum()
    assert chosen == 800 * 19  # round(128 * 0.15) each
    shown = (masked.token_ids.numpy() == SPECIAL.mask).sum()
    # 15,200 draws at 0.85: standard deviation 0.0029.
    assert abs(shown / chosen - 0.85) < 0.012
    # Every place of the text is equally likely: 126 candidates, expected 800 * 19 / 126 each, chi-square with 125
    # degrees of freedom (variance shrinks by 1 - 19/126 without replacement).
    positions = masked.positions.numpy()[masked.is_masked.numpy()]
    counts = np.bincount(positions, minlength=128)[1:127]
    expected = 800 * 19 / 126
    assert ((counts - expected) ** 2 / expected).sum() / (1 - 19 / 126) < 190


@pytest.mark.parametrize("length, count", [(3, 1), (4, 1), (10, 2), (30, 4), (50, 8), (63, 9), (128, 19)])
def test_number_of_masked_tokens_follows_the_originals_rule(length, count):
    """max(1, round half to even of 0.15 n), n with [CLS] and [SEP]; 0.15 * 10 = 1.5 -> 2, 0.15 * 30 = 4.5 -> 4."""
    masked = mask(*rows_of([length, 128], width=128))
    assert masked.positions.shape[1] == 19
    assert masked.is_masked.numpy().sum(axis=1).tolist() == [count, 19]


def test_positions_are_distinct_real_and_never_special():
    lengths = np.random.default_rng(1).integers(3, 41, 200)
    token_ids, padding_mask = rows_of(lengths, width=41)
    token_ids[:, 2] = np.where(np.arange(200) % 3 == 0, SPECIAL.mask, token_ids[:, 2])  # text that holds [MASK] already
    masked = mask(token_ids, padding_mask, masking=MaskingConfig(mask_rate=0.4))
    for row in range(200):
        used = masked.positions.numpy()[row][masked.is_masked.numpy()[row]]
        assert len(set(used)) == len(used)
        assert (padding_mask[row][used] == 1).all()
        assert not set(token_ids[row][used]) & set(SPECIAL)


def test_only_the_chosen_places_change_and_targets_are_the_originals():
    token_ids, padding_mask = rows_of([17, 5, 23], width=23)
    masked = mask(token_ids, padding_mask, masking=MaskingConfig(mask_rate=0.3, mask_symbol_rate=0.5))
    expected = token_ids.copy()
    for row in range(3):
        for slot, position in enumerate(masked.positions.numpy()[row]):
            if masked.is_masked.numpy()[row, slot]:
                assert masked.original_ids.numpy()[row, slot] == token_ids[row, position]
                if masked.token_ids.numpy()[row, position] == SPECIAL.mask:
                    expected[row, position] = SPECIAL.mask
            else:
                assert position == 0
    np.testing.assert_array_equal(masked.token_ids, expected)
    assert (expected == SPECIAL.mask).any() and (masked.is_masked.numpy().sum() > (expected == SPECIAL.mask).sum())


def test_a_row_without_candidates_is_left_alone():
    token_ids = np.array([[2, 3, 0, 0, 0], [2, 8, 9, 7, 3]], np.int32)
    masked = mask(token_ids, (token_ids > 0).astype(np.int32))
    assert masked.is_masked.numpy()[0].sum() == 0
    np.testing.assert_array_equal(masked.token_ids[0], token_ids[0])


def test_masks_follow_the_example_and_not_the_batch():
    token_ids, padding_mask = rows_of([31] * 6, width=31)
    whole = mask(token_ids, padding_mask, first_example=10)
    half = mask(token_ids[3:], padding_mask[3:], first_example=13)
    np.testing.assert_array_equal(whole.token_ids[3:], half.token_ids)
    other_seed = mask(token_ids, padding_mask, first_example=10, seed=1)
    assert (whole.token_ids.numpy() != other_seed.token_ids.numpy()).any()


def test_replace_at_ignores_unused_slots():
    replaced = replace_at(tf.constant([[5, 6, 7]]), tf.constant([[1, 0, 0]]), new_ids=tf.constant([[9, 8, 8]]),
                          where=tf.constant([[True, False, False]]))
    assert replaced.numpy().tolist() == [[5, 9, 7]]
