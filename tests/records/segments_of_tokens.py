"""Rows with their tokens written out, in place of spans in a stream of all tokens: as people read and write them."""

import itertools

import numpy as np

from electra_tf.records.packing import Segments


def to_spans(rows):
    """Segments of lists of tokens -> (the stream of all their tokens, Segments of spans in it)."""
    segments = [segment for row in rows for segment in row]
    ends = list(itertools.accumulate(map(len, segments), initial=0))
    spans = [[span] if span[1] > span[0] else [] for span in itertools.pairwise(ends)]
    stream = np.array([token for segment in segments for token in segment], np.int32)
    return stream, list(itertools.starmap(Segments, zip(spans[::2], spans[1::2], strict=True)))


def to_tokens(stream, rows):
    """The other way round."""
    return [Segments(*([int(token) for start, end in segment for token in stream[start:end]] for segment in row))
            for row in rows]


def lengths_of(documents):
    """What the packing rules see of documents as lists of lines of tokens."""
    return [[len(line) for line in lines] for lines in documents]


def flat(documents):
    """All tokens of documents as lists of lines of tokens."""
    return [token for lines in documents for line in lines for token in line]
