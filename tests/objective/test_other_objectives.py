"""Losses of the objectives beside ELECTRA's own, against numpy."""

import numpy as np
import tensorflow as tf

from electra_tf.objective.adversarial import adversarial_loss
from electra_tf.objective.copying import all_tokens_loss
from electra_tf.objective.electric import log_likelihood, noise_contrastive_logits
from electra_tf.objective.losses import masked_language_model_loss
from electra_tf.objective.masking import Masked, masked_places
from electra_tf.objective.random_bits import RandomSource
from electra_tf.objective.reordering import reorder_tokens

RNG = np.random.default_rng(8)
BATCH, LENGTH, VOCABULARY = 2, 5, 11
LOGITS = (RNG.normal(size=(BATCH, LENGTH, VOCABULARY)) * 3).astype(np.float32)
IDS = RNG.integers(0, VOCABULARY, (BATCH, LENGTH)).astype(np.int32)
PADDING_MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], np.int32)


def log_softmax(logits):
    logits = logits.astype(np.float64)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def sigmoid(values):
    return 1 / (1 + np.exp(-values.astype(np.float64)))


def test_a_smoothed_target_is_shared_with_all_pieces():
    total, weight = masked_language_model_loss(
        tf.constant(LOGITS), tf.constant(IDS), is_masked=tf.constant(PADDING_MASK > 0), label_smoothing=0.2)
    target = 0.8 * np.eye(VOCABULARY)[IDS] + 0.2 / VOCABULARY
    expected = -(target * log_softmax(LOGITS)).sum(-1)
    np.testing.assert_allclose(total, (expected * PADDING_MASK).sum(), rtol=1e-5)
    assert weight.numpy() == 8


def test_the_copying_model_mixes_what_stands_there_with_what_it_would_say():
    copy_logits = RNG.normal(size=(BATCH, LENGTH)).astype(np.float32) * 2
    input_ids = np.where(RNG.random((BATCH, LENGTH)) < 0.5, IDS, (IDS + 1) % VOCABULARY).astype(np.int32)
    assert 0 < (input_ids == IDS)[PADDING_MASK > 0].sum() < 8
    variable = tf.Variable(copy_logits)
    with tf.GradientTape() as tape:
        total, weight = all_tokens_loss(
            tf.constant(LOGITS), tf.convert_to_tensor(variable), input_ids=tf.constant(input_ids),
            original_ids=tf.constant(IDS), padding_mask=tf.constant(PADDING_MASK))

    def loss(copies):
        copy = sigmoid(copies)
        softmax = np.take_along_axis(np.exp(log_softmax(LOGITS)), IDS[..., None], -1)[..., 0]
        return -(np.log(copy * (input_ids == IDS) + (1 - copy) * softmax) * PADDING_MASK).sum()
    np.testing.assert_allclose(total, loss(copy_logits), rtol=1e-5)
    assert weight.numpy() == 8
    slope = np.zeros_like(copy_logits)
    for place in np.ndindex(BATCH, LENGTH):
        moved = copy_logits.astype(np.float64)
        moved[place] += 1e-6
        slope[place] = (loss(moved) - loss(copy_logits.astype(np.float64))) / 1e-6
    np.testing.assert_allclose(tape.gradient(total, variable), slope, atol=1e-4)


def test_an_adversarial_generator_follows_its_advantage_and_learns_what_to_expect():
    rewards = np.abs(RNG.normal(size=(BATCH, LENGTH))).astype(np.float32)
    baseline = RNG.normal(size=(BATCH, LENGTH)).astype(np.float32)
    logits, baseline_logits = tf.Variable(LOGITS), tf.Variable(baseline)
    with tf.GradientTape() as tape:
        total, weight = adversarial_loss(
            tf.convert_to_tensor(logits), tf.constant(IDS), rewards=tf.constant(rewards),
            baseline_logits=tf.convert_to_tensor(baseline_logits), is_masked=tf.constant(PADDING_MASK > 0))
    by_logits, by_baseline = tape.gradient(total, [logits, baseline_logits])
    error, expected_error = 1 - np.exp(-rewards.astype(np.float64)), sigmoid(baseline)
    advantage = rewards - -np.log(1 - expected_error)
    chosen = np.take_along_axis(log_softmax(LOGITS), IDS[..., None], -1)[..., 0]
    cross_entropy = -error * np.log(expected_error) - (1 - error) * np.log(1 - expected_error)
    np.testing.assert_allclose(total, ((cross_entropy - advantage * chosen) * PADDING_MASK).sum(), rtol=1e-5)
    assert weight.numpy() == 8
    # A sample that deceived becomes likelier: the loss falls along advantage * (one-hot - softmax).
    expected = -(advantage * PADDING_MASK)[..., None] * (np.eye(VOCABULARY)[IDS] - np.exp(log_softmax(LOGITS)))
    np.testing.assert_allclose(tf.convert_to_tensor(by_logits), expected, atol=1e-5)
    np.testing.assert_allclose(by_baseline, (expected_error - error) * PADDING_MASK, atol=1e-6)


def test_the_energy_is_compared_with_the_noise():
    likelihood = log_likelihood(tf.constant(LOGITS), tf.constant(IDS))
    expected = np.take_along_axis(log_softmax(LOGITS), IDS[..., None], -1)[..., 0]
    np.testing.assert_allclose(likelihood, expected, atol=1e-5)
    energies = RNG.normal(size=(BATCH, LENGTH)).astype(np.float32)
    logits = noise_contrastive_logits(tf.constant(energies), likelihood, mask_rate=0.15)
    np.testing.assert_allclose(logits, energies + expected + np.log(0.15 / 0.85), atol=1e-5)


def test_places_of_slots_in_use():
    masked = Masked(token_ids=None, positions=tf.constant([[2, 4, 2, 0]]), original_ids=None,
                    is_masked=tf.constant([[True, True, True, False]]))
    assert masked_places(masked, length=6).numpy().astype(int).tolist() == [[0, 0, 1, 0, 1, 0]]


def test_reordering_rotates_three_neighbours_and_moves_nothing_else():
    rows, length = 500, 23
    token_ids = np.arange(100, 100 + length)[None].repeat(rows, 0).astype(np.int32)
    is_candidate = np.ones((rows, length), bool)
    is_candidate[:, [0, 11, 22]] = False
    is_candidate[::2, 18:] = False
    found = reorder_tokens(tf.constant(token_ids), tf.constant(is_candidate), rate=0.1,
                           source=RandomSource(2, tf.range(rows, dtype=tf.int64))).numpy()
    windows = 0
    for row in range(rows):
        place, rebuilt = 0, []
        while place < length:
            if found[row, place] != token_ids[row, place]:
                assert is_candidate[row, place:place + 3].all()
                rebuilt += [found[row, place + 2], found[row, place], found[row, place + 1]]
                windows, place = windows + 1, place + 3
            else:
                rebuilt.append(found[row, place])
                place += 1
        assert rebuilt == token_ids[row].tolist()
    # Of places 1..8 and 12..19 (or 12..15) with nothing drawn on the two places before: 0.1 * 0.9 ** 2 each.
    expected = rows * 0.1 * 0.81 * (8 + (8 + 4) / 2)
    assert abs(windows - expected) < 5 * np.sqrt(expected)


def test_without_a_rate_nothing_is_reordered():
    token_ids = tf.constant(IDS)
    same = reorder_tokens(token_ids, tf.ones_like(token_ids, tf.bool), rate=0.0,
                          source=RandomSource(2, tf.range(BATCH, dtype=tf.int64)))
    np.testing.assert_array_equal(same, IDS)
