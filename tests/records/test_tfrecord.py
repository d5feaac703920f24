"""The file framing: TensorFlow's own reader and writer decide what is right."""

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.records.tfrecord import frame_records, masked_crc32c


def some_records(seed, lengths):
    numbers = np.random.default_rng(seed)
    return [numbers.integers(0, 256, size=length, dtype=np.uint8).tobytes() for length in lengths]


@pytest.mark.parametrize("lengths", [[0], [1], [2], [0, 1, 2, 3, 300, 4, 299], list(range(90, 41, -1)), [7] * 5])
def test_files_equal_those_of_tensorflow_byte_for_byte(tmp_path, lengths):
    records = some_records(1, lengths)
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for record in records:
            writer.write(record)
    assert b"".join(frame_records(records)) == (tmp_path / "theirs").read_bytes()


def test_tensorflow_reads_joined_pieces_and_finds_a_changed_byte(tmp_path):
    records = some_records(2, [31, 8, 64])
    first, second, third = frame_records(records)
    path = tmp_path / "ours"
    path.write_bytes(third + first + second)
    assert [record.numpy() for record in tf.data.TFRecordDataset(str(path))] == [records[2], records[0], records[1]]
    path.write_bytes(first[:20] + bytes([first[20] ^ 1]) + first[21:])
    with pytest.raises(tf.errors.DataLossError):
        list(tf.data.TFRecordDataset(str(path)))


def test_the_checksum_is_crc_32c():
    masked = int.from_bytes(masked_crc32c([b"123456789"])[0], "little")
    rotated = (masked - 0xA282EAD8) % 2**32
    assert (rotated >> 17 | rotated << 15) % 2**32 == 0xE3069283  # the check value of RFC 3720's polynomial


def test_no_records_give_no_bytes():
    assert frame_records([]) == []
