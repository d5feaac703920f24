"""Which rows of a request are computed together: rows of similar length, where that is cheaper than one more call; and
how long a single short row is made, so that an engine can have a program of just that shape."""

import numpy as np

from electra_tf.tasks.text_batches import rounded_up

# What a call of a network costs by itself, in pieces of padding that take as long (benchmarks/NOTES.md).
_PIECES_OF_A_CALL = 64


def batches_by_length(lengths, *, most_rows):
    """Cuts rows into batches, from short ones to long ones.

    A longer row begins a batch of its own where it would add more padding to the rows before it than a call costs.

    Args:
        lengths: int [rows], real pieces of each row.
        most_rows: rows of the largest batch.

    Returns:
        List of int arrays, the places of the rows of each batch.

    >>> batches_by_length([30, 200, 29], most_rows=64)   # [array([2, 0]), array([1])]
    """
    order = np.argsort(lengths, kind="stable")
    padded = rounded_up(np.asarray(lengths)[order])
    batches, begin = [], 0
    for place in range(1, len(order)):
        rows = place - begin
        if rows == most_rows or rows * (padded[place] - padded[place - 1]) > _PIECES_OF_A_CALL:
            batches.append(order[begin:place])
            begin = place
    return [*batches, order[begin:]]


def with_short_length(features, *, lengths, longest):
    """A single row padded to the next of some lengths; several rows, and what is longer, as they are.

    Args:
        features: dict of int32 [rows, length], as `EncodedTexts.batch` gives them; with choices, [rows, choices,
            length], they stay as they are.
        lengths: `Engine.single_row_lengths`, from short to long; () for an engine to which all lengths are the same.
        longest: pieces that the model takes; a row is never made longer.

    Returns:
        Dict of int32 [rows, length].

    >>> with_short_length({"token_ids": np.ones((1, 8), np.int32)}, lengths=(16, 32), longest=128)   # of 16 pieces
    """
    *rows, length = next(iter(features.values())).shape
    target = next((short for short in lengths if short >= length), longest + 1)
    if rows != [1] or target > longest:
        return features
    return {name: np.pad(values, ((0, 0), (0, target - length))) for name, values in features.items()}
