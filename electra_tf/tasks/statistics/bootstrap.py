"""How far a number might have come out otherwise: the percentile bootstrap (Efron, 1979)."""

import numpy as np

RESAMPLES = 10_000
LEVEL = 0.95


def bootstrap_interval(rows, statistic=np.mean, *, level=LEVEL, resamples=RESAMPLES, seed=0):
    """The middle `level` of what a statistic takes on resamples of its rows, drawn with replacement.

    With three rows or four it is little more than their smallest and largest value, and too narrow: the interval of
    the mean of 3 normal values holds the truth in 75 of 100 cases, of 5 in 83, of 10 in 90
    (docs/honest_numbers.md).

    Args:
        rows: array [rows, ...], at least one row.
        statistic: function of such an array that returns a number.
        level: share of the resamples inside, 0..1.
        resamples: how many.
        seed: of the draws; the same seed gives the same interval.

    Returns:
        (low, high), floats.

    >>> bootstrap_interval([0.75, 0.77, 0.76])   # (0.75, 0.77)
    """
    rows = np.asarray(rows)
    random = np.random.default_rng(seed)
    found = [statistic(rows[random.integers(len(rows), size=len(rows))]) for _ in range(resamples)]
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
