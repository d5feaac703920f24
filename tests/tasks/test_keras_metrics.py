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
    MultiLabelScore,
    PearsonCorrelation,
    SpanAccuracy,
    SpearmanCorrelation,
    TaggingScore,
)
from electra_tf.tasks.multi_label_scores import METRICS as MULTI_LABEL_METRICS
from electra_tf.tasks.multi_label_scores import MultiLabelScores
from electra_tf.tasks.regression_scores import pearson, spearman
from electra_tf.tasks.tagging.tag_schemes import SCHEMES, labels_of, misplaced_tags
from electra_tf.tasks.tagging.tagging_loss import NOT_ASKED
from electra_tf.tasks.tagging.tagging_scores import METRICS as TAGGING_METRICS
from electra_tf.tasks.tagging.tagging_scores import tagging_scores


def feed(metric, true, predicted, *, in_graph):
    """Batches of unequal size, each with a row of weight 0 that is wrong."""
    update = tf.function(metric.update_state, reduce_retracing=True) if in_graph else metric.update_state
    for rows in np.array_split(np.arange(len(true)), 7):
        wrong = predicted[rows[:1]][..., ::-1] * 9 if predicted.ndim > 1 else -9 * predicted[rows[:1]]
        weights = np.append(np.ones(len(rows), np.float32), np.float32(0))
        update(np.concatenate([true[rows], true[rows[:1]]]), np.concatenate([predicted[rows], wrong]), weights)
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


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("name", MULTI_LABEL_METRICS)
def test_every_score_of_several_labels_is_that_of_the_whole_set(name, in_graph):
    random, metric = np.random.default_rng(0), MultiLabelScore(name, num_labels=4)
    table = (random.random((90, 4)) < [0.5, 0.3, 0.1, 0]).astype(np.float32)  # the last label is never true
    logits = (4 * table - 2 + random.normal(0, 2, table.shape)).astype(np.float32)
    logits[:, 3] = -1
    for rows in (slice(0, 50), slice(50, 90)):  # nothing is left of the first
        metric.reset_state()
        expected = MultiLabelScores(table[rows] > 0, 1 / (1 + np.exp(-logits[rows]))).numbers()[name]
        assert feed(metric, table[rows], logits[rows], in_graph=in_graph) == pytest.approx(expected, abs=1e-6)
        assert metric.name == name and 0 < expected < 1


def tagged_rows(num_labels, *, num_seen, rows=60, length=14):
    """(label numbers of pieces, logits that are often right): some pieces are not asked, some labels do not occur."""
    random = np.random.default_rng(1)
    numbers = random.integers(0, num_seen, (rows, length))
    logits = np.eye(num_labels, dtype=np.float32)[numbers]
    logits[..., :num_seen] += random.normal(0, 0.4, (rows, length, num_seen))
    is_asked = (random.random((rows, length)) < 0.7) & (np.arange(length) < random.integers(1, length, rows)[:, None])
    logits[..., num_seen:] = -9
    return np.where(is_asked, numbers, NOT_ASKED).astype(np.int32), logits


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_score_of_a_tagger_is_that_of_the_likeliest_tags_of_all_words(scheme, in_graph):
    seen = ("NOUN", "VERB", "X") if scheme == "plain" else labels_of(["LOC", "PER"], scheme)
    labels = (*seen, "never") if scheme == "plain" else labels_of(["LOC", "PER", "never"], scheme)
    numbers, logits = tagged_rows(len(labels), num_seen=len(seen))
    for rows in (slice(0, 40), slice(40, 60)):
        own, answers = ([[labels[number] for number in row[asked >= 0]]
                         for row, asked in zip(values[rows], numbers[rows], strict=True)]
                        for values in (numbers, logits.argmax(axis=-1)))
        expected = tagging_scores(own, answers, scheme=scheme).numbers()
        assert scheme == "plain" or any(misplaced_tags(tags, scheme) for tags in answers)
        for name in TAGGING_METRICS:
            metric = TaggingScore(name, labels, scheme)
            found = feed(metric, numbers[rows], logits[rows], in_graph=in_graph)
            assert found == pytest.approx(expected[name], abs=1e-6) and metric.name == name
            assert 0 < found < 1


def test_a_tagging_score_tells_the_scheme_and_begins_anew_after_a_reset():
    metric, labels = TaggingScore("f1", ["O", "B-X", "I-X"]), np.array([[1, 2, NOT_ASKED]], np.int32)
    metric.update_state(labels, np.eye(3, dtype=np.float32)[[[1, 0, 0]]])
    assert metric.scheme == "IOB2" and metric.result() == 0
    metric.reset_state()
    metric.update_state(labels, np.eye(3, dtype=np.float32)[[[1, 2, 0]]])
    assert metric.result() == 1
    metric.reset_state()
    assert metric.result() == 0


def test_where_all_pieces_are_asked_each_of_them_is_a_word():
    metric = TaggingScore("recall", ["O", "B-X", "I-X"])
    metric.update_state(np.array([[1, 1]]), np.eye(3, dtype=np.float32)[[[1, 0]]])
    assert metric.result() == 0.5


@pytest.mark.parametrize("make, message", [
    (lambda: MultiLabelScore("f1", 3), "score_name='f1' is not known; choose one of micro_f1, macro_f1"),
    (lambda: TaggingScore("micro_f1", ["O", "B-X"]), "score_name='micro_f1' is not known; choose one of f1, precision"),
    (lambda: TaggingScore("f1", ["O", "B-X"], "BIO"), "scheme='BIO' is not known; choose one of IOB1, IOB2")])
def test_scores_and_schemes_that_do_not_exist_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("metric", [
    SpanAccuracy(name="both_ends"), MacroF1(4), MatthewsCorrelation(2, name="mcc"), PearsonCorrelation(name="r"),
    SpearmanCorrelation(), ClassificationScore("f1", 2, name="f1_of_yes"), MultiLabelScore("samples_f1", 3),
    TaggingScore("macro_f1", ("O", "B-X", "I-X"), "IOB1", name="of_names")])
def test_keras_brings_a_metric_back_from_its_config(metric):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(again) is type(metric) and again.get_config() == metric.get_config()
