"""Many ranges of numbers in one array: the places of slices that are taken out of an array all at once."""

import numpy as np


def joined_ranges(starts, lengths):
    """The numbers of all ranges, one range after the other.

    Args:
        starts, lengths: int64 [ranges].

    Returns:
        int64 [sum of the lengths].

    >>> joined_ranges(np.array([7, 0]), np.array([2, 3]))   # [7, 8, 0, 1, 2]
    """
    return np.repeat(starts - lengths.cumsum() + lengths, lengths) + np.arange(lengths.sum())
