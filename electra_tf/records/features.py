"""The one table of what a record holds, and how it is written as the bytes of a `tf.train.Example`.

`tf.io.parse_example` reads the records anywhere; they are encoded here because building protocol buffer objects row
by row is far slower (benchmarks/NOTES.md, "Builder").
"""

import functools

import numpy as np

# Each feature is an int64 list of the row's length: the tokens, padded with [PAD] past the real ones, and the segment
# (0 or 1) of each. The padding mask and, where a row holds several documents, their numbers follow from the tokens.
FEATURES = ("token_ids", "segment_ids")

# Tags of the protocol buffer fields on the way from Example down to the numbers; all hold length-delimited bytes.
_EXAMPLE_FEATURES = _FEATURES_ENTRY = _ENTRY_KEY = _INT64_LIST_VALUE = b"\x0a"
_ENTRY_VALUE = b"\x12"
_FEATURE_INT64_LIST = b"\x1a"


def encode_examples(rows):
    """The serialised `tf.train.Example` of each row.

    Args:
        rows: dict with the names of FEATURES, each an integer array [rows, length] of numbers in [0, 2**28).

    Returns:
        List of bytes, one for each row.

    >>> tf.io.parse_single_example(encode_examples(rows)[0], {"token_ids": tf.io.FixedLenFeature([128], tf.int64), ...})
    """
    columns = [[_entry_start(name, len(packed)) + packed for packed in _packed_rows(rows[name])] for name in FEATURES]
    bodies = map(b"".join, zip(*columns, strict=True))
    return [_field_start(_EXAMPLE_FEATURES, len(body)) + body for body in bodies]


@functools.cache
def _entry_start(name, packed_length):
    """Everything of a feature's map entry that stands before its packed numbers."""
    start, length = b"", packed_length
    for tag in (_INT64_LIST_VALUE, _FEATURE_INT64_LIST, _ENTRY_VALUE):
        start = _field_start(tag, length) + start
        length = len(start) + packed_length
    key = _field_start(_ENTRY_KEY, len(name)) + name.encode()
    return _field_start(_FEATURES_ENTRY, len(key) + length) + key + start


@functools.cache
def _field_start(tag, length):
    """A tag and the length, as a varint, of what follows it."""
    encoded = bytearray(tag)
    while length > 0x7F:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)


def _packed_rows(values):
    """Each row's numbers as protocol buffer varints (7 bits a byte, low first, top bit: more follow), joined."""
    values = np.asarray(values, np.uint32)
    width = max(1, (int(values.max(initial=0)).bit_length() + 6) // 7)
    encoded = np.empty((values.size, width), np.uint8)
    used = np.ones((values.size, width), bool)
    flat = values.ravel()
    for number in range(width):
        encoded[:, number] = (flat >> 7 * number) & 0x7F
    for number in range(1, width):
        used[:, number] = flat >= 1 << 7 * number
        encoded[:, number - 1] |= used[:, number].view(np.uint8) << 7
    row_bytes = encoded.ravel()[used.ravel()].tobytes()
    ends = np.cumsum(used.reshape(len(values), values.shape[1] * width).sum(axis=1)).tolist()
    return [row_bytes[start:end] for start, end in zip([0, *ends], ends, strict=False)]
