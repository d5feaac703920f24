"""The order of examples as a function of their number."""

import itertools

import pytest

from electra_tf.records.order import permutation, spans_from

SHARD_ROWS = [5, 0, 11, 3]
ROWS = sum(SHARD_ROWS)


def examples(start, count, *, seed=0, shard_rows=SHARD_ROWS):
    """`count` pairs (shard, row) from example `start` on."""
    spans = spans_from(start, shard_rows=shard_rows, seed=seed)
    pairs = ((span.shard, int(row)) for span in spans for row in span.rows)
    return list(itertools.islice(pairs, count))


def test_every_epoch_holds_each_row_once_and_has_an_order_of_its_own():
    sequence = examples(0, 4 * ROWS)
    epochs = [sequence[start:start + ROWS] for start in range(0, 4 * ROWS, ROWS)]
    every_row = [(shard, row) for shard, rows in enumerate(SHARD_ROWS) for row in range(rows)]
    assert all(sorted(epoch) == every_row for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert len({tuple(dict.fromkeys(shard for shard, _ in epoch)) for epoch in epochs}) > 1, "shards in one order only"


@pytest.mark.parametrize("start", [*range(0, ROWS + 2), 7 * ROWS, 7 * ROWS + 13, 10**9 + 7])
def test_a_start_gives_what_follows_without_interruption(start):
    before = start % ROWS
    epoch_start = start - before
    assert examples(start, 2 * ROWS) == examples(epoch_start, 2 * ROWS + before)[before:]


def test_a_later_epoch_is_found_without_going_through_the_earlier_ones():
    assert examples(3 * ROWS, 5) == examples(0, 3 * ROWS + 5)[3 * ROWS:]


def test_the_order_depends_on_the_seed():
    assert examples(0, ROWS, seed=0) == examples(0, ROWS, seed=0) != examples(0, ROWS, seed=1)


def test_a_single_row_repeats():
    assert examples(2, 3, shard_rows=[1]) == [(0, 0)] * 3


def test_the_order_is_the_same_for_ever():
    """A run may be resumed years later, with another NumPy: these numbers must not change."""
    assert permutation(9, 1, 2, 3).tolist() == [0, 5, 1, 8, 3, 6, 2, 4, 7]
