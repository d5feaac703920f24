"""The best of several endings of a text: each is scored with the text, and a softmax goes over them."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.model.encoder import unpack_inputs
from electra_tf.objective.random_bits import RandomSource
from electra_tf.tasks.first_token_task import FirstTokenTask
from electra_tf.tasks.long_texts import real_windows, windows_of, with_windows
from electra_tf.tasks.options import FIRST, TRUNCATE
from electra_tf.tasks.text_batches import FEATURES, EncodedTexts, rows_of_ids, text_columns
from electra_tf.text.tokenizer import Tokenizer


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


def encode_choices(tokenizer, x, *, num_choices, sequence_length, long_text=TRUNCATE, stride=None):
    """Texts with all their endings.

    Args:
        tokenizer: Tokenizer.
        x: list of (text, endings).
        num_choices: how many endings each text must have; None for equally many.
        sequence_length: pieces of a row at most, text and ending together.
        long_text, stride: as of FirstTokenTask; see `context_windows`.

    Returns:
        EncodedChoices; EncodedWindows of them where a text has several windows.

    Raises:
        InputError: another number of endings, or something that is no string.

    >>> encode_choices(tokenizer, [("the glass fell", ("it broke", "it sang"))], num_choices=2,
    ...                sequence_length=128).choice_lengths   # [[8, 8]]
    """
    counts = {len(endings) for _, endings in x}
    expected = {num_choices} if num_choices else counts
    if counts - expected or len(counts) > 1:
        usual = num_choices or len(x[0][1])
        place, count = next((place, len(endings)) for place, (_, endings) in enumerate(x) if len(endings) != usual)
        expected = f"{num_choices} for each, the model's num_choices" if num_choices else "equally many for each"
        raise InputError(f"texts have {', '.join(map(str, sorted(counts)))} endings; expected {expected}; "
                         f"texts[{place}] has {count}.")
    choices = counts.pop() if counts else num_choices or 2
    texts, endings = text_columns(([text for text, endings in x for _ in endings],
                                   [ending for _, endings in x for ending in endings]), pairs=True)
    ids, ids_of_endings = (list(map(tokenizer.ids, column)) for column in (texts[::choices], endings))
    parts, seconds, windows = [], [], []
    for place, text in enumerate(ids):
        own = ids_of_endings[place * choices:(place + 1) * choices]
        cut = [text] if long_text == TRUNCATE else context_windows(
            text, longest_ending=max(map(len, own)), sequence_length=sequence_length, stride=stride)
        windows.append(len(cut))
        for window in cut:
            parts += [window] * choices
            seconds += own
    flat = rows_of_ids(parts, seconds, sequence_length=sequence_length, vocabulary=tokenizer.vocabulary)
    lengths = flat.lengths.reshape(-1, choices)
    shape = (len(lengths), choices, flat.token_ids.shape[1])
    return with_windows(
        EncodedChoices(flat.token_ids.reshape(shape), flat.segment_ids.reshape(shape), lengths.max(axis=1, initial=0),
                       lengths), windows, answers_from_first=long_text == FIRST)


def context_windows(ids, *, longest_ending, sequence_length, stride=None):
    """The pieces of a text, cut into windows that overlap, so that each fits into a row with every ending.

    Args:
        ids: list of int, the text.
        longest_ending: pieces of its longest ending; of an ending, at most half of a row is kept.
        sequence_length: pieces of a row.
        stride: pieces from the start of one window to that of the next, at most a whole window; None takes three
            quarters of a window.

    Returns:
        List of lists of int: one for a text that fits.

    >>> context_windows(list(range(9)), longest_ending=2, sequence_length=11, stride=None)   # [[0 ... 5], [5 ... 8]]
    """
    room = max(sequence_length - 3 - longest_ending, (sequence_length - 2) // 2, 1)
    step = max(min(stride or -(-3 * room // 4), room), 1)
    count = 1 + -(-max(len(ids) - room, 0) // step)
    return [ids[start:start + room] for start in range(0, count * step, step)]


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
        **kwargs: preprocessor, dropout, long_text, stride: see FirstTokenTask. Of a long text there are windows, each
            seen with every ending.

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
        super().__init__(encoder, num_outputs=1, **{**kwargs, "pairs": True, "head_hidden_layer": True})
        self.num_choices = num_choices
        self.tokenizer = None if self.preprocessor is None else Tokenizer(self.preprocessor.vocabulary)

    def call(self, inputs, segment_ids=None, padding_mask=None, training=False, random=None):
        """Logits float32 [batch, choices].

        Outside training, texts may also be given with all their windows, [batch, windows, choices, length].
        """
        features = unpack_inputs(inputs, segment_ids, padding_mask)
        shape = tf.shape(features[0])
        if features[0].shape.rank > self.feature_rank:
            return self.window_outputs(*real_windows(features), num_texts=shape[0])
        flat = {name: tf.reshape(values, [shape[0] * shape[1], shape[2]])
                for name, values in zip(FEATURES, features, strict=True)}
        if random is not None:  # every choice draws its own dropout
            choices = tf.cast(shape[1], tf.int64)
            example = random.example_index[:, None] * choices + tf.range(choices)
            random = RandomSource(random.seed, tf.reshape(example, [-1]))
        return tf.reshape(super().call(flat, training=training, random=random), shape[:2])

    def encode(self, x):
        """EncodedChoices of a list of (text, endings), or EncodedWindows of them where texts are long."""
        if self.tokenizer is None:
            raise InputError("this model has no vocabulary; give it token ids in a tf.data.Dataset.")
        return encode_choices(self.tokenizer, x, num_choices=self.num_choices, long_text=self.long_text,
                              sequence_length=self.preprocessor.sequence_length, stride=self.stride)

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
        return windows_of(encoded)[0].token_ids.shape[1]

    def default_metrics(self):
        return [keras.metrics.SparseCategoricalAccuracy("accuracy")]

    @classmethod
    def from_preset(cls, folder, *, num_choices=None, **kwargs):
        """A model from a folder of any kind, or from a model that ships with the package.

        Args:
            folder: path of a model folder, or a shipped name ("tiny_en").
            num_choices: how many endings a text has, for a new head; None loads a multiple choice model whole.
            **kwargs: sequence_length, dropout, long_text, stride, load_weights, dtype: see FirstTokenTask.from_folder.

        >>> model = ElectraMultipleChoice.from_preset("tiny_en", num_choices=4)
        """
        new_head = None if num_choices is None else {"num_choices": num_choices}
        return cls.from_folder(folder, new_head=new_head, **kwargs)
