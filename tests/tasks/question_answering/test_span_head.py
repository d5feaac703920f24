"""The head's beam against numpy, for joint and independent ends; rows that are shorter than the beam."""

from math import erf

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.tasks.question_answering.span_head import QuestionAnsweringHead, SpanLogits, question_answering_losses
from tests.tasks.tiny import scatter_weights

PLACES = np.array([[1, 0, 1, 1, 1], [1, 0, 0, 1, 1]], np.float32)
HIDDEN = np.random.default_rng(1).normal(size=(2, 5, 6)).astype(np.float32)


def new_head(**settings):
    keras.utils.set_random_seed(1)
    head = QuestionAnsweringHead(6, name="head", **settings)
    head.build()
    scatter_weights(head, seed=2)
    return head


def dense(layer, values):
    return values.astype(np.float64) @ layer.kernel.numpy() + layer.bias.numpy()


def log_softmax(values):
    return values - np.log(np.exp(values).sum(-1, keepdims=True))


def joint_ends(head, starts):
    """Logits of the ends, [batch, starts, length], with the dense layer on (start, token) side by side."""
    chosen = np.take_along_axis(HIDDEN, starts[..., None], axis=1)
    tokens = np.repeat(HIDDEN[:, None], starts.shape[1], axis=1)
    pairs = np.concatenate([np.repeat(chosen[:, :, None], 5, axis=2), tokens], -1)
    inner = dense(head.end_hidden, pairs)
    inner = inner * 0.5 * (1 + np.vectorize(erf)(inner / np.sqrt(2)))
    return dense(head.end, inner)[..., 0] + 1000 * (PLACES[:, None] - 1)


def assert_beam(beam, start, end_of, size):
    order = np.argsort(-start, axis=-1)[:, :size]
    np.testing.assert_array_equal(beam.start_positions[:, :size], order)
    np.testing.assert_allclose(beam.start_scores[:, :size], np.take_along_axis(start, order, -1), rtol=1e-5, atol=1e-5)
    ends = end_of(order)
    order = np.argsort(-ends, axis=-1)[..., :size]
    np.testing.assert_array_equal(beam.end_positions[:, :size, :size], order)
    np.testing.assert_allclose(beam.end_scores[:, :size, :size], np.take_along_axis(ends, order, -1), rtol=1e-5,
                               atol=1e-5)


@pytest.mark.parametrize("beam_size", [3, 5, 7])
def test_independent_ends_have_logits_as_scores(beam_size):
    head = new_head(joint=False, answerable=None, beam_size=beam_size)
    beam = head.beam(tf.constant(HIDDEN), tf.constant(PLACES))
    start, end = (dense(layer, HIDDEN)[..., 0] + 1000 * (PLACES - 1) for layer in (head.start, head.end))
    size = min(beam_size, 5)
    assert_beam(beam, start, lambda starts: np.repeat(end[:, None], size, axis=1), size)
    np.testing.assert_allclose(beam.no_answer, start[:, 0] + end[:, 0], rtol=1e-5)


@pytest.mark.parametrize("beam_size", [3, 5, 7])
def test_joint_ends_have_log_probabilities_for_their_start(beam_size):
    head = new_head(joint=True, answerable=None, beam_size=beam_size)
    beam = head.beam(tf.constant(HIDDEN), tf.constant(PLACES))
    start = log_softmax(dense(head.start, HIDDEN)[..., 0] + 1000 * (PLACES - 1))
    assert_beam(beam, start, lambda starts: log_softmax(joint_ends(head, starts)), min(beam_size, 5))
    expected = start[:, 0] + log_softmax(joint_ends(head, np.zeros((2, 1), int)))[:, 0, 0]
    np.testing.assert_allclose(beam.no_answer, expected, rtol=1e-5)


def test_a_row_shorter_than_the_beam_is_filled_with_impossible_spans():
    for joint in (True, False):
        beam = new_head(joint=joint, answerable="start", beam_size=7).beam(tf.constant(HIDDEN), tf.constant(PLACES))
        assert beam.start_scores.shape == (2, 7) and beam.end_scores.shape == (2, 7, 7)
        assert np.isneginf(beam.start_scores.numpy()[:, 5:]).all() and np.isneginf(beam.end_scores[:, :, 5:]).all()


def test_a_place_of_minus_one_teaches_nothing():
    logits = SpanLogits(tf.constant([[1.0, 3.0], [2.0, 0.5]]), tf.constant([[0.0, 1.0], [1.0, 1.0]]),
                        tf.constant([0.3, -1.0]))
    losses = question_answering_losses(logits, start_positions=[1, -1], end_positions=[1, -1], is_impossible=[0, 0])
    alone = question_answering_losses(logits, start_positions=[1, 0], end_positions=[1, 0], is_impossible=[0, 0])
    np.testing.assert_allclose(losses, [alone[0], 0.0])
