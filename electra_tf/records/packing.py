"""Packing rules: from documents, each a list of the lengths of its lines, to the segments of one row each.

A row is `[CLS] first [SEP]` or `[CLS] first [SEP] second [SEP]`, segment 0 up to the first [SEP] and 1 after it. With
"documents" several such rows that are short are joined to one. The rules see lengths alone, in tokens, and tell places
in the stream of all tokens; `lay_out` takes the tokens from there, for all rows at once.
"""

import itertools
import typing

import numpy as np

from electra_tf.text.ranges import joined_ranges

# Shares of rows, as in the original's builder.
SINGLE_SEGMENT_RATE = 0.1
SHORT_TARGET_RATE = 0.05
SHORTEST_TARGET = 5
OVERFLOW_RATE = 0.5
NO_LIMIT = 100_000

DOCUMENTS = "documents"
PACKINGS = ("carry_over", DOCUMENTS, "full_sequence", "original")


class Segments(typing.NamedTuple):
    """The text of one row: for both segments a list of spans (start, end) in the stream of all tokens."""

    first: list
    second: list


def pack_carry_over(documents, *, sequence_length, random):
    """ELECTRA's rows without its losses: what does not fit in a row begins the next row of the same document.

    Lines are gathered until they reach the target, the row's length or, in 5 % of the rows, a random shorter one. They
    fill the first segment up to about half of the target (10 % of the rows: the whole row) and then the second, in
    order. A row never holds text of two documents.

    Args:
        documents: list of documents, each a list of the lengths of its lines, in tokens.
        sequence_length: tokens in a row, [CLS] and [SEP] included.
        random: `random.Random`, the source of every choice.

    Returns:
        List of Segments that together hold every token once, in order.

    >>> pack_carry_over([[4, 1]], sequence_length=5, random=random.Random(0))[0].first   # [(0, 3)]
    """
    return [segments for line_ends in _line_ends(documents)
            for segments in _carry_over(line_ends, sequence_length, random)]


def _line_ends(documents):
    """Places in the stream, for each document: where its first line begins, then where each line ends."""
    line_ends = [0]
    for lengths in documents:
        line_ends = list(itertools.accumulate(lengths, initial=line_ends[-1]))
        yield line_ends


def _carry_over(line_ends, sequence_length, random):
    number, place = 0, line_ends[0]
    while place < line_ends[-1]:
        while line_ends[number + 1] <= place:
            number += 1
        target = _next_target(sequence_length, random)
        gathered, gathered_tokens, start = [], 0, place
        for line in range(number + 1, len(line_ends)):
            if gathered_tokens >= target:
                break
            end = min(line_ends[line], start + sequence_length)  # no row needs more of one line
            gathered.append((start, end))
            gathered_tokens += end - start
            start = end
        first, second = _split(gathered, _first_limit(target, random), random, in_order=True)
        # Both go on where the one before ends, so cutting them is a matter of where they end.
        first_end = min(first[-1][1], place + sequence_length - 2)
        row_end = min(second[-1][1], max(first_end, place + sequence_length - 3)) if second else first_end
        yield Segments([(place, first_end)], [(first_end, row_end)] if row_end > first_end else [])
        place = row_end


def pack_full_sequence(token_ids, documents, *, sequence_length, sep_id):
    """Full rows of one segment: one stream of all documents with [SEP] between them, cut every `sequence_length` - 2.

    Args:
        token_ids: int32 [tokens], the tokens of all lines of all documents.
        documents: list of documents, each a list of the lengths of its lines, in tokens.
        sequence_length: tokens in a row, [CLS] and the closing [SEP] included.
        sep_id: id of [SEP].

    Returns:
        (the stream, int32 [tokens and separators]; list of Segments in it, all but the last full).

    >>> pack_full_sequence(np.array([5, 6, 7]), [[2], [1]], sequence_length=5, sep_id=3)[0]   # [5, 6, 3, 7]
    """
    lengths = np.array([sum(lines) for lines in documents], np.int64)
    stream = np.insert(token_ids, lengths[lengths > 0].cumsum()[:-1], sep_id)
    room = sequence_length - 2
    return stream, [Segments([(start, min(start + room, len(stream)))], []) for start in range(0, len(stream), room)]


def pack_original(documents, *, sequence_length, random):
    """The released builder's rule exactly, with its losses: what exceeds the row when it is emitted is dropped.

    Differs from `pack_carry_over` in that overflow is lost, that a late line which still fits may go to the first
    segment after the second has begun, and that the target length is drawn after a row, for the next row, also when
    that belongs to the next document. Choices are drawn in the original's order, so the same `random` gives its rows.

    Args:
        documents: list of documents, each a list of the lengths of its lines, in tokens (0 is allowed).
        sequence_length: tokens in a row, [CLS] and [SEP] included.
        random: `random.Random`; the original seeds it once per corpus.

    Returns:
        List of Segments.

    >>> len(pack_original([[3], [1]], sequence_length=8, random=random.Random(0)))   # 2
    """
    rows = []
    target = sequence_length
    for line_ends in _line_ends(documents):
        gathered, gathered_tokens = [], 0
        for number, (start, end) in enumerate(itertools.pairwise(line_ends), start=2):
            gathered.append((start, end))
            gathered_tokens += end - start
            at_end = number == len(line_ends) and gathered_tokens > 0
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
    first_tokens = second_tokens = 0
    for line in lines:
        tokens = line[1] - line[0]
        may_join_first = not (second_tokens and in_order)
        if may_join_first and (not first_tokens or first_tokens + tokens < limit
                               or (not second_tokens and first_tokens < limit and random.random() < OVERFLOW_RATE)):
            first.append(line)
            first_tokens += tokens
        else:
            second.append(line)
            second_tokens += tokens
    return Segments(first, second)


def _cut(segments, sequence_length):
    first = _beginning(segments.first, sequence_length - 2)
    return Segments(first, _beginning(segments.second, max(0, sequence_length - 3 - _tokens(first))))


def _beginning(spans, tokens):
    """The spans of at most so many tokens from the start; those without a token are left out."""
    kept = []
    for start, end in spans:
        end = min(end, start + tokens)
        if end > start:
            kept.append((start, end))
            tokens -= end - start
    return kept


def _tokens(spans):
    return sum(end - start for start, end in spans)


def lay_out(token_ids, rows, *, sequence_length, cls_id, sep_id, pad_id):
    """Writes segments out as rows of equal length with [CLS], [SEP] and padding.

    Args:
        token_ids: int32 [tokens], the stream that the spans mean.
        rows: list of Segments that fit.
        sequence_length: tokens in a row.
        cls_id, sep_id, pad_id: ids of the special pieces.

    Returns:
        (token_ids, segment_ids), both int32 [rows, sequence_length]; padding has `pad_id` and segment 0.

    >>> lay_out(np.array([5, 6]), [Segments([(0, 1)], [(1, 2)])], sequence_length=6, cls_id=2, sep_id=3,
    ...         pad_id=0)[0]   # [[2, 5, 3, 6, 3, 0]]
    """
    segments = [segment for row in rows for segment in row]
    spans = np.fromiter(itertools.chain.from_iterable(itertools.chain.from_iterable(segments)), np.int32).reshape(-1, 2)
    lengths = spans[:, 1] - spans[:, 0]
    spans_before = np.cumsum([0, *map(len, segments)])
    first, second = np.diff(np.append(0, lengths.cumsum())[spans_before]).reshape(-1, 2, 1).swapaxes(0, 1)
    places = np.arange(sequence_length)
    second_start = first + 2
    last_sep = np.where(second > 0, second_start + second, first + 1)
    is_second = (places >= second_start) & (places <= last_sep)
    is_text = (places > 0) & (places < last_sep) & (places != first + 1)
    laid_out = np.full((len(rows), sequence_length), pad_id, np.int32)
    laid_out[is_text] = token_ids[joined_ranges(spans[:, 0], lengths)]
    laid_out[:, 0] = cls_id
    laid_out[(places == first + 1) | (places == last_sep)] = sep_id
    return laid_out, is_second.astype(np.int32)


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
