"""A text that is longer than a model's input, cut into windows that overlap."""

import tensorflow as tf

from electra_tf.text.preprocessor import kept_lengths, pack


def text_windows(preprocessor, texts, *, stride=None):
    """Tokenizes texts, or pairs of texts, and packs each into as many rows as it needs.

    A text that fits has the one row that `preprocessor(texts)` gives, and the first row of any text is that row. Of a
    pair, the one that is too long is cut into windows, and each stands beside the other, whole. Where both are longer
    than half of a row, the windows are those of the second, behind the first half row of the first.

    Args:
        preprocessor: TextPreprocessor, whose sequence_length is the length of the rows.
        texts: strings [batch], or a tuple of two of these for pairs, as for the preprocessor.
        stride: pieces from the start of one window to that of the next, at most a whole window, so that no piece is
            left out; None takes three quarters of a window.

    Returns:
        (dict of int32 [windows, sequence_length] as of TextPreprocessor, text_of): the windows of the first text, then
        those of the second, and so on; text_of, int32 [windows], is the text that each belongs to.

    >>> text_windows(preprocessor, ["a long text", "short"])[1]   # [0, 0, 0, 1]
    """
    first, second = map(preprocessor.tokenize, texts) if isinstance(texts, tuple) else (
        preprocessor.tokenize(texts), None)
    second = first[:, :0] if second is None else second
    num_first, num_second = (tf.cast(pieces.row_lengths(), tf.int32) for pieces in (first, second))
    kept_first, kept_second = kept_lengths(num_first, num_second, preprocessor.sequence_length)
    cuts_first = tf.equal(kept_second, num_second)  # also where there is no second text
    room, num_pieces = tf.where(cuts_first, kept_first, kept_second), tf.where(cuts_first, num_first, num_second)
    step = (3 * room + 3) // 4 if stride is None else tf.minimum(stride, room)
    step = tf.maximum(step, 1)
    num_windows = 1 + (tf.maximum(num_pieces - room, 0) + step - 1) // step

    text_of = tf.repeat(tf.range(tf.size(num_windows)), num_windows)  # [windows]
    number = tf.range(tf.size(text_of)) - tf.gather(tf.cumsum(num_windows, exclusive=True), text_of)
    start = number * tf.gather(step, text_of)
    size = tf.minimum(tf.gather(room, text_of), tf.gather(num_pieces, text_of) - start)
    cuts_first, kept_first, kept_second = (
        tf.gather(values, text_of) for values in (cuts_first, kept_first, kept_second))
    first = _slices(first, text_of, tf.where(cuts_first, start, 0), tf.where(cuts_first, size, kept_first))
    second = _slices(second, text_of, tf.where(cuts_first, 0, start), tf.where(cuts_first, kept_second, size))
    return pack(first, second, sequence_length=preprocessor.sequence_length,
                vocabulary=preprocessor.vocabulary), text_of


def _slices(pieces, rows, starts, sizes):
    """Ragged [slices, pieces]: of each of `rows` the pieces from `starts` on, `sizes` of them."""
    begin = tf.gather(tf.cast(pieces.row_starts(), tf.int32), rows) + starts
    places = tf.ragged.range(begin, begin + sizes, row_splits_dtype=pieces.row_splits.dtype)
    return places.with_flat_values(tf.gather(pieces.flat_values, places.flat_values))
