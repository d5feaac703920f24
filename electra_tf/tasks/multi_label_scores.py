"""How good answers of several labels are, equal to scikit-learn's numbers."""

import dataclasses

import numpy as np

from electra_tf.tasks.classification_scores import ratio, scores_by_name
from electra_tf.tasks.regression_scores import mean_ranks

METRICS = ("micro_f1", "macro_f1", "weighted_f1", "samples_f1", "subset_accuracy", "micro_precision", "micro_recall",
           "macro_precision", "macro_recall")
THRESHOLD = 0.5


@dataclasses.dataclass(frozen=True)
class MultiLabelScores:
    """Scores of one set of answers; a ratio whose denominator is 0 counts 0.

    Attributes:
        labels: bool [examples, labels], what holds.
        probabilities: float [examples, labels]; THRESHOLD and more is a yes.
    """

    labels: np.ndarray
    probabilities: np.ndarray

    @property
    def answers(self):
        return self.probabilities >= THRESHOLD

    @property
    def is_constant(self):
        """Whether all answers are the same although the truths are not."""
        return len(np.unique(self.answers, axis=0)) == 1 and len(np.unique(self.labels, axis=0)) > 1

    def precision_recall_f1(self, axis):
        """Three floats [labels] for axis 0, [examples] for axis 1, or three numbers over all for None."""
        hits = (self.labels & self.answers).sum(axis=axis)
        true, named = self.labels.sum(axis=axis), self.answers.sum(axis=axis)
        return ratio(hits, named), ratio(hits, true), ratio(2 * hits, true + named)

    def per_class(self, names):
        """`scores_by_name` of the labels, whose names are given in the order of the columns."""
        return scores_by_name(names, *self.precision_recall_f1(0), support=self.labels.sum(axis=0))

    def numbers(self):
        """Dict of METRICS, and hamming_loss, the share of wrong answers over all labels."""
        of_labels, micro = self.precision_recall_f1(0), self.precision_recall_f1(None)
        weights = ratio(self.labels.sum(axis=0), self.labels.sum())
        return {
            "micro_f1": float(micro[2]), "macro_f1": float(of_labels[2].mean()),
            "weighted_f1": float(of_labels[2] @ weights),
            "samples_f1": float(self.precision_recall_f1(1)[2].mean()),
            "subset_accuracy": float((self.labels == self.answers).all(axis=1).mean()),
            "micro_precision": float(micro[0]), "micro_recall": float(micro[1]),
            "macro_precision": float(of_labels[0].mean()), "macro_recall": float(of_labels[1].mean()),
            "hamming_loss": float((self.labels != self.answers).mean())}


def roc_auc(labels, scores):
    """Chance that a random positive scores above a random negative, ties half; nan where one of them is missing.

    >>> roc_auc([0, 1, 1], [0.1, 0.4, 0.1])   # 0.75
    """
    labels = np.asarray(labels, bool)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if not positives or not negatives:
        return float("nan")
    ranks = mean_ranks(scores)[labels].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(labels, scores):
    """Mean precision at each positive, from the highest score down; equal scores are taken at once; 0 without any.

    >>> average_precision([1, 0, 1], [0.9, 0.8, 0.7])   # 0.833
    """
    labels, scores = np.asarray(labels, float), np.asarray(scores, float)
    order = np.argsort(-scores, kind="stable")
    hits, named = np.cumsum(labels[order]), np.arange(1, len(labels) + 1)
    last = np.append(np.diff(scores[order]) != 0, True)  # the last of each group of equal scores
    recall = ratio(hits[last], labels.sum())
    return float(np.diff(recall, prepend=0) @ (hits[last] / named[last]))
