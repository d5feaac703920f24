"""Kendall's tau-b in n log n steps, as statistical tests ask for it thousands of times (Knight, 1966)."""

import math

import numpy as np


def kendall(first, second):
    """Kendall's tau-b: pairs in the same order against pairs in the other, as scipy.stats.kendalltau.

    Args:
        first, second: numbers [examples].

    Returns:
        float; nan where a side is constant or holds one.

    >>> kendall([1, 2, 3], [1, 3, 2])   # 0.333
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if np.isnan(first).any() or np.isnan(second).any():
        return math.nan
    (one, one_ties), (other, other_ties) = (_places_and_ties(values) for values in (first, second))
    both_ties = _places_and_ties(one * len(other) + other)[1]
    pairs = len(one) * (len(one) - 1) / 2
    if one_ties == pairs or other_ties == pairs:
        return math.nan
    discordant = _descents(other[np.lexsort((other, one))])
    difference = pairs - one_ties - other_ties + both_ties - 2 * discordant
    return float(difference / math.sqrt(pairs - one_ties) / math.sqrt(pairs - other_ties))


def _places_and_ties(values):
    """(the place of each value among the different ones, how many pairs are equal)."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return places, float((counts * (counts - 1) // 2).sum())


def _descents(values):
    """How many pairs of whole numbers from 0 up stand in descending order.

    The highest bit in which two numbers differ tells which is larger. Bit by bit, the numbers that agree in all higher
    bits are put together without changing their order, and each 0 counts the 1s that stand before it in its group.
    """
    count = 0
    for bit in range(int(values.max()).bit_length()):
        values_by_group = values[np.argsort(values >> (bit + 1), kind="stable")]
        groups, is_one = values_by_group >> (bit + 1), values_by_group >> bit & 1
        ones_before = np.cumsum(is_one) - is_one
        in_group = ones_before - ones_before[np.searchsorted(groups, groups)]
        count += int(in_group[is_one == 0].sum())
    return count
