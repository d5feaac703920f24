"""From strings to the three inputs of a model, as a Keras layer that works in a model, in tf.data and in an export."""

import keras
import numpy as np
import tensorflow as tf

from electra_tf import config
from electra_tf.errors import InputError
from electra_tf.text.graph_tokenizer import GraphTokenizer
from electra_tf.text.vocabulary import TextSettings, Vocabulary

_SHORTEST = 4  # [CLS], [SEP], [SEP] and one piece


@keras.saving.register_keras_serializable(package="electra_tf")
class TextPreprocessor(keras.layers.Layer):
    """Tokenizes texts, or pairs of texts, and packs them as [CLS] a [SEP] or [CLS] a [SEP] b [SEP].

    A long text is cut at its end; of a pair, the longer text loses its last piece until both fit (the second one at
    equal lengths). A second text without any piece counts as none.

    Args:
        vocabulary: Vocabulary.
        sequence_length: pieces per row, with the special ones and the padding.

    Raises:
        InputError: `sequence_length` is below 4.

    >>> TextPreprocessor(vocabulary, sequence_length=6)(["Unwanted!"])["token_ids"]   # [[2, 417, 1822, 290, 5, 3]]
    """

    def __init__(self, vocabulary, sequence_length=128, **layer_settings):
        super().__init__(**layer_settings)
        if sequence_length < _SHORTEST:
            raise InputError(f"sequence_length={sequence_length} must be {_SHORTEST} or more: [CLS], [SEP], [SEP] and "
                             f"one piece.")
        self.vocabulary = vocabulary
        self.sequence_length = sequence_length
        self._tokenizer = GraphTokenizer(vocabulary)

    def __call__(self, texts):
        """Preprocesses texts.

        Args:
            texts: strings [batch] or a single string, as list of str, numpy array or string tensor; for pairs a tuple
                of two of these. Bytes are UTF-8; what cannot be decoded is ignored.

        Returns:
            Dict of int32 [batch, sequence_length] (without batch for a single string): "token_ids", "segment_ids" (1 in
            the second text and its [SEP]) and "padding_mask" (1 at real pieces, 0 at padding).

        Raises:
            InputError: something in `texts` is not a string.
        """
        return super().__call__(tuple(map(_as_strings, texts)) if isinstance(texts, tuple) else _as_strings(texts))

    def call(self, texts):
        """See `__call__`."""
        first, second = texts if isinstance(texts, tuple) else (texts, None)
        if first.shape.rank == 0:
            packed = self.call((first[None], None if second is None else second[None]))
            return {name: values[0] for name, values in packed.items()}
        return pack(self._tokenizer(first), None if second is None else self._tokenizer(second),
                    sequence_length=self.sequence_length, vocabulary=self.vocabulary)

    def tokenize(self, texts):
        """The ids alone, neither cut nor padded.

        Args:
            texts: strings [batch], as for `__call__`.

        Returns:
            int32 ragged [batch, pieces], without special pieces.

        >>> preprocessor.tokenize(["Unwanted!", ""])   # <tf.RaggedTensor [[417, 1822, 290, 5], []]>
        """
        return self._tokenizer(_as_strings(texts))

    def compute_output_spec(self, texts):
        first = texts[0] if isinstance(texts, tuple) else texts
        return {name: keras.KerasTensor((*first.shape, self.sequence_length), "int32")
                for name in ("token_ids", "segment_ids", "padding_mask")}

    def get_config(self):
        return {**super().get_config(), "pieces": list(self.vocabulary.pieces),
                "text_settings": config.to_dict(self.vocabulary.settings), "sequence_length": self.sequence_length}

    @classmethod
    def from_config(cls, values):
        values = dict(values)
        vocabulary = Vocabulary(values.pop("pieces"), config.from_dict(TextSettings, values.pop("text_settings")))
        return cls(vocabulary, **values)


def pack(first, second=None, *, sequence_length, vocabulary):
    """Ids of texts -> rows of equal length, with special pieces, cut and padded as `TextPreprocessor` says.

    Args:
        first: int32 ragged [batch, pieces].
        second: the same for the second texts, or None.
        sequence_length: length of the rows.
        vocabulary: Vocabulary, for the ids of the special pieces.

    Returns:
        Dict of int32 [batch, sequence_length]: "token_ids", "segment_ids", "padding_mask".

    >>> pack(tf.ragged.constant([[7, 8, 9]]), sequence_length=4, vocabulary=vocabulary)["token_ids"]   # [[2, 7, 8, 3]]
    """
    second = first[:, :0] if second is None else second
    num_first, num_second = kept_lengths(first.row_lengths(), second.row_lengths(), sequence_length)
    num_first, num_second = num_first[:, None], num_second[:, None]  # [batch, 1]
    position = tf.range(sequence_length)[None]  # [1, length]
    first_end = num_first + 1  # where the first [SEP] stands
    end = first_end + tf.where(num_second > 0, num_second + 2, 1)  # after the last [SEP]

    token_ids = tf.where(position <= num_first, _pieces_at(first, position - 1, sequence_length),
                         _pieces_at(second, position - first_end - 1, sequence_length))
    token_ids = tf.where(position == 0, vocabulary.cls_id, token_ids)
    token_ids = tf.where((position == first_end) | (position == end - 1), vocabulary.sep_id, token_ids)
    token_ids = tf.where(position < end, token_ids, vocabulary.pad_id)
    return {"token_ids": token_ids,
            "segment_ids": tf.cast((position > first_end) & (position < end), tf.int32),
            "padding_mask": tf.cast(position < end, tf.int32)}


def _pieces_at(pieces, positions, sequence_length):
    """`pieces` at positions [batch or 1, length]; anything where a position lies outside."""
    dense = pieces.to_tensor(shape=[None, sequence_length])
    positions = tf.broadcast_to(tf.clip_by_value(positions, 0, sequence_length - 1), tf.shape(dense))
    return tf.gather(dense, positions, batch_dims=1)


def kept_lengths(num_first, num_second, sequence_length):
    """How many pieces of each text fit, int32 [batch]: closed form of "the longer one loses a piece until both fit"."""
    num_first, num_second = tf.cast(num_first, tf.int32), tf.cast(num_second, tf.int32)
    room = tf.where(num_second > 0, sequence_length - 3, sequence_length - 2)
    larger_half = tf.where(num_second > 0, (room + 1) // 2, room)
    kept_first = tf.minimum(num_first, tf.maximum(larger_half, room - num_second))
    return kept_first, tf.minimum(num_second, room - kept_first)


def _as_strings(texts):
    """A string tensor (or Keras' symbolic one, which passes); str, bytes, lists and arrays of these are converted."""
    if isinstance(texts, keras.KerasTensor) or tf.is_tensor(texts):
        return texts
    items = np.asarray(texts, dtype=object)
    for place, item in enumerate(items.flat):
        if not isinstance(item, (str, bytes)):
            raise InputError(f"texts: item {place} is {item!r}, expected a string; give strings [batch], or a tuple of "
                             f"two for pairs.")
    if items.ndim > 1:
        raise InputError(f"texts have shape {items.shape}, expected strings [batch]; give pairs as a tuple (first "
                         f"texts, second texts).")
    encoded = [item if isinstance(item, bytes) else item.encode("utf-8", errors="ignore") for item in items.flat]
    return tf.reshape(tf.constant(encoded, tf.string), items.shape)
