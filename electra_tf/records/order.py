"""The order of training examples as a function of their number: which row of which shard, in which epoch.

Every epoch visits the shards in an order of its own, and in each shard the rows in an order of their own.
"""

import itertools
import typing

import numpy as np


class Span(typing.NamedTuple):
    """Consecutive examples from one shard: its number, and the rows in the order in which they come."""

    shard: int
    rows: np.ndarray


def spans_from(start, *, shard_rows, seed):
    """The endless sequence of examples, beginning at example `start`.

    Only the order of one epoch's shards and of one shard's rows is computed to find the beginning.

    Args:
        start: examples that come before, counted from the beginning of the run.
        shard_rows: rows of each shard; at least one shard has one.
        seed: int, decides the order.

    Yields:
        Span, never empty; the first continues the shard in which example `start` lies.

    >>> next(spans_from(0, shard_rows=[3], seed=0)).rows   # [0, 2, 1]
    """
    first_epoch, skipped = divmod(start, sum(shard_rows))
    for epoch in itertools.count(first_epoch):
        for shard in permutation(len(shard_rows), seed, epoch):
            rows_of_shard = shard_rows[shard]
            if skipped >= rows_of_shard:
                skipped -= rows_of_shard
                continue
            # Counted from 1: NumPy ignores zeros at the end of a key, and (seed, epoch) orders the shards.
            yield Span(int(shard), permutation(rows_of_shard, seed, epoch, int(shard) + 1)[skipped:])
            skipped = 0


def permutation(size, *key):
    """A random order of range(size) that depends on the numbers in `key` alone.

    RandomState, because NumPy promises never to change its stream; a resumed run must find its order again.

    >>> permutation(4, 0, 17)   # [0, 3, 1, 2]
    """
    bits = np.random.MT19937(np.random.SeedSequence(key))
    return np.random.RandomState(bits).permutation(size)
