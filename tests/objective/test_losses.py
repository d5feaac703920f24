import numpy as np
import tensorflow as tf

from electra_tf.objective.losses import masked_language_model_loss, mean_loss, replaced_token_loss

RNG = np.random.default_rng(5)


def test_generator_loss_is_the_negative_log_likelihood_of_used_slots():
    logits = (RNG.normal(size=(2, 3, 31)) * 4).astype(np.float32)
    targets = RNG.integers(0, 31, (2, 3)).astype(np.int32)
    used = np.array([[True, True, False], [True, False, False]])
    total, weight = masked_language_model_loss(tf.constant(logits), tf.constant(targets), is_masked=tf.constant(used))
    expected = 0.0
    for row, slot in zip(*np.nonzero(used)):
        values = logits[row, slot].astype(np.float64)
        expected += np.log(np.exp(values - values.max()).sum()) + values.max() - values[targets[row, slot]]
    np.testing.assert_allclose(total, expected, rtol=1e-6)
    assert weight.numpy() == 3


def test_generator_loss_gradient_is_softmax_minus_target():
    logits = (RNG.normal(size=(1, 2, 7)) * 50).astype(np.float32)  # large values: the sum must not overflow
    targets, used = np.array([[3, 5]], np.int32), np.array([[True, False]])
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        total, _ = masked_language_model_loss(variable, tf.constant(targets), is_masked=tf.constant(used))
    weights = np.exp(logits[0, 0].astype(np.float64) - logits[0, 0].max())
    expected = np.zeros((1, 2, 7))
    expected[0, 0] = weights / weights.sum()
    expected[0, 0, 3] -= 1
    np.testing.assert_allclose(tf.convert_to_tensor(tape.gradient(total, variable)), expected, atol=1e-6)


def test_discriminator_loss_counts_every_real_position():
    logits = (RNG.normal(size=(2, 5)) * 3).astype(np.float32)
    labels = RNG.random((2, 5)) < 0.4
    padding_mask = np.array([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]], np.int32)
    total, weight = replaced_token_loss(
        tf.constant(logits), tf.constant(labels), padding_mask=tf.constant(padding_mask))
    probability = 1 / (1 + np.exp(-logits.astype(np.float64)))
    losses = -np.where(labels, np.log(probability), np.log(1 - probability))
    np.testing.assert_allclose(total, (losses * padding_mask).sum(), rtol=1e-6)
    assert weight.numpy() == 6


def test_mean_of_nothing_is_zero():
    assert mean_loss(tf.constant(0.0), tf.constant(0.0)).numpy() == 0
