"""Texts -> token ids, once; then batches that are only as long as their longest text, because padding costs time."""

import dataclasses

import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError

TEXTS_AT_ONCE = 1024
# Texts of similar length share a batch: sorted within windows of this many batches, so that the order stays random.
_BATCHES_PER_WINDOW = 50
# Lengths are rounded up to one of a few (see docs/fine_tuning_options.md for what other steps cost).
_LENGTH_STEP = 8

FEATURES = ("token_ids", "segment_ids", "padding_mask")


@dataclasses.dataclass(frozen=True)
class EncodedTexts:
    """Preprocessed texts.

    Attributes:
        token_ids, segment_ids: int32 [texts, longest].
        lengths: int32 [texts], real pieces in each row.
    """

    token_ids: np.ndarray
    segment_ids: np.ndarray
    lengths: np.ndarray
    feature_rank = 2

    def __len__(self):
        return len(self.lengths)

    def batch(self, rows, *, batch_size):
        """The features of some rows, cut at the longest of them and filled up with empty rows.

        Args:
            rows: int array of at most `batch_size` places.

        Returns:
            Dict of int32 [batch_size, length].
        """
        length = self.batch_length(rows)
        features = {name: np.zeros((batch_size, length), np.int32) for name in FEATURES}
        features["token_ids"][:len(rows)] = self.token_ids[rows, :length]
        features["segment_ids"][:len(rows)] = self.segment_ids[rows, :length]
        features["padding_mask"][:len(rows)] = np.arange(length) < self.lengths[rows, None]
        return features

    def batch_length(self, rows):
        """The pieces of the longest of some rows, rounded up."""
        longest = int(self.lengths[rows].max(initial=1))
        return min(rounded_up(longest), self.token_ids.shape[-1])

    def of_epoch(self, *, seed, epoch):
        """The EncodedTexts that one epoch of training reads."""
        return self

    def for_evaluation(self):
        """The EncodedTexts that answers come from."""
        return self

    def evaluation_batches(self, order, *, batch_size):
        """Texts in their order, cut into batches."""
        return np.split(order, range(batch_size, len(order), batch_size)) if len(order) else []


def rounded_up(length):
    """The length that a batch is padded to: few different ones, as each new shape costs the matrix library time."""
    return -(-length // _LENGTH_STEP) * _LENGTH_STEP


@dataclasses.dataclass(frozen=True)
class PieceLabels:
    """Something to be told about each piece: an array [texts, longest], which a batch cuts to its own length."""

    values: np.ndarray


def text_columns(texts, *, pairs):
    """What a user gives to `fit` or `predict`, as columns.

    Args:
        texts: list of str; for pairs a tuple of two such lists, or a list of (first, second).
        pairs: whether pairs are expected.

    Returns:
        Tuple of one list of str, or two of equal length.

    Raises:
        InputError: pairs where single texts are expected or the reverse, or something that is not a string.

    >>> text_columns([("a", "b"), ("c", "d")], pairs=True)   # (['a', 'c'], ['b', 'd'])
    """
    if isinstance(texts, str | bytes):
        raise InputError("texts is a single string; give a list of strings.")
    if isinstance(texts, tuple) and len(texts) == 2 and not isinstance(texts[0], str | bytes):
        columns = tuple(_strings(column) for column in texts)
    else:
        rows = texts.numpy().tolist() if tf.is_tensor(texts) else list(texts)
        are_pairs = bool(rows) and all(not isinstance(row, str | bytes) and _is_pair(row) for row in rows)
        columns = tuple(map(_strings, zip(*rows, strict=True))) if are_pairs else (_strings(rows),)
        columns = ([], []) if pairs and not rows else columns
    if len(columns) != (2 if pairs else 1):
        raise InputError("this classifier takes pairs of texts and got single ones; give (first texts, second texts)."
                         if pairs else "this classifier takes single texts and got pairs; load it with pairs=True.")
    if len({len(column) for column in columns}) > 1:
        raise InputError(f"there are {len(columns[0])} first texts and {len(columns[1])} second ones; "
                         f"give equally many.")
    return columns


def _is_pair(row):
    return hasattr(row, "__len__") and len(row) == 2


def _strings(column):
    column = column.numpy().tolist() if tf.is_tensor(column) else list(column)
    for place, text in enumerate(column):
        if not isinstance(text, str | bytes):
            raise InputError(f"texts[{place}] is {text!r}; expected a string.")
    return column


def encode_texts(preprocessor, columns):
    """Tokenizes and packs all texts, with the same layer that an export holds.

    Args:
        preprocessor: TextPreprocessor.
        columns: tuple of one list of str, or two for pairs.

    Returns:
        EncodedTexts.

    >>> encode_texts(preprocessor, (["a fine film", "a bore"],)).lengths   # [5, 4]
    """
    parts = []
    for start in range(0, len(columns[0]), TEXTS_AT_ONCE):
        chunk = tuple(column[start:start + TEXTS_AT_ONCE] for column in columns)
        parts.append(encoded_rows(preprocessor(chunk if len(chunk) == 2 else chunk[0])))
    return joined_rows(parts)


def encode_in_bulk(tokenizer, columns, *, sequence_length):
    """`encode_texts` in plain Python: the same rows, without the graph's overhead for each call.

    Args:
        tokenizer: Tokenizer.
        columns: tuple of one list of str, or two for pairs.
        sequence_length: pieces in a row at most, as of TextPreprocessor.

    Returns:
        EncodedTexts.

    >>> encode_in_bulk(tokenizer, (["a fine film", "a bore"],), sequence_length=128).lengths   # [5, 4]
    """
    ids = [list(map(tokenizer.ids, column)) for column in columns]
    return rows_of_ids(*ids, sequence_length=sequence_length, vocabulary=tokenizer.vocabulary)


def rows_of_ids(first, second=None, *, sequence_length, vocabulary):
    """Ids of texts -> rows with special pieces, cut as TextPreprocessor cuts them; what `pack` does in the graph.

    Args:
        first: list of lists of int.
        second: the same for the second texts, or None.
        sequence_length: pieces in a row at most.
        vocabulary: Vocabulary, for the ids of the special pieces.

    Returns:
        EncodedTexts, as wide as its longest row, rounded up.

    >>> rows_of_ids([[7, 8, 9]], sequence_length=4, vocabulary=vocabulary).token_ids   # [[2, 7, 8, 3]]
    """
    rows, lengths, first_ends = [], [], []
    for a, b in zip(first, second or [()] * len(first), strict=True):
        kept_a, kept_b = _kept_lengths(len(a), len(b), sequence_length)
        row = [vocabulary.cls_id, *a[:kept_a], vocabulary.sep_id]
        first_ends.append(len(row))
        if kept_b:
            row += [*b[:kept_b], vocabulary.sep_id]
        rows.append(row)
        lengths.append(len(row))
    width = min(rounded_up(max(lengths, default=1)), sequence_length)
    token_ids = np.full((len(rows), width), vocabulary.pad_id, np.int32)
    segment_ids = np.zeros((len(rows), width), np.int32)
    for number, row in enumerate(rows):
        token_ids[number, :len(row)] = row
        segment_ids[number, first_ends[number]:len(row)] = 1
    return EncodedTexts(token_ids, segment_ids, np.array(lengths, np.int32))


def _kept_lengths(num_first, num_second, sequence_length):
    """`kept_lengths` of the preprocessor for one text or pair, without TensorFlow."""
    if not num_second:
        return min(num_first, sequence_length - 2), 0
    room = sequence_length - 3
    kept_first = min(num_first, max((room + 1) // 2, room - num_second))
    return kept_first, min(num_second, room - kept_first)


def encoded_rows(features):
    """EncodedTexts of what a preprocessor returns, cut at the longest row."""
    lengths = np.sum(features["padding_mask"], axis=1, dtype=np.int32)
    longest = lengths.max(initial=1)
    return EncodedTexts(features["token_ids"].numpy()[:, :longest], features["segment_ids"].numpy()[:, :longest],
                        lengths)


def without_padding(features):
    """Features cut at the longest row, in the graph: padding costs as much as text."""
    length = tf.maximum(tf.reduce_max(tf.reduce_sum(features["padding_mask"], axis=1)), 1)
    return {name: values[:, :length] for name, values in features.items()}


def joined_rows(parts):
    """One EncodedTexts of several."""
    longest = max((part.token_ids.shape[1] for part in parts), default=1)

    def joined(name):
        rows = [np.pad(part, [(0, 0), (0, longest - part.shape[1])])
                for part in (getattr(part, name) for part in parts)]
        return np.concatenate([np.zeros((0, longest), np.int32), *rows])
    return EncodedTexts(joined("token_ids"), joined("segment_ids"),
                        np.concatenate([np.zeros(0, np.int32), *(part.lengths for part in parts)]))


def epoch_batches(lengths, *, batch_size, seed, epoch):
    """The order of one epoch: a random one, with texts of similar length together.

    Args:
        lengths: int [texts].
        batch_size: rows in a batch; one batch of the epoch may have fewer.
        seed, epoch: what decides the order.

    Returns:
        List of int arrays: every text once.

    >>> [len(rows) for rows in epoch_batches([5, 9, 7], batch_size=2, seed=0, epoch=0)]   # [2, 1]
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    window = batch_size * _BATCHES_PER_WINDOW
    order = np.concatenate([part[np.argsort(np.asarray(lengths)[part], kind="stable")]
                            for part in np.split(order, range(window, len(order), window))])
    batches = np.split(order, range(batch_size, len(order), batch_size))
    return [batches[place] for place in random.permutation(len(batches))]


def training_dataset(encoded, labels, *, batch_size, seed):
    """Endless batches for training, epoch after epoch in another seeded order.

    Args:
        encoded: EncodedTexts.
        labels: what is to be told of each text: an array [texts, ...], PieceLabels, or a dict of them.

    Returns:
        tf.data.Dataset of (features, labels [batch, ...]); an epoch is ceil(texts / batch_size) batches.
    """
    def batches():
        epoch = 0
        while True:
            texts = encoded.of_epoch(seed=seed, epoch=epoch)
            for rows in epoch_batches(texts.lengths, batch_size=batch_size, seed=seed, epoch=epoch):
                yield _labelled_batch(texts, labels, rows, batch_size)
            epoch += 1
    return _dataset(batches, encoded.of_epoch(seed=seed, epoch=0), labels)


def evaluation_dataset(encoded, labels=None, *, batch_size):
    """Every text once, from short to long: its order is that of `evaluation_order`.

    Returns:
        tf.data.Dataset of (features, labels); labels are zeros where none are given.
    """
    labels = np.zeros(len(encoded), np.int32) if labels is None else labels
    texts = encoded.for_evaluation()
    batches_of_rows = texts.evaluation_batches(evaluation_order(encoded), batch_size=batch_size)

    def batches():
        for rows in batches_of_rows:
            yield _labelled_batch(texts, labels, rows, batch_size)
    dataset = _dataset(batches, texts, labels)
    return dataset.apply(tf.data.experimental.assert_cardinality(len(batches_of_rows)))


def evaluation_order(encoded):
    """The places of the texts in the order in which `evaluation_dataset` has them."""
    return np.argsort(encoded.for_evaluation().lengths, kind="stable")


def _labelled_batch(encoded, labels, rows, batch_size):
    features = encoded.batch(rows, batch_size=batch_size)
    filled_rows, length = len(features["token_ids"]), features["token_ids"].shape[-1]

    def of_batch(values):
        chosen = values.values[rows, :length] if isinstance(values, PieceLabels) else values[rows]
        return np.concatenate([chosen, np.zeros((filled_rows - len(rows), *chosen.shape[1:]), chosen.dtype)])
    return features, tf.nest.map_structure(of_batch, labels)


def _dataset(batches, encoded, labels):
    def spec(values):
        values = values.values if isinstance(values, PieceLabels) else values
        return tf.TensorSpec([None] * values.ndim, values.dtype)
    features = {name: tf.TensorSpec([None] * encoded.feature_rank, tf.int32) for name in FEATURES}
    labels = tf.nest.map_structure(spec, labels)
    options = tf.data.Options()
    # Nothing here is tuned, and whoever ends an iteration would wait for the tuning thread, as long as it ran.
    options.autotune.enabled = False
    dataset = tf.data.Dataset.from_generator(batches, output_signature=(features, labels))
    return dataset.prefetch(2).with_options(options)
