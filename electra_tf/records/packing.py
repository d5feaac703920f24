"""Packing rules: from documents, each a list of lines of token ids, to the segments of one row each.

A row is `[CLS] first [SEP]` or `[CLS] first [SEP] second [SEP]`, segment 0 up to the first [SEP] and 1 after it. With
"documents" several such rows that are short are joined to one.
"""

import typing

import numpy as np

# Shares of rows, as in the original's builder.
SINGLE_SEGMENT_RATE = 0.1
SHORT_TARGET_RATE = 0.05
SHORTEST_TARGET = 5
OVERFLOW_RATE = 0.5
NO_LIMIT = 100_000

DOCUMENTS = "documents"
PACKINGS = ("carry_over", DOCUMENTS, "full_sequence", "original")


class Segments(typing.NamedTuple):
    """The text of one row: one or two lists of token ids, without [CLS], the closing [SEP] and padding."""

    first: list
    second: list


def pack_carry_over(documents, *, sequence_length, random):
    """ELECTRA's rows without its losses: what does not fit in a row begins the next row of the same document.

    Lines are gathered until they reach the target, the row's length or, in 5 % of the rows, a random shorter one. They
    fill the first segment up to about half of the target (10 % of the rows: the whole row) and then the second, in
    order. A row never holds text of two documents.

    Args:
        documents: list of documents, each a list of lines, each a list of token ids.
        sequence_length: tokens in a row, [CLS] and [SEP] included.
        random: `random.Random`, the source of every choice.

    Returns:
        List of Segments that together hold every token once, in order.

    >>> pack_carry_over([[[5, 6, 7, 8], [9]]], sequence_length=5, random=random.Random(0))[0].first   # [5, 6, 7]
    """
    return [segments for lines in documents for segments in _carry_over(lines, sequence_length, random)]


def _carry_over(lines, sequence_length, random):
    index, offset = _position_after(lines, 0, 0, 0)
    while index < len(lines):
        target = _next_target(sequence_length, random)
        gathered, gathered_tokens = [], 0
        for number in range(index, len(lines)):
            if gathered_tokens >= target:
                break
            # No row needs more of one line than its length; a slice keeps an endless line from being copied each time.
            start = offset if number == index else 0
            gathered.append(lines[number][start:start + sequence_length])
            gathered_tokens += len(gathered[-1])
        segments = _cut(_split(gathered, _first_limit(target, random), random, in_order=True), sequence_length)
        yield segments
        index, offset = _position_after(lines, index, offset, len(segments.first) + len(segments.second))


def _position_after(lines, index, offset, count):
    """The line and the token in it that follow `count` tokens; the line is len(lines) at the end."""
    offset += count
    while index < len(lines) and offset >= len(lines[index]):
        offset -= len(lines[index])
        index += 1
    return index, offset


def pack_full_sequence(documents, *, sequence_length, sep_id):
    """Full rows of one segment: one stream of all documents with [SEP] between them, cut every `sequence_length` - 2.

    Args:
        documents: list of documents, each a list of lines, each a list of token ids.
        sequence_length: tokens in a row, [CLS] and the closing [SEP] included.
        sep_id: id of [SEP].

    Returns:
        List of Segments; all but the last are full.

    >>> pack_full_sequence([[[5, 6]], [[7]]], sequence_length=5, sep_id=3)   # firsts: [5, 6, 3], [7]
    """
    stream = []
    for lines in documents:
        if stream and stream[-1] != sep_id:
            stream.append(sep_id)
        for line in lines:
            stream.extend(line)
    if stream and stream[-1] == sep_id:
        stream.pop()
    room = sequence_length - 2
    return [Segments(stream[start:start + room], []) for start in range(0, len(stream), room)]


def pack_original(documents, *, sequence_length, random):
    """The released builder's rule exactly, with its losses: what exceeds the row when it is emitted is dropped.

    Differs from `pack_carry_over` in that overflow is lost, that a late line which still fits may go to the first
    segment after the second has begun, and that the target length is drawn after a row, for the next row, also when
    that belongs to the next document. Choices are drawn in the original's order, so the same `random` gives its rows.

    Args:
        documents: list of documents, each a list of lines, each a list of token ids (empty lines are allowed).
        sequence_length: tokens in a row, [CLS] and [SEP] included.
        random: `random.Random`; the original seeds it once per corpus.

    Returns:
        List of Segments.

    >>> len(pack_original([[[5, 6, 7]], [[8]]], sequence_length=8, random=random.Random(0)))   # 2
    """
    rows = []
    target = sequence_length
    for lines in documents:
        gathered, gathered_tokens = [], 0
        for number, line in enumerate(lines, start=1):
            gathered.append(line)
            gathered_tokens += len(line)
            at_end = number == len(lines) and gathered_tokens > 0
            if gathered_tokens >= target or at_end:
                limit = _first_limit(target, random)
                rows.append(_cut(_split(gathered, limit, random, in_order=False), sequence_length))
                target = _next_target(sequence_length, random)
                gathered, gathered_tokens = [], 0
    return rows


def _next_target(sequence_length, random):
    if random.random() < SHORT_TARGET_RATE:
        return random.randint(SHORTEST_TARGET, sequence_length)
    return sequence_length


def _first_limit(target, random):
    return NO_LIMIT if random.random() < SINGLE_SEGMENT_RATE else (target - 3) // 2


def _split(lines, limit, random, *, in_order):
    """Whole lines into a first and a second segment, neither cut yet."""
    first, second = [], []
    for line in lines:
        may_join_first = not (second and in_order)
        if may_join_first and (not first or len(first) + len(line) < limit
                               or (not second and len(first) < limit and random.random() < OVERFLOW_RATE)):
            first.extend(line)
        else:
            second.extend(line)
    return Segments(first, second)


def _cut(segments, sequence_length):
    first = segments.first[:sequence_length - 2]
    return Segments(first, segments.second[:max(0, sequence_length - 3 - len(first))])


def lay_out(rows, *, sequence_length, cls_id, sep_id, pad_id):
    """Writes segments out as rows of equal length with [CLS], [SEP] and padding.

    Args:
        rows: list of Segments that fit.
        sequence_length: tokens in a row.
        cls_id, sep_id, pad_id: ids of the special pieces.

    Returns:
        (token_ids, segment_ids), both int32 [rows, sequence_length]; padding has `pad_id` and segment 0.

    >>> lay_out([Segments([5], [6])], sequence_length=6, cls_id=2, sep_id=3, pad_id=0)[0]   # [[2, 5, 3, 6, 3, 0]]
    """
    flat = []
    first_ends = np.empty([len(rows), 1], np.int32)
    ends = np.empty([len(rows), 1], np.int32)
    padding = [pad_id] * sequence_length
    for number, (first, second) in enumerate(rows):
        flat.append(cls_id)
        flat.extend(first)
        flat.append(sep_id)
        end = first_end = len(first) + 2
        if second:
            flat.extend(second)
            flat.append(sep_id)
            end += len(second) + 1
        flat.extend(padding[end:])
        first_ends[number], ends[number] = first_end, end
    positions = np.arange(sequence_length, dtype=np.int32)
    segment_ids = ((positions >= first_ends) & (positions < ends)).astype(np.int32)
    token_ids = np.fromiter(flat, np.int32, count=len(flat)).reshape(len(rows), sequence_length)
    return token_ids, segment_ids


def share_rows(lengths, *, sequence_length):
    """Which short rows are joined to one: the longest first, each to the fullest row that has room (best fit).

    Args:
        lengths: tokens of each row, [CLS] and [SEP] included, none above `sequence_length`.
        sequence_length: tokens in a joined row.

    Returns:
        List of lists of numbers of rows, each number once; every list, and the list of lists, in rising order.

    >>> share_rows([5, 9, 3], sequence_length=9)   # [[0, 2], [1]]
    """
    with_room = [[] for _ in range(sequence_length + 1)]  # joined rows by the tokens that they still have room for
    for number in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        length = lengths[number]
        room = next((room for room in range(length, sequence_length) if with_room[room]), sequence_length)
        joined = with_room[room].pop() if with_room[room] else []
        joined.append(number)
        with_room[room - length].append(joined)
    return sorted(sorted(joined) for rows in with_room for joined in rows)


def join_rows(token_ids, segment_ids, *, pad_id):
    """Short rows behind each other in one, each still from its [CLS] to its last [SEP].

    Args:
        token_ids, segment_ids: int32 [rows, sequence_length], as `lay_out` gives them.
        pad_id: id of padding.

    Returns:
        (token_ids, segment_ids), int32 [joined rows, sequence_length].

    >>> join_rows(np.array([[2, 5, 3, 0, 0, 0], [2, 6, 3, 0, 0, 0]]), segment_ids, pad_id=0)[0]   # [[2, 5, 3, 2, 6, 3]]
    """
    sequence_length = token_ids.shape[1]
    lengths = np.count_nonzero(token_ids != pad_id, axis=1)
    shared = share_rows(lengths.tolist(), sequence_length=sequence_length)
    order = np.array([number for numbers in shared for number in numbers], np.int64)
    joined_lengths = np.array([lengths[numbers].sum() for numbers in shared], np.int64)
    positions = np.arange(sequence_length)
    taken, filled = positions < lengths[order][:, None], positions < joined_lengths[:, None]
    joined = []
    for values, nothing in ((token_ids, pad_id), (segment_ids, 0)):
        rows = np.full((len(shared), sequence_length), nothing, np.int32)
        rows[filled] = values[order][taken]
        joined.append(rows)
    return tuple(joined)
