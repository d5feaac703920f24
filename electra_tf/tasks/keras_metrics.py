"""The field's scores as keras.metrics, exact over an epoch: nothing is averaged over batches."""

import keras
import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.tasks.classification_scores import BINARY_METRICS, METRICS, ClassificationScores
from electra_tf.tasks.regression_scores import pearson, spearman


class ScoreMetric(keras.metrics.Metric):
    """A score that numpy computes from all that an epoch has shown; a step that measures it cannot go through XLA."""

    def _in_numpy(self, score, *values):
        result = tf.numpy_function(lambda *arrays: np.float32(score(*arrays)), values, tf.float32)
        result.set_shape([])
        return result


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
        weights = tf.ones_like(true, tf.float32) if sample_weight is None else tf.reshape(
            tf.cast(sample_weight, tf.float32), [-1])
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
