"""The field's scores as keras.metrics, exact over an epoch: nothing is averaged over batches."""

import functools

import keras
import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.tasks.class_counts import count_spans, means_of_classes, types_of_tags
from electra_tf.tasks.classification_scores import BINARY_METRICS, METRICS, ClassificationScores, ratio
from electra_tf.tasks.multi_label_scores import METRICS as MULTI_LABEL_METRICS
from electra_tf.tasks.multi_label_scores import THRESHOLD
from electra_tf.tasks.regression_scores import pearson, spearman
from electra_tf.tasks.tagging.tag_schemes import SCHEMES, scheme_of_labels
from electra_tf.tasks.tagging.tagging_scores import METRICS as TAGGING_METRICS


class ScoreMetric(keras.metrics.Metric):
    """A score that numpy computes from all that an epoch has shown; a step that measures it cannot go through XLA."""

    def _in_numpy(self, score, *values):
        result = tf.numpy_function(lambda *arrays: np.float32(score(*arrays)), values, tf.float32)
        result.set_shape([])
        return result


def _row_weights(sample_weight, y_pred):
    """How often each row counts, float32 [batch]: once where no weights are given."""
    if sample_weight is None:
        return tf.ones([tf.shape(y_pred)[0]])
    return tf.reshape(tf.cast(sample_weight, tf.float32), [-1])


class _ConfusionMetric(ScoreMetric):
    """A score of the confusion matrix.

    Args:
        num_labels: number of labels.
    """

    def __init__(self, num_labels, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.num_labels = num_labels
        self.confusion = self.add_variable(
            (num_labels, num_labels), initializer="zeros", dtype="float32", name="confusion")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts answers.

        Args:
            y_true: integer [batch], the true labels by number.
            y_pred: [batch, labels], logits or probabilities.
            sample_weight: float [batch]; None counts each row as 1.
        """
        true = tf.reshape(tf.cast(y_true, tf.int32), [-1])
        weights = _row_weights(sample_weight, y_pred)
        cell = true * self.num_labels + tf.argmax(y_pred, axis=-1, output_type=tf.int32)
        counts = tf.math.unsorted_segment_sum(weights, cell, self.num_labels ** 2)
        self.confusion.assign_add(tf.reshape(counts, [self.num_labels, self.num_labels]))

    def result(self):
        return self._in_numpy(lambda confusion: self.score(ClassificationScores(confusion)), self.confusion.value)

    def get_config(self):
        return {"num_labels": self.num_labels, "name": self.name, "dtype": self.dtype}


@keras.saving.register_keras_serializable(package="electra_tf")
class MacroF1(_ConfusionMetric):
    """Mean of the labels' F1 scores, 0 for a label that is neither true nor named.

    Args:
        num_labels: number of labels.

    >>> classifier.compile(metrics=[MacroF1(num_labels=3)])
    """

    def __init__(self, num_labels, name="macro_f1", dtype=None):
        super().__init__(num_labels, name=name, dtype=dtype)

    @staticmethod
    def score(scores):
        return scores.f1_of_labels.mean()


@keras.saving.register_keras_serializable(package="electra_tf")
class MatthewsCorrelation(_ConfusionMetric):
    """Matthews' correlation of true and named labels, for two or more labels; 0 for a constant guess.

    Args:
        num_labels: number of labels.

    >>> classifier.compile(metrics=[MatthewsCorrelation(num_labels=2)])
    """

    def __init__(self, num_labels, name="matthews", dtype=None):
        super().__init__(num_labels, name=name, dtype=dtype)

    @staticmethod
    def score(scores):
        return scores.matthews


@keras.saving.register_keras_serializable(package="electra_tf")
class ClassificationScore(_ConfusionMetric):
    """Any of the scores in result.json: macro_precision, macro_recall, micro_f1, weighted_f1, and so on.

    Args:
        score_name: one of METRICS, or with two labels one of BINARY_METRICS, which are of the second label
            (electra_tf/tasks/classification_scores.py).
        num_labels: number of labels.
        name: `score_name` if left out.

    Raises:
        InputError: no such score for so many labels.

    >>> classifier.compile(metrics=[ClassificationScore("macro_recall", num_labels=3)])
    """

    def __init__(self, score_name, num_labels, name=None, dtype=None):
        known = METRICS if num_labels != 2 else METRICS + BINARY_METRICS
        if score_name not in known:
            raise InputError(f"score_name={score_name!r} is not known for {num_labels} labels; choose one of "
                             f"{', '.join(known)}.")
        super().__init__(num_labels, name=name or score_name, dtype=dtype)
        self.score_name = score_name

    def score(self, scores):
        return scores.numbers()[self.score_name]

    def get_config(self):
        return {"score_name": self.score_name, **super().get_config()}


@keras.saving.register_keras_serializable(package="electra_tf")
class SpanAccuracy(keras.metrics.Mean):
    """Share of a question answerer's windows whose likeliest start, and likeliest end after it, are the right ones.

    A window without the answer is right where [CLS] is likeliest for both. Exact match and F1 of whole answers, which
    need the texts, are what a fine-tuning run reports.

    >>> answerer.compile(metrics=[SpanAccuracy()])
    """

    def __init__(self, name="span_accuracy", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts windows.

        Args:
            y_true: integer [batch, 2], the places of the right start and end.
            y_pred: [batch, 2, length], scores of the starts, and of the ends for the right start.
            sample_weight: float [batch]; None counts each row as 1.
        """
        are_right = tf.equal(tf.argmax(y_pred, axis=-1, output_type=tf.int32), tf.cast(y_true, tf.int32))
        return super().update_state(tf.cast(tf.reduce_all(are_right, axis=-1), tf.float32), sample_weight=sample_weight)


class _CorrelationMetric(ScoreMetric):
    """A score that needs every pair of numbers; nan where a side is constant."""

    def __init__(self, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        # Keras' own variables cannot grow.
        self._pairs = tf.Variable(tf.zeros([2, 0]), shape=[2, None], trainable=False)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Keeps pairs.

        Args:
            y_true: numbers [batch] or [batch, 1].
            y_pred: the same.
            sample_weight: float [batch]; rows of weight 0 are left out, all others count alike.
        """
        pairs = tf.stack([tf.reshape(tf.cast(values, tf.float32), [-1]) for values in (y_true, y_pred)])
        if sample_weight is not None:
            pairs = tf.boolean_mask(pairs, tf.reshape(sample_weight, [-1]) > 0, axis=1)
        context = tf.distribute.get_replica_context()
        if context is not None and context.num_replicas_in_sync > 1:  # every replica keeps the pairs of all
            pairs = context.all_gather(pairs, axis=1)
        self._pairs.assign(tf.concat([self._pairs, pairs], axis=1))

    def reset_state(self):
        self._pairs.assign(tf.zeros([2, 0]))

    def result(self):
        return self._in_numpy(lambda pairs: self.score(*pairs), self._pairs)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}


@keras.saving.register_keras_serializable(package="electra_tf")
class PearsonCorrelation(_CorrelationMetric):
    """Linear correlation of scores.

    >>> regressor.compile(metrics=[PearsonCorrelation()])
    """

    def __init__(self, name="pearson", dtype=None):
        super().__init__(name=name, dtype=dtype)

    score = staticmethod(pearson)


@keras.saving.register_keras_serializable(package="electra_tf")
class SpearmanCorrelation(_CorrelationMetric):
    """Correlation of the scores' ranks; equal scores share their mean rank.

    >>> regressor.compile(metrics=[SpearmanCorrelation()])
    """

    def __init__(self, name="spearman", dtype=None):
        super().__init__(name=name, dtype=dtype)

    score = staticmethod(spearman)


class _CountsMetric(ScoreMetric):
    """A score of how often each class was hit, named and true, and of sums over rows or words."""

    def __init__(self, score_name, known, *, num_classes, num_sums, name, dtype):
        if score_name not in known:
            raise InputError(f"score_name={score_name!r} is not known; choose one of {', '.join(known)}.")
        super().__init__(name=name or score_name, dtype=dtype)
        self.score_name = score_name
        self.counts = self.add_variable((3, num_classes), initializer="zeros", dtype="float32", name="counts")
        self.sums = self.add_variable((num_sums,), initializer="zeros", dtype="float32", name="sums")

    def result(self):
        return self._in_numpy(self.score, self.counts.value, self.sums.value)

    def get_config(self):
        return {"score_name": self.score_name, "name": self.name, "dtype": self.dtype}


@keras.saving.register_keras_serializable(package="electra_tf")
class MultiLabelScore(_CountsMetric):
    """Any of the scores of several labels in result.json: micro_f1, macro_f1, samples_f1, subset_accuracy, and so on.

    Args:
        score_name: one of METRICS (electra_tf/tasks/multi_label_scores.py).
        num_labels: number of labels.
        name: `score_name` if left out.

    Raises:
        InputError: no such score.

    >>> multi_label_classifier.compile(metrics=[MultiLabelScore("micro_f1", num_labels=4)])
    """

    def __init__(self, score_name, num_labels, name=None, dtype=None):
        super().__init__(score_name, MULTI_LABEL_METRICS, num_classes=num_labels, num_sums=3, name=name, dtype=dtype)
        self.num_labels = num_labels

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts labels.

        Args:
            y_true: [batch, labels], 1 for each label that holds, else 0.
            y_pred: [batch, labels], logits.
            sample_weight: float [batch]; None counts each row as 1.
        """
        true, named = tf.cast(y_true, tf.bool), tf.sigmoid(y_pred) >= THRESHOLD
        found = tf.cast(tf.stack([true & named, named, true]), tf.float32)
        weights = _row_weights(sample_weight, y_pred)
        self.counts.assign_add(tf.einsum("crl,r->cl", found, weights))
        num_hits, num_named, num_true = tf.unstack(tf.reduce_sum(found, axis=-1))
        f1 = tf.math.divide_no_nan(2 * num_hits, num_named + num_true)
        is_right = tf.cast(tf.reduce_all(true == named, axis=-1), tf.float32)
        self.sums.assign_add(tf.linalg.matvec([f1, is_right, tf.ones_like(f1)], weights))

    def score(self, counts, sums):
        f1, right, rows = sums
        return {**means_of_classes(counts), "samples_f1": ratio(f1, rows),
                "subset_accuracy": ratio(right, rows)}[self.score_name]

    def get_config(self):
        return {"num_labels": self.num_labels, **super().get_config()}


@keras.saving.register_keras_serializable(package="electra_tf")
class TaggingScore(_CountsMetric):
    """Any of a tagger's scores in result.json: f1, precision and recall of spans, macro_f1, weighted_f1, accuracy.

    The tags are the likeliest of each word by itself, and spans are read as conlleval reads tags that break their
    scheme; predictions and result.json have the likeliest well-formed sequence. Each window of a long sentence is a
    sentence of its own, and words without pieces are left out. It is for `label_pieces="first"`: with "all" each piece
    counts as a word, so that B- on a word of two pieces would be two spans.

    Args:
        score_name: one of METRICS (electra_tf/tasks/tagging/tagging_scores.py).
        labels: the tagger's tags, in the order of the logits.
        scheme: the tagger's "IOB1", "IOB2", "BIOES" or "plain"; None tells it from the labels.
        name: `score_name` if left out.

    Raises:
        InputError: no such score or scheme.

    >>> tagger.compile(metrics=[TaggingScore("f1", labels=tagger.labels, scheme=tagger.scheme)])
    """

    def __init__(self, score_name, labels, scheme=None, name=None, dtype=None):
        scheme = scheme_of_labels(labels) if scheme is None else scheme
        if scheme not in SCHEMES:
            raise InputError(f"scheme={scheme!r} is not known; choose one of {', '.join(SCHEMES)}.")
        super().__init__(score_name, TAGGING_METRICS, num_classes=len(types_of_tags(labels, scheme)), num_sums=2,
                         name=name, dtype=dtype)
        self.labels, self.scheme = tuple(labels), scheme

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts spans and words.

        Args:
            y_true: integer [batch, length], the tags by number, NOT_ASKED (-1) where a piece is asked for nothing.
            y_pred: [batch, length, labels], logits or probabilities.
            sample_weight: float [batch]; None counts each row as 1.
        """
        count = functools.partial(count_spans, tags=self.labels, scheme=self.scheme)
        spans, words = tf.numpy_function(
            count, [tf.cast(y_true, tf.int32), tf.argmax(y_pred, axis=-1), _row_weights(sample_weight, y_pred)],
            [tf.float32, tf.float32])
        self.counts.assign_add(tf.reshape(spans, self.counts.shape))
        self.sums.assign_add(tf.reshape(words, self.sums.shape))

    def score(self, counts, sums):
        # The mean over the types is one over those that occur.
        means = means_of_classes(counts[:, counts.any(axis=0)])
        return {**means, "f1": means["micro_f1"], "precision": means["micro_precision"],
                "recall": means["micro_recall"], "accuracy": ratio(*sums)}[self.score_name]

    def get_config(self):
        return {"labels": list(self.labels), "scheme": self.scheme, **super().get_config()}
