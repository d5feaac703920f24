"""How good a classifier's answers are, from the confusion matrix alone."""

import dataclasses

import numpy as np

METRICS = ("accuracy", "macro_f1", "matthews")


@dataclasses.dataclass(frozen=True)
class ClassificationScores:
    """Scores of one set of answers.

    Attributes:
        accuracy: share of right answers.
        macro_f1: F1 of each label, averaged over all labels; a label that neither occurs nor is predicted counts 0.
        matthews: Matthews' correlation coefficient for any number of labels; 0 for a constant guess.
        confusion: int array [labels, labels]: true label in the row, predicted one in the column.
    """

    accuracy: float
    macro_f1: float
    matthews: float
    confusion: np.ndarray

    @property
    def is_constant(self):
        """Whether all answers are the same although the true labels are not."""
        predicted, true = (int(np.count_nonzero(self.confusion.sum(axis=axis))) for axis in (0, 1))
        return predicted == 1 and true > 1

    def numbers(self):
        """Dict of the three scores."""
        return {name: getattr(self, name) for name in METRICS}


def classification_scores(labels, predictions, *, num_labels):
    """Scores predictions against labels.

    Args:
        labels, predictions: int [examples], at least one.
        num_labels: number of labels.

    Returns:
        ClassificationScores.

    >>> classification_scores([0, 1, 1], [0, 1, 0], num_labels=2).accuracy   # 0.667
    """
    confusion = np.bincount(np.asarray(labels) * num_labels + np.asarray(predictions), minlength=num_labels ** 2)
    confusion = confusion.reshape(num_labels, num_labels)
    total, hits = confusion.sum(), np.trace(confusion)
    true, predicted = confusion.sum(axis=1).astype(float), confusion.sum(axis=0).astype(float)
    f1 = _ratio(2 * np.diag(confusion), true + predicted)
    # Gorodkin's R_K (2004), which is Matthews' coefficient for two labels.
    covariance = hits * total - true @ predicted
    spread = np.sqrt(total ** 2 - predicted @ predicted) * np.sqrt(total ** 2 - true @ true)
    return ClassificationScores(float(hits / total), float(f1.mean()), float(_ratio(covariance, spread)), confusion)


def _ratio(numerator, denominator):
    """numerator / denominator, 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(denominator, dtype=float), where=denominator != 0)
