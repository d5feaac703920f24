"""Records as bytes: TensorFlow's own reader and writer decide what is right."""

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.records.features import FEATURES, encode_examples


def some_rows(largest, *, rows=37, length=29):
    numbers = np.random.default_rng(largest)
    token_ids = numbers.integers(0, largest + 1, size=(rows, length))
    token_ids[0, :] = largest
    return {"token_ids": token_ids, "segment_ids": numbers.integers(0, 2, size=(rows, length))}


# Around each size at which a number takes one byte more.
@pytest.mark.parametrize("largest", [0, 127, 128, 5000, 2**14 - 1, 2**14, 30521, 2**21 - 1, 2**21, 2**28 - 1])
def test_tensorflow_reads_what_is_encoded(largest):
    rows = some_rows(largest)
    parsed = tf.io.parse_example(encode_examples(rows),
                                 {name: tf.io.FixedLenFeature([29], tf.int64) for name in FEATURES})
    assert set(parsed) == set(rows)
    for name, values in rows.items():
        np.testing.assert_array_equal(parsed[name], values)


def test_an_example_holds_the_features_and_nothing_else():
    rows = some_rows(300, rows=2, length=7)
    features = tf.train.Example.FromString(encode_examples(rows)[1]).features.feature
    assert {name: list(feature.int64_list.value) for name, feature in features.items()} == {
        "token_ids": rows["token_ids"][1].tolist(), "segment_ids": rows["segment_ids"][1].tolist()}


def test_the_bytes_are_those_of_a_protocol_buffer_writer():
    rows = some_rows(70_000, rows=3, length=131)
    for number, encoded in enumerate(encode_examples(rows)):
        example = tf.train.Example()
        for name in FEATURES:
            example.features.feature[name].int64_list.value.extend(rows[name][number].tolist())
        assert len(encoded) == len(example.SerializeToString())
        assert tf.train.Example.FromString(encoded) == example


def test_no_rows_give_no_records():
    assert encode_examples({name: np.zeros([0, 29], np.int32) for name in FEATURES}) == []
