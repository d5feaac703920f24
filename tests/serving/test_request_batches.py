"""Rows of a request that are computed together are of similar length, unless another call would cost more."""

import numpy as np
import pytest

from electra_tf.serving.request_batches import batches_by_length, with_short_length


def padded_pieces(lengths, batches):
    """All pieces that are computed, with each batch as long as its longest row, rounded up to a multiple of 8."""
    return sum(len(rows) * (-(-max(np.asarray(lengths)[rows]) // 8) * 8) for rows in batches)


@pytest.mark.parametrize("count", [1, 2, 31, 200])
def test_every_row_is_in_one_batch_and_batches_go_from_short_to_long(count):
    lengths = np.random.default_rng(0).integers(3, 512, count)
    batches = batches_by_length(lengths, most_rows=16)
    assert sorted(np.concatenate(batches)) == list(range(count)) and all(0 < len(rows) <= 16 for rows in batches)
    assert np.all(np.diff(lengths[np.concatenate(batches)]) >= 0)


def test_one_long_row_does_not_lengthen_the_others():
    lengths = [10] * 20 + [500]
    assert [list(rows) for rows in batches_by_length(lengths, most_rows=64)] == [list(range(20)), [20]]


def test_rows_of_nearly_one_length_stay_together():
    assert len(batches_by_length([20, 30, 26, 24], most_rows=64)) == 1
    assert len(batches_by_length([20] * 130, most_rows=64)) == 3


def test_calls_and_padding_together_are_fewer_than_with_one_batch():
    lengths = np.random.default_rng(1).integers(5, 60, 32)
    batches = batches_by_length(lengths, most_rows=64)
    assert padded_pieces(lengths, batches) + 64 * len(batches) < 0.9 * padded_pieces(lengths, [np.arange(32)])


@pytest.mark.parametrize(["rows", "length", "longest", "padded"], [
    (1, 8, 128, 16), (1, 16, 128, 16), (1, 40, 128, 48), (1, 64, 128, 64), (1, 72, 128, 72), (2, 8, 128, 8),
    (1, 8, 12, 8), (1, 40, 44, 40)])
def test_a_single_short_row_is_padded_to_one_of_few_lengths_but_not_beyond_what_the_model_takes(
        rows, length, longest, padded):
    features = {name: np.ones((rows, length), np.int32) for name in ("token_ids", "padding_mask")}
    found = with_short_length(features, lengths=(16, 32, 48, 64), longest=longest)
    for values in found.values():
        assert values.shape == (rows, padded) and values.dtype == np.int32
        assert values[:, :length].all() and not values[:, length:].any()


@pytest.mark.parametrize(["shape", "lengths"], [((1, 8), ()), ((1, 2, 8), (16,))])
def test_a_single_row_stays_as_it_is_for_an_engine_without_such_lengths_and_with_choices(shape, lengths):
    features = {"token_ids": np.ones(shape, np.int32)}
    assert with_short_length(features, lengths=lengths, longest=128) is features
