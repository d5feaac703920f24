"""The TFRecord framing, written without TensorFlow so that building data needs no import of it.

A record is: its length (8 bytes, little endian), the masked CRC-32C of those 8 bytes, the data, the masked CRC-32C of
the data (https://www.tensorflow.org/tutorials/load_data/tfrecord). Files may be joined end to end.
"""

import numpy as np

_CASTAGNOLI = 0x82F63B78  # CRC-32C, bits reversed (RFC 3720, appendix B.4)
_MASK_DELTA = 0xA282EAD8


def _crc_tables():
    """What one byte, and what two bytes at once, turn into."""
    one = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        one = np.where(one & 1, (one >> 1) ^ np.uint32(_CASTAGNOLI), one >> 1)
    low, high = np.arange(1 << 16) & 0xFF, np.arange(1 << 16) >> 8
    return one, one[(one[low] & 0xFF) ^ high] ^ (one[low] >> 8)


_ONE_BYTE, _TWO_BYTES = _crc_tables()


def frame_records(records):
    """Records as they stand in a TFRecord file.

    Args:
        records: list of bytes.

    Returns:
        List of bytes, one for each record, to be written one after the other in any order.

    >>> file.write(b"".join(frame_records([b"first", b"second"])))
    """
    lengths = sorted(set(map(len, records)))
    encoded = [length.to_bytes(8, "little") for length in lengths]
    heads = {length: head + head_sum for length, head, head_sum
             in zip(lengths, encoded, masked_crc32c(encoded), strict=True)}
    return [heads[len(record)] + record + data_sum
            for record, data_sum in zip(records, masked_crc32c(records), strict=True)]


def masked_crc32c(records):
    """The masked CRC-32C of each record, worked out for all records at a time, two bytes a step.

    Args:
        records: list of bytes, best of similar lengths.

    Returns:
        List of 4 bytes each, little endian.

    >>> masked_crc32c([b"123456789"])   # CRC-32C 0xe3069283, masked
    """
    order = sorted(range(len(records)), key=lambda row: -len(records[row]))
    lengths = np.array([len(records[row]) for row in order], np.int64)
    width = (int(lengths.max(initial=0)) + 1) // 2 * 2
    padded = np.frombuffer(b"".join([records[row].ljust(width, b"\0") for row in order]), "<u2")
    pairs = np.ascontiguousarray(padded.reshape(len(records), width // 2).T)
    # From long to short: the records that still have two bytes at a position are the first `count`.
    counts = np.searchsorted(-lengths, -2 * np.arange(1, width // 2 + 1), side="right").tolist()
    sums = np.full(len(records), 0xFFFFFFFF, np.uint32)
    for position, count in enumerate(counts):
        active = sums[:count]
        sums[:count] = _TWO_BYTES[(active ^ pairs[position, :count]) & 0xFFFF] ^ (active >> 16)
    odd = np.flatnonzero(lengths % 2)
    sums[odd] = _ONE_BYTE[(sums[odd] ^ pairs[lengths[odd] // 2, odd]) & 0xFF] ^ (sums[odd] >> 8)
    sums ^= np.uint32(0xFFFFFFFF)
    masked = np.empty_like(sums)
    masked[order] = ((sums >> 15) | (sums << 17)) + np.uint32(_MASK_DELTA)
    joined = masked.astype("<u4").tobytes()
    return [joined[start:start + 4] for start in range(0, len(joined), 4)]
