"""Texts of any length for tasks on whole texts: trained on their windows, answered from all of them."""

import dataclasses

import numpy as np
import tensorflow as tf

from electra_tf.tasks.options import MAX
from electra_tf.tasks.text_batches import FEATURES, TEXTS_AT_ONCE, EncodedTexts, encoded_rows, joined_rows
from electra_tf.text.windows import text_windows

# Windows that the network sees at once: the memory that a text takes does not grow with it.
_WINDOWS_AT_ONCE = 64


@dataclasses.dataclass(frozen=True)
class EncodedWindows:
    """Texts of which at least one has several windows; it is used as EncodedTexts are.

    Attributes:
        windows: EncodedTexts or rows of another kind: the windows of the first text, then those of the second ...
        starts: int [texts + 1]: the windows of text i are the rows from starts[i] up to starts[i + 1].
        answers_from_first: whether the first window alone answers for a text.
    """

    windows: EncodedTexts
    starts: np.ndarray
    answers_from_first: bool

    def __len__(self):
        return len(self.starts) - 1

    @property
    def feature_rank(self):
        """Of the token ids in a batch: [texts, windows, ...]."""
        return self.windows.feature_rank + 1

    @property
    def num_windows(self):
        """Windows of each text, int [texts]."""
        return np.diff(self.starts)

    @property
    def lengths(self):
        """Real pieces in all windows of each text, int32 [texts]."""
        return np.add.reduceat(self.windows.lengths, self.starts[:-1])

    def of_epoch(self, *, seed, epoch):
        """One window of each text, drawn anew in each epoch."""
        share = np.random.default_rng([seed, epoch, 1]).random(len(self))  # 1: not the numbers of the order
        return _at(self.windows, self.starts[:-1] + (share * self.num_windows).astype(int))

    def for_evaluation(self):
        """What answers for the texts: all windows, or the first ones alone."""
        return _at(self.windows, self.starts[:-1]) if self.answers_from_first else self

    def evaluation_batches(self, order, *, batch_size):
        """Texts in their order, in batches of at most `batch_size` windows, empty ones counted, or of one text."""
        batches, most = [], 0
        for text in order:
            most = max(most, self.num_windows[text])
            if not batches or (len(batches[-1]) + 1) * most > batch_size:
                batches.append([])
                most = self.num_windows[text]
            batches[-1].append(text)
        return [np.array(batch) for batch in batches]

    def batch(self, rows, *, batch_size):
        """The features of some texts, int32 [texts, windows, length]; texts with fewer windows have empty ones."""
        counts = self.num_windows[rows]
        text = np.repeat(np.arange(len(rows)), counts)
        number = np.concatenate([np.arange(count) for count in counts])
        places = self.starts[rows][text] + number
        features = self.windows.batch(places, batch_size=len(places))
        batch = {name: np.zeros((len(rows), counts.max(), *values.shape[1:]), np.int32)
                 for name, values in features.items()}
        for name, values in features.items():
            batch[name][text, number] = values
        return batch


def _at(encoded, places):
    """Some of the rows of EncodedTexts, as the same kind of rows."""
    return dataclasses.replace(encoded, **{field.name: getattr(encoded, field.name)[places]
                                           for field in dataclasses.fields(encoded)})


def windows_of(encoded):
    """What a network that knows no windows reads for EncodedTexts or EncodedWindows.

    Returns:
        (rows, EncodedTexts or of another kind; the text that each belongs to, int [rows]).

    >>> windows_of(encoded)[1]   # [0, 0, 0, 1]
    """
    if not isinstance(encoded, EncodedWindows):
        return encoded, np.arange(len(encoded))
    return encoded.windows, np.repeat(np.arange(len(encoded)), encoded.num_windows)


def with_windows(windows, counts, *, answers_from_first):
    """Texts from their windows.

    Args:
        windows: EncodedTexts or rows of another kind, those of the first text first.
        counts: int [texts], windows of each text.
        answers_from_first: see EncodedWindows.

    Returns:
        EncodedWindows; `windows` as they are where every text has one.

    >>> with_windows(encoded, [1, 2], answers_from_first=False).starts   # [0, 1, 3]
    """
    if np.max(counts, initial=1) == 1:
        return windows
    return EncodedWindows(windows, np.concatenate([[0], np.cumsum(counts)]), answers_from_first)


def encode_windows(preprocessor, columns, *, stride, answers_from_first):
    """Tokenizes texts and cuts the long ones into windows, with the ops that an export holds.

    Args:
        preprocessor: TextPreprocessor.
        columns: tuple of one list of str, or two for pairs.
        stride: see `text_windows`.
        answers_from_first: see EncodedWindows.

    Returns:
        EncodedWindows; EncodedTexts where every text has one window.

    >>> encode_windows(preprocessor, (["a long text", "short"],), stride=None, answers_from_first=False).num_windows
    """
    parts, counts = [], [np.zeros(0, int)]
    for start in range(0, len(columns[0]), TEXTS_AT_ONCE):
        chunk = tuple(column[start:start + TEXTS_AT_ONCE] for column in columns)
        features, text_of = text_windows(preprocessor, chunk if len(chunk) == 2 else chunk[0], stride=stride)
        parts.append(encoded_rows(features))
        counts.append(np.bincount(text_of, minlength=len(chunk[0])))
    return with_windows(joined_rows(parts), np.concatenate(counts), answers_from_first=answers_from_first)


def real_windows(features):
    """[batch, windows, ...] -> dict of [batch * windows, ...], and the text that each row belongs to.

    Args:
        features: (token_ids, segment_ids, padding_mask), int32 [batch, windows, length], or with choices [batch,
            windows, choices, length].

    Returns:
        (dict of int32, text_of int32 [batch * windows]); an empty window belongs to the text `batch`, which is none.
    """
    shape = tf.shape(features[0])
    *_, padding_mask = features
    first = padding_mask[..., 0] if padding_mask.shape.rank == 3 else padding_mask[..., 0, 0]  # [batch, windows]
    is_real = (first > 0) | (tf.range(shape[1]) == 0)  # so that no text is without a window
    text_of = tf.where(is_real, tf.range(shape[0])[:, None], shape[0])
    flat = {name: tf.reshape(values, tf.concat([[-1], shape[2:]], axis=0))
            for name, values in zip(FEATURES, features, strict=True)}
    return flat, tf.reshape(text_of, [-1])


def in_portions(outputs, windows, *, least):
    """A network's outputs for windows, a limited number of them at once.

    Args:
        outputs: function of a dict of [batch, ...] -> float32 [batch, outputs].
        windows: dict of int32 [windows, ...].
        least: as many windows are seen at once in any case; the number of texts, so that short texts are one batch.

    Returns:
        float32 [windows, outputs].
    """
    at_once = tf.maximum(least, _WINDOWS_AT_ONCE)
    num_windows = tf.shape(windows["token_ids"])[0]
    portions = tf.maximum((num_windows + at_once - 1) // at_once, 1)
    size = (num_windows + portions - 1) // portions
    filled = {name: tf.pad(values, [[0, portions * size - num_windows]] + [[0, 0]] * (values.shape.rank - 1))
              for name, values in windows.items()}
    stacked = {name: tf.reshape(values, tf.concat([[portions, size], tf.shape(values)[1:]], axis=0))
               for name, values in filled.items()}
    found = tf.map_fn(outputs, stacked, fn_output_signature=tf.float32, parallel_iterations=1)
    width = tf.shape(found)[-1] if found.shape[-1] is None else found.shape[-1]
    return tf.reshape(found, [portions * size, width])[:num_windows]


def pooled(outputs, text_of, *, num_texts, pooling):
    """The outputs of texts, from those of their windows.

    Args:
        outputs: float32 [windows, outputs].
        text_of: int32 [windows]; a window of `num_texts` or beyond is left out.
        num_texts: number of texts, each with a window or more.
        pooling: "mean" or "max".

    Returns:
        float32 [num_texts, outputs].

    >>> pooled([[1.0], [4.0], [2.0]], [0, 0, 1], num_texts=2, pooling="max")   # [[4], [2]]
    """
    reduce = tf.math.unsorted_segment_max if pooling == MAX else tf.math.unsorted_segment_mean
    return reduce(outputs, text_of, num_texts + 1)[:num_texts]
