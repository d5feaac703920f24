"""How good a classifier's answers are, from the confusion matrix alone."""

import dataclasses

import numpy as np

METRICS = ("accuracy", "macro_f1", "matthews", "macro_precision", "macro_recall", "micro_f1", "weighted_f1")
BINARY_METRICS = ("f1", "precision", "recall")  # of the second label, where there are two


@dataclasses.dataclass(frozen=True)
class ClassificationScores:
    """Scores of one set of answers; a ratio whose denominator is 0 counts 0.

    Attributes:
        confusion: int array [labels, labels]: true label in the row, predicted one in the column.
    """

    confusion: np.ndarray

    @property
    def accuracy(self):
        """Share of right answers."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def precision_of_labels(self):
        """Of the answers that name a label, the share that is right; float [labels]."""
        return ratio(np.diag(self.confusion), self.confusion.sum(axis=0))

    @property
    def recall_of_labels(self):
        """Of the examples with a label, the share that was found; float [labels]."""
        return ratio(np.diag(self.confusion), self.confusion.sum(axis=1))

    @property
    def f1_of_labels(self):
        """The harmonic mean of both, float [labels]."""
        return ratio(2 * np.diag(self.confusion), self.confusion.sum(axis=0) + self.confusion.sum(axis=1))

    def per_class(self, names):
        """`scores_by_name` of the labels, whose names are given in the order of the matrix."""
        return scores_by_name(names, self.precision_of_labels, self.recall_of_labels, self.f1_of_labels,
                              support=self.confusion.sum(axis=1))

    @property
    def matthews(self):
        """Matthews' correlation coefficient for any number of labels (Gorodkin's R_K, 2004); 0 for a constant guess."""
        true, predicted = self.confusion.sum(axis=1).astype(float), self.confusion.sum(axis=0).astype(float)
        total, hits = float(self.confusion.sum()), float(np.trace(self.confusion))
        covariance = hits * total - true @ predicted
        spread = np.sqrt(total ** 2 - predicted @ predicted) * np.sqrt(total ** 2 - true @ true)
        return float(ratio(covariance, spread))

    @property
    def is_constant(self):
        """Whether all answers are the same although the true labels are not."""
        predicted, true = (int(np.count_nonzero(self.confusion.sum(axis=axis))) for axis in (0, 1))
        return predicted == 1 and true > 1

    def numbers(self):
        """Dict of the scores: METRICS, and BINARY_METRICS of the second of two labels."""
        weights = self.confusion.sum(axis=1) / self.confusion.sum()
        numbers = {
            "accuracy": self.accuracy, "macro_f1": float(self.f1_of_labels.mean()), "matthews": self.matthews,
            "macro_precision": float(self.precision_of_labels.mean()),
            "macro_recall": float(self.recall_of_labels.mean()),
            "micro_f1": self.accuracy,  # one label each: a wrong answer is one too many and one missing
            "weighted_f1": float(self.f1_of_labels @ weights)}
        if len(self.confusion) == 2:
            of_labels = (self.f1_of_labels, self.precision_of_labels, self.recall_of_labels)
            numbers |= {name: float(values[1]) for name, values in zip(BINARY_METRICS, of_labels, strict=True)}
        return numbers


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
    return ClassificationScores(confusion.reshape(num_labels, num_labels))


def scores_by_name(names, precision, recall, f1, *, support):
    """What result.json says of each label.

    Args:
        names: of the labels.
        precision, recall, f1: floats [labels].
        support: ints [labels], how many examples have the label.

    Returns:
        Dict of name -> dict of precision, recall, f1 and support, ready for JSON.

    >>> scores_by_name(["neg"], np.ones(1), np.ones(1), np.ones(1), support=np.array([7]))["neg"]["support"]   # 7
    """
    columns = {"precision": precision, "recall": recall, "f1": f1, "support": support}
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    return {name: dict(zip(columns, row, strict=True)) for name, row in zip(names, rows, strict=True)}


def ratio(numerator, denominator):
    """numerator / denominator, 0 where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(np.asarray(numerator, float), denominator)
    return np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator != 0)
