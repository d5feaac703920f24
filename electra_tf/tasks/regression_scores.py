"""How well scores are told: correlations and squared error, equal to scipy's and scikit-learn's numbers."""

import dataclasses
import math

import numpy as np

from electra_tf.tasks.kendall import kendall

METRICS = ("pearson", "spearman", "kendall")


@dataclasses.dataclass(frozen=True)
class RegressionScores:
    """Scores of one set of answers.

    Attributes:
        targets, predictions: float [examples].
    """

    targets: np.ndarray
    predictions: np.ndarray

    @property
    def is_constant(self):
        """Whether all answers are the same although the targets are not."""
        return bool(np.ptp(self.predictions) == 0 and np.ptp(self.targets) > 0)

    def numbers(self):
        """Dict of METRICS, 0 where a side is constant, and mean_squared_error."""
        found = {name: function(self.targets, self.predictions)
                 for name, function in zip(METRICS, (pearson, spearman, kendall), strict=True)}
        found = {name: 0.0 if math.isnan(value) else value for name, value in found.items()}
        return {**found, "mean_squared_error": mean_squared_error(self.targets, self.predictions)}


def pearson(first, second):
    """Linear correlation; nan where a side is constant or not finite.

    >>> pearson([1, 2, 3], [2, 4, 6])   # 1.0
    """
    first, second = (np.asarray(values, np.float64) for values in (first, second))
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    with np.errstate(invalid="ignore"):
        first, second = (values - values.mean() for values in (first, second))
        first, second = (values / np.linalg.norm(values) for values in (first, second))
    return float(np.clip(first @ second, -1, 1))


def spearman(first, second):
    """Correlation of the ranks; ties share their mean rank. nan where a side is constant or holds one.

    >>> spearman([1, 2, 3], [1, 4, 9])   # 1.0
    """
    if np.isnan(first).any() or np.isnan(second).any():
        return math.nan
    return pearson(mean_ranks(first), mean_ranks(second))


def mean_squared_error(first, second):
    """Mean of the squared differences."""
    return float(np.mean((np.asarray(first, np.float64) - np.asarray(second, np.float64)) ** 2))


def mean_ranks(values):
    """Ranks from 1; equal values share the mean of theirs.

    >>> mean_ranks([10, 20, 20])   # [1.0, 2.5, 2.5]
    """
    _, places, counts = np.unique(np.asarray(values, np.float64), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[places]
