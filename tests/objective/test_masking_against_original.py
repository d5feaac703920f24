"""Masking, corruption and labels with the original's draws."""

import json

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config import MaskingConfig
from electra_tf.objective.corruption import corrupt
from electra_tf.objective.masking import (
    SpecialIds,
    candidates,
    hide_tokens,
    mask_tokens,
    masked_counts,
    positions_with_replacement,
    resolve_repeats,
)
from electra_tf.objective.random_bits import RandomSource
from tests.oracles.shared import shared_path

SPECIAL = SpecialIds(cls=101, sep=102, mask=103)


@pytest.fixture(scope="module", params=["p15", "p25"])
def case(request):
    """(name -> array, mask rate)."""
    arrays = np.load(shared_path("oracles/original/masking.npz"))
    settings = json.loads(shared_path("oracles/original/masking.json").read_text())[request.param]
    prefix = f"{request.param}/"
    return ({name.removeprefix(prefix): arrays[name] for name in arrays.files if name.startswith(prefix)},
            settings["mask_prob"])


def masked_of(arrays, mask_rate):
    slots = MaskingConfig(mask_rate=mask_rate).max_masked(arrays["input_ids"].shape[1])
    counts = masked_counts(tf.constant(arrays["input_mask"]), mask_rate=mask_rate, slots=slots)
    return hide_tokens(
        tf.constant(arrays["input_ids"]), tf.constant(arrays["draw_positions"]),
        is_masked=tf.range(slots)[None, :] < counts[:, None],
        shows_symbol=arrays["draw_replace_uniform"] < np.float32(0.85), mask_id=SPECIAL.mask, repeats=True)


def test_the_originals_draws_give_the_originals_masks(case):
    arrays, mask_rate = case
    masked = masked_of(arrays, mask_rate)
    np.testing.assert_array_equal(masked.token_ids, arrays["masked_input_ids"])
    np.testing.assert_array_equal(masked.positions, arrays["masked_lm_positions"])
    np.testing.assert_array_equal(masked.is_masked, arrays["masked_lm_weights"] > 0)
    used = masked.is_masked.numpy()
    np.testing.assert_array_equal(masked.original_ids.numpy()[used], arrays["masked_lm_ids"][used])


def test_candidates_are_the_originals(case):
    arrays, _ = case
    found = candidates(tf.constant(arrays["input_ids"]), tf.constant(arrays["input_mask"]), special_ids=SPECIAL)
    np.testing.assert_array_equal(found, arrays["candidates"] > 0)


def test_the_originals_samples_give_the_originals_corruption_and_labels(case):
    arrays, mask_rate = case
    masked = masked_of(arrays, mask_rate)
    corrupted = corrupt(tf.constant(arrays["input_ids"]), masked, sampled_ids=tf.constant(arrays["given_sampled_ids"]),
                        repeated_positions="average")
    np.testing.assert_array_equal(corrupted.token_ids, arrays["corrupted_ids"])
    np.testing.assert_array_equal(corrupted.is_replaced, arrays["is_fake"] > 0)
    first = corrupt(tf.constant(arrays["input_ids"]), masked, sampled_ids=tf.constant(arrays["given_sampled_ids"]),
                    repeated_positions="first")
    assert (first.token_ids.numpy() != arrays["corrupted_ids"]).any()  # the repeated positions of rows 0 and 1


@pytest.mark.parametrize(("name", "length", "mask_rate"), [
    ("L128_p15", 128, 0.15), ("L512_p15", 512, 0.15), ("L512_p25", 512, 0.25)])
def test_the_number_of_masked_tokens_is_the_originals_for_every_length(name, length, mask_rate):
    expected = np.load(shared_path("oracles/original/masking.npz"))[f"num_to_predict/{name}"]
    padding_mask = np.arange(length)[None, :] < np.arange(length + 1)[:, None]
    counts = masked_counts(
        tf.constant(padding_mask), mask_rate=mask_rate, slots=MaskingConfig(mask_rate=mask_rate).max_masked(length))
    np.testing.assert_array_equal(counts, expected)


def test_with_replacement_as_many_tokens_are_masked_as_by_the_originals_random_operations():
    measured = json.loads(shared_path("oracles/original/masking.json").read_text())[
        "statistics_with_the_real_random_ops"][0]
    assert (measured["max_seq_length"], measured["mask_prob"]) == (128, 0.15)
    token_ids = np.full((800, 128), 110, np.int32)
    token_ids[:, 0], token_ids[:, 60], token_ids[:, -1] = SPECIAL.cls, SPECIAL.sep, SPECIAL.sep
    masked = mask_tokens(
        tf.constant(token_ids), tf.ones_like(token_ids), masking=MaskingConfig(mask_sampling="with_replacement"),
        special_ids=SPECIAL, source=RandomSource(3, tf.range(800, dtype=tf.int64)))
    assert masked.is_masked.numpy().all()
    distinct = np.mean([len(set(row)) for row in masked.positions.numpy()])
    # 125 candidates, 19 draws: the standard deviation of one row is 1.0, of the mean 0.04.
    assert abs(distinct - measured["expected_distinct"]) < 0.15
    counts = np.bincount(masked.positions.numpy().ravel(), minlength=128)
    assert counts[[0, 60, 127]].sum() == 0
    expected = 800 * 19 / 125
    assert ((counts[counts > 0] - expected) ** 2 / expected).sum() < 190  # chi-square, 124 degrees of freedom


def test_a_row_without_candidates_masks_nothing_with_replacement_either():
    token_ids = tf.constant([[SPECIAL.cls, SPECIAL.sep, 0, 0], [SPECIAL.cls, 7, 8, SPECIAL.sep]])
    masked = mask_tokens(
        token_ids, tf.cast(token_ids > 0, tf.int32), special_ids=SPECIAL,
        masking=MaskingConfig(mask_rate=0.5, mask_sampling="with_replacement"),
        source=RandomSource(3, tf.range(2, dtype=tf.int64)))
    assert masked.is_masked.numpy().tolist() == [[False, False], [True, True]]
    np.testing.assert_array_equal(masked.token_ids[0], token_ids[0])


def test_each_candidate_has_its_share_of_the_unit_interval():
    is_candidate = tf.constant([[False, True, True, False, True, False]])
    uniforms = tf.constant([[0.0, 0.33, 0.34, 0.66, 0.67, 1 - 2.0**-24]])
    assert positions_with_replacement(is_candidate, uniforms).numpy().tolist() == [[1, 1, 2, 2, 4, 4]]


def test_repeats_take_the_first_or_the_rounded_down_average():
    positions = tf.constant([[3, 5, 3, 3, 0]])
    new_ids, where = tf.constant([[10, 20, 31, 12, 9]]), tf.constant([[True, True, True, False, False]])
    first, used = resolve_repeats(positions, new_ids, where=where, rule="first")
    assert used.numpy().tolist() == [[True, True, False, False, False]]
    assert first.numpy()[0, :2].tolist() == [10, 20]
    average, used = resolve_repeats(positions, new_ids, where=where, rule="average")
    assert used.numpy().tolist() == [[True, True, False, False, False]]
    assert average.numpy()[0, :2].tolist() == [20, 20]  # (10 + 31) // 2
