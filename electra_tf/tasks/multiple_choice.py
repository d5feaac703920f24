"""The best of several endings of a text: each is scored with the text, and a softmax goes over them."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.model.encoder import unpack_inputs
from electra_tf.objective.random_bits import RandomSource
from electra_tf.tasks.first_token_task import FirstTokenTask
from electra_tf.tasks.options import TRUNCATE
from electra_tf.tasks.text_batches import FEATURES, EncodedTexts, encode_texts


@dataclasses.dataclass(frozen=True)
class EncodedChoices(EncodedTexts):
    """Texts, each with every choice.

    Attributes:
        token_ids, segment_ids: int32 [texts, choices, longest].
        lengths: int32 [texts], real pieces of the longest choice.
        choice_lengths: int32 [texts, choices].
    """

    choice_lengths: np.ndarray = None
    feature_rank = 3

    def batch(self, rows, *, batch_size):
        """As of EncodedTexts: int32 [batch_size, choices, length]."""
        length = self.batch_length(rows)
        shape = (batch_size, self.token_ids.shape[1], length)
        features = {name: np.zeros(shape, np.int32) for name in FEATURES}
        features["token_ids"][:len(rows)] = self.token_ids[rows, :, :length]
        features["segment_ids"][:len(rows)] = self.segment_ids[rows, :, :length]
        features["padding_mask"][:len(rows)] = np.arange(length) < self.choice_lengths[rows, :, None]
        return features


@dataclasses.dataclass(frozen=True)
class Choice:
    """The answer for one text: endings[place], and the probability of each ending."""

    place: int
    ending: str
    probabilities: tuple


def encode_choices(encode, x, *, num_choices):
    """Texts with all their endings.

    Args:
        encode: function of columns (texts, endings), lists of str -> EncodedTexts.
        x: list of (text, endings).
        num_choices: how many endings each text must have; None for equally many.

    Returns:
        EncodedChoices.

    Raises:
        InputError: another number of endings.

    >>> encode_choices(encode, [("the glass fell", ("it broke", "it sang"))], num_choices=2).choice_lengths   # [[7, 7]]
    """
    counts = {len(endings) for _, endings in x}
    expected = {num_choices} if num_choices else counts
    if counts - expected or len(counts) > 1:
        raise InputError(f"texts have {', '.join(map(str, sorted(counts)))} endings; expected "
                         f"{num_choices or 'equally many'} for each.")
    choices = counts.pop() if counts else num_choices or 2
    flat = encode(([text for text, endings in x for _ in endings], [ending for _, endings in x for ending in endings]))
    lengths = flat.lengths.reshape(-1, choices)
    shape = (len(lengths), choices, flat.token_ids.shape[1])
    return EncodedChoices(flat.token_ids.reshape(shape), flat.segment_ids.reshape(shape),
                          lengths.max(axis=1, initial=0), lengths)


def best_choices(x, probabilities):
    """A Choice for each (text, endings), from float [texts, choices].

    >>> best_choices([("the glass fell", ("it broke", "it sang"))], [[0.9, 0.1]])[0].ending   # 'it broke'
    """
    return [Choice(place := int(np.argmax(shares)), endings[place], tuple(map(float, shares)))
            for (_, endings), shares in zip(x, probabilities, strict=True)]


@keras.saving.register_keras_serializable(package="electra_tf")
class ElectraMultipleChoice(FirstTokenTask):
    """Chooses the ending that fits a text best.

    Called on a dictionary of token_ids, segment_ids and padding_mask [batch, choices, length] it returns logits float32
    [batch, choices]. The head has a hidden layer as in Hugging Face; the original has no such task.

    Args:
        encoder: ElectraEncoder.
        num_choices: how many endings each text has.
        **kwargs: preprocessor, dropout: see FirstTokenTask.

    >>> model = ElectraMultipleChoice.from_preset("tiny_en", num_choices=2)
    >>> model.fit([("the glass fell", ("it broke", "it sang"))], [0])
    >>> model.predict([("the bird woke", ("it broke", "it sang"))])   # probability of each ending, [[0.3, 0.7]]
    """

    KIND = "multiple_choice"
    HEAD_SETTINGS = ("num_choices",)
    feature_rank = EncodedChoices.feature_rank

    def __init__(self, encoder, *, num_choices=None, **kwargs):
        if num_choices is not None and num_choices < 2:
            raise InputError(f"num_choices={num_choices} must be 2 or more.")
        if kwargs.get("long_text", TRUNCATE) != TRUNCATE:
            raise InputError(f"long_text={kwargs['long_text']!r}: multiple choice cuts long texts; leave it out.")
        super().__init__(encoder, num_outputs=1, **{**kwargs, "pairs": True, "head_hidden_layer": True})
        self.num_choices = num_choices

    def call(self, inputs, segment_ids=None, padding_mask=None, training=False, random=None):
        """Logits float32 [batch, choices]."""
        features = unpack_inputs(inputs, segment_ids, padding_mask)
        shape = tf.shape(features[0])
        flat = {name: tf.reshape(values, [shape[0] * shape[1], shape[2]])
                for name, values in zip(FEATURES, features, strict=True)}
        if random is not None:  # every choice draws its own dropout
            choices = tf.cast(shape[1], tf.int64)
            example = random.example_index[:, None] * choices + tf.range(choices)
            random = RandomSource(random.seed, tf.reshape(example, [-1]))
        return tf.reshape(super().call(flat, training=training, random=random), shape[:2])

    def encode(self, x):
        """EncodedChoices of a list of (text, endings)."""
        if self.preprocessor is None:
            raise InputError("this model has no vocabulary; give it token ids in a tf.data.Dataset.")
        return encode_choices(lambda columns: encode_texts(self.preprocessor, columns), x,
                              num_choices=self.num_choices)

    def label_numbers(self, y):
        """The place of the right ending, int32 [examples]."""
        return np.asarray(y, np.int32)

    def losses(self, labels, logits):
        """Softmax cross-entropy of each example, float32 [batch]."""
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)

    def answers(self, logits):
        """The probability of each ending, float32 [batch, choices]."""
        return tf.nn.softmax(logits)

    def served_outputs(self, logits):
        """What an export returns for logits: name -> tensor."""
        return {"probabilities": self.answers(logits), "logits": logits}

    def answer_width(self, encoded):
        return encoded.token_ids.shape[1]

    def default_metrics(self):
        return [keras.metrics.SparseCategoricalAccuracy("accuracy")]

    @classmethod
    def from_preset(cls, folder, *, num_choices=None, **kwargs):
        """A model from a folder of any kind, or from a model that ships with the package.

        Args:
            folder: path of a model folder, or a shipped name ("tiny_en").
            num_choices: how many endings a text has, for a new head; None loads a multiple choice model whole.
            **kwargs: sequence_length, dropout, load_weights, dtype: see FirstTokenTask.from_folder.

        >>> model = ElectraMultipleChoice.from_preset("tiny_en", num_choices=4)
        """
        new_head = None if num_choices is None else {"num_choices": num_choices}
        return cls.from_folder(folder, new_head=new_head, **kwargs)
