"""Metrics of whole sets, batch by batch, against the fixtures of scikit-learn's and scipy's scores."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.tasks.classification_scores import BINARY_METRICS, METRICS, classification_scores
from electra_tf.tasks.keras_metrics import (
    ClassificationScore,
    MacroF1,
    MatthewsCorrelation,
    PearsonCorrelation,
    SpanAccuracy,
    SpearmanCorrelation,
)
from electra_tf.tasks.regression_scores import pearson, spearman


def feed(metric, true, predicted, *, in_graph):
    """Batches of unequal size, each with a row of weight 0 that is wrong."""
    update = tf.function(metric.update_state, reduce_retracing=True) if in_graph else metric.update_state
    for rows in np.array_split(np.arange(len(true)), 7):
        wrong = predicted[rows[:1]][:, ::-1] * 9 if predicted.ndim > 1 else -9 * predicted[rows[:1]]
        weights = np.append(np.ones(len(rows), np.float32), np.float32(0))
        update(np.append(true[rows], true[rows[:1]]), np.concatenate([predicted[rows], wrong]), weights)
    result = tf.function(metric.result) if in_graph else metric.result
    return float(result())


def answers(seed, *, labels=3, rows=200):
    random = np.random.default_rng(seed)
    true = random.integers(0, labels, rows)
    return true, (np.eye(labels)[true] + random.normal(0, 0.8, (rows, labels))).astype(np.float32)


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("metric, name", [(MacroF1(3), "macro_f1"), (MatthewsCorrelation(3), "matthews")])
def test_scores_of_names_are_those_of_the_whole_set(metric, name, in_graph):
    true, logits = answers(0)
    expected = classification_scores(true, logits.argmax(axis=1), num_labels=3).numbers()[name]
    assert feed(metric, true, logits, in_graph=in_graph) == pytest.approx(expected, abs=1e-6)
    metric.reset_state()
    true, logits = answers(1)
    expected = classification_scores(true, logits.argmax(axis=1), num_labels=3).numbers()[name]
    assert feed(metric, true, logits, in_graph=in_graph) == pytest.approx(expected, abs=1e-6) and metric.name == name
    metric.reset_state()


@pytest.mark.parametrize("name", METRICS + BINARY_METRICS)
def test_every_score_of_a_result_can_be_watched_in_training(name):
    true, logits = answers(2, labels=2)
    expected = classification_scores(true, logits.argmax(axis=1), num_labels=2).numbers()[name]
    metric = ClassificationScore(name, num_labels=2)
    assert feed(metric, true, logits, in_graph=True) == pytest.approx(expected, abs=1e-6) and metric.name == name


def test_a_score_of_two_labels_is_refused_for_three():
    with pytest.raises(InputError, match="score_name='f1' is not known for 3 labels; choose one of accuracy, macro_f1"):
        ClassificationScore("f1", num_labels=3)


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("metric, score", [(PearsonCorrelation(), pearson), (SpearmanCorrelation(), spearman)])
def test_correlations_are_those_of_the_whole_set_not_a_mean_of_batches(metric, score, in_graph):
    random = np.random.default_rng(0)
    true = np.sort(random.normal(size=150)).astype(np.float32)
    predicted = (true ** 3 + random.normal(0, 0.3, 150)).astype(np.float32)
    assert feed(metric, true, predicted, in_graph=in_graph) == pytest.approx(score(true, predicted), abs=1e-6)
    metric.reset_state()
    assert np.isnan(metric.result())
    metric.update_state(true[:40, None], predicted[:40, None])
    assert float(metric.result()) == pytest.approx(score(true[:40], predicted[:40]), abs=1e-6)
    metric.reset_state()


@pytest.mark.parametrize("in_graph", [False, True])
def test_a_span_is_right_where_both_ends_are(in_graph):
    random, metric = np.random.default_rng(0), SpanAccuracy()
    truth, scores = random.integers(0, 3, (90, 2)), random.normal(size=(90, 2, 3)).astype(np.float32)
    weights = random.integers(0, 2, 90).astype(np.float32)
    update = tf.function(metric.update_state, reduce_retracing=True) if in_graph else metric.update_state
    for rows in np.array_split(np.arange(90), 7):
        update(truth[rows], scores[rows], weights[rows])
    expected = (scores.argmax(axis=-1) == truth).all(axis=1)[weights > 0].mean()
    assert float(metric.result()) == pytest.approx(expected) and 0 < expected < 1


@pytest.mark.parametrize("metric", [
    SpanAccuracy(name="both_ends"), MacroF1(4), MatthewsCorrelation(2, name="mcc"), PearsonCorrelation(name="r"),
    SpearmanCorrelation(), ClassificationScore("f1", 2, name="f1_of_yes")])
def test_keras_brings_a_metric_back_from_its_config(metric):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(again) is type(metric) and again.get_config() == metric.get_config()
