"""A tag for each word of a text: the hidden state of the word's first piece (or of all), one dense layer."""

import keras
import numpy as np
import tensorflow as tf

from electra_tf.config import FineTuningConfig, replace
from electra_tf.errors import InputError
from electra_tf.files import some_names
from electra_tf.model.encoder import ElectraEncoder, encoder_weights
from electra_tf.model.model_folder import assign_weights, load_model_folder, named_weights, save_model_folder
from electra_tf.tasks.tagging.options import LABEL_PIECES
from electra_tf.tasks.tagging.tag_schemes import OUTSIDE, SCHEMES, scheme_of_labels
from electra_tf.tasks.tagging.tagging_loss import WordAccuracy, tagging_losses
from electra_tf.tasks.tagging.text_tagger import TextTagger
from electra_tf.tasks.tagging.word_windows import piece_labels
from electra_tf.tasks.task_folder import require_task_folder
from electra_tf.tasks.text_batches import PieceLabels, evaluation_dataset, evaluation_order
from electra_tf.tasks.text_classification import checked_names
from electra_tf.tasks.text_task import TextTask
from electra_tf.text.preprocessor import TextPreprocessor
from electra_tf.text.tokenizer import Tokenizer


@keras.saving.register_keras_serializable(package="electra_tf")
class ElectraTokenClassifier(TextTask):
    """Tags the words of texts of any length: names, chunks, parts of speech. Takes lists of words, or plain texts.

    Called on a dictionary of token_ids, segment_ids and padding_mask it returns logits float32 [batch, length, labels].

    Args:
        encoder: ElectraEncoder.
        labels: tags, in the order of the logits.
        preprocessor: TextPreprocessor, whose vocabulary and sequence length are taken, or None for a model that only
            sees token ids.
        scheme: "IOB1", "IOB2", "BIOES", or "plain" for tags that stand for themselves; None tells it from the
            labels (IOB2 where they could be IOB1 as well).
        label_pieces: "first" learns and judges a word by its first piece, "all" by the mean over its pieces.
        stride: pieces from the start of a window to that of the next, for long texts; None for half a window.
        segment_id: segment of all pieces: 0, or 1 as in the original.
        empty_word_tag: tag of a word of which nothing is left once the text is cleaned; None takes O, else the first.

    >>> tagger = ElectraTokenClassifier.from_preset("tiny_en", labels=["O", "B-LOC", "I-LOC"])
    >>> tagger.fit([["She", "lives", "in", "Paris"]], [["O", "O", "O", "B-LOC"]])
    >>> tagger.predict(["He left Paris."])[0].spans   # (TaggedSpan('Paris', 8, 13, 'LOC', 0.7),)
    """

    KIND = "token_classifier"

    def __init__(self, encoder, *, labels, preprocessor=None, scheme=None, label_pieces="first", stride=None,
                 segment_id=0, empty_word_tag=None, name=KIND, **kwargs):
        super().__init__(name=name, **kwargs)
        self.labels = checked_names(labels, least=2)
        self.num_outputs, self.pairs = len(self.labels), False
        self.encoder, self.preprocessor = encoder, preprocessor
        self.scheme = scheme_of_labels(self.labels) if scheme is None else scheme
        self.label_pieces, self.stride, self.segment_id = label_pieces, stride, segment_id
        self.empty_word_tag = empty_word_tag or (OUTSIDE if OUTSIDE in self.labels else self.labels[0])
        self._check()
        self._tagger = TextTagger(
            None if preprocessor is None else Tokenizer(preprocessor.vocabulary), **self.head_settings(),
            sequence_length=None if preprocessor is None else preprocessor.sequence_length)
        self.classifier = keras.layers.Dense(
            len(self.labels), kernel_initializer="glorot_uniform", name="classifier", dtype=self.dtype_policy)
        self.classifier.build((None, None, encoder.config.hidden_size))
        self.built = True

    def _check(self):
        if self.scheme not in SCHEMES:
            raise InputError(f"scheme={self.scheme!r} is not known; choose one of {', '.join(SCHEMES)}.")
        if self.label_pieces not in LABEL_PIECES:
            raise InputError(f"label_pieces={self.label_pieces!r} is not known; choose one of "
                             f"{', '.join(LABEL_PIECES)}.")
        if self.segment_id not in (0, 1):
            raise InputError(f"segment_id={self.segment_id} must be 0 or 1.")
        if self.empty_word_tag not in self.labels:
            raise InputError(f"empty_word_tag={self.empty_word_tag!r} is none of the labels "
                             f"{some_names(self.labels)}.")
        if self.preprocessor is None:
            return
        length, longest = self.preprocessor.sequence_length, self.encoder.config.max_positions
        if length > longest:
            raise InputError(f"sequence_length={length} exceeds the model's max_positions={longest}.")
        if self.stride is not None and not 1 <= self.stride <= length - 2:
            raise InputError(f"stride={self.stride} must lie between 1 and {length - 2}, the pieces in one window.")

    def call(self, inputs, segment_ids=None, padding_mask=None, training=False, random=None):
        """Logits float32 [batch, length, labels]; arguments as ElectraEncoder. The head has no dropout."""
        hidden = self.encoder(inputs, segment_ids, padding_mask, training=training, random=random)
        return tf.cast(self.classifier(hidden), tf.float32)

    def losses(self, labels, logits):
        """Softmax cross-entropy of each row, the sum over its words, float32 [batch]."""
        return tagging_losses(logits, labels)

    def answers(self, logits):
        """Log-probabilities float32 [batch, length, labels]."""
        return tf.nn.log_softmax(logits)

    def served_outputs(self, logits):
        """What an export returns for logits: name -> tensor."""
        return {"probabilities": tf.nn.softmax(logits), "logits": logits}

    def default_metrics(self):
        return [WordAccuracy()]

    def encode(self, x):
        """EncodedWords of texts, or of lists of words, as for `fit`."""
        return self._tagger.encode(self._tagger.split(x))

    def label_numbers(self, y):
        """Tags by name, a list for each sentence -> int32 [words of all sentences].

        Raises:
            InputError: a tag that is none of the labels.
        """
        place_of, found = {label: place for place, label in enumerate(self.labels)}, []
        for sentence, tags in enumerate(y):
            for word, tag in enumerate(tags):
                if tag not in place_of:
                    raise InputError(f"sentence {sentence}, word {word}: tag {tag!r} is unknown; expected one of "
                                     f"{some_names(self.labels, most=20)}.")
                found.append(place_of[tag])
        return np.array(found, np.int32)

    def labels_for(self, encoded, y):
        """The labels that `fit` learns: PieceLabels int32 [windows, longest] for EncodedWords and their tags.

        Raises:
            InputError: not one tag for each word, or an unknown one.
        """
        lengths = [] if y is None else [len(tags) for tags in y]
        expected = np.diff(encoded.sentence_starts)
        if len(lengths) != len(expected):
            raise InputError(f"there are {len(expected)} sentences and {len(lengths)} lists of tags; give equally "
                             f"many.")
        for sentence, (tags, words) in enumerate(zip(lengths, expected, strict=True)):
            if tags != words:
                raise InputError(f"sentence {sentence} has {words} words and {tags} tags; give one tag for each word.")
        return PieceLabels(piece_labels(encoded, self.label_numbers(y or []), label_pieces=self.label_pieces))

    def predict(self, x, *, batch_size=64, **kwargs):
        """Tags texts.

        Args:
            x: list of str, split into words as the tokenizer does it; or list of lists of words, whose offsets are
                those in the words with one space between two. Or a tf.data.Dataset of features: then
                log-probabilities [rows, length, labels] come back.
            batch_size: rows at once.
            **kwargs: for a Dataset, as in Keras.

        Returns:
            List of TaggedText.

        >>> tagger.predict([["in", "Paris"]])[0].words[1].tag   # 'B-LOC'
        """
        if isinstance(x, tf.data.Dataset):
            return super().predict(x, **kwargs)
        sources = self._tagger.split(x)
        return self._tagger.tagged(sources, self.tag_encoded(self._tagger.encode(sources), batch_size=batch_size))

    def tag_encoded(self, encoded, *, batch_size=64):
        """The likeliest well-formed tags of EncodedWords.

        Returns:
            List of (tags, their probabilities) for each sentence; the probability of a word without pieces is None.
        """
        return self._tagger.tags(encoded, self.predict_encoded(encoded, batch_size=batch_size))

    def predict_encoded(self, encoded, *, batch_size=64, **kwargs):
        """Log-probabilities of the tags of EncodedWords: a list of float32 [words, labels], one for each sentence.

        A word without pieces has `empty_word_tag` for certain.
        """
        values = np.zeros([*encoded.token_ids.shape, len(self.labels)], np.float32)
        order = evaluation_order(encoded)
        for start, (features, _) in zip(range(0, len(order), batch_size),
                                        evaluation_dataset(encoded, batch_size=batch_size)):
            rows = order[start:start + batch_size]
            answers = self.predict_on_batch(features)[:len(rows)]
            values[rows, :answers.shape[1]] = answers
        return self._tagger.word_scores(encoded, values)

    def weights_by_name(self):
        """Name -> variable: the encoder's under "encoder/", the head's under "classifier/"."""
        return {**encoder_weights(self.encoder), **named_weights(self.classifier, prefix="classifier/")}

    def head_settings(self):
        return {"labels": list(self.labels), "scheme": self.scheme, "label_pieces": self.label_pieces,
                "stride": self.stride, "segment_id": self.segment_id, "empty_word_tag": self.empty_word_tag}

    def save_to_preset(self, folder):
        """Writes a model folder: weights, architecture, labels, vocabulary. Never over other work.

        >>> tagger.save_to_preset("names")
        """
        if self.preprocessor is None:
            raise InputError("this tagger has no vocabulary; a model folder needs one.")
        save_model_folder(
            folder, kind=self.KIND, config=self.encoder.config, weights=self.stored_weights(),
            vocabulary=self.preprocessor.vocabulary, extra=self.stored_settings())

    def stored_settings(self):
        return {**super().stored_settings(), "dropout": self.encoder.config.hidden_dropout}

    @classmethod
    def from_preset(cls, folder, *, labels=None, scheme=None, sequence_length=None, label_pieces=None, stride=None,
                    segment_id=None, empty_word_tag=None, dropout=None, load_weights=True, dtype=None):
        """A tagger from a model folder of any kind, or from a model that ships with the package.

        Without labels, the folder must hold a tagger (ours, or a converted one), which is loaded whole; with labels,
        the encoder is loaded and the head is new.

        Args:
            folder: path of a model folder, or a shipped name ("tiny_en").
            labels: tags of the new head, in the order of the logits.
            scheme, label_pieces, stride, segment_id, empty_word_tag: as for the class; None takes the folder's, else
                the usual.
            sequence_length: pieces of the longest input; None takes the folder's, else 128 or what the model can.
            dropout: rate of the encoder; None takes the folder's, else 0.1.
            load_weights: False leaves all weights new: architecture and vocabulary alone are taken.
            dtype: Keras dtype policy, such as "mixed_bfloat16".

        Raises:
            InputError: no such folder, no vocabulary in it, a generator, or weights that do not fit.

        >>> tagger = ElectraTokenClassifier.from_preset("tiny_en", labels=["O", "B-LOC", "I-LOC"], sequence_length=64)
        """
        return cls.from_saved(
            load_model_folder(folder), labels=labels, scheme=scheme, sequence_length=sequence_length,
            label_pieces=label_pieces, stride=stride, segment_id=segment_id, empty_word_tag=empty_word_tag,
            dropout=dropout, load_weights=load_weights, dtype=dtype)

    @classmethod
    def from_saved(cls, saved, *, labels=None, dropout=None, load_weights=True, dtype=None, **settings):
        """As `from_preset`, for a ModelFolder that was read."""
        has_new_head = labels is not None
        require_task_folder(saved, kind=cls.KIND, has_new_head=has_new_head, head_setting="labels")
        given = {"labels": labels, "dropout": dropout, **settings}
        values = _stored_settings(saved, cls.KIND, has_new_head)
        values |= {name: value for name, value in given.items() if value is not None}
        dropout = values.pop("dropout")
        config = replace(saved.config, hidden_dropout=dropout, attention_dropout=dropout)
        tagger = cls(ElectraEncoder(config, dtype=dtype), dtype=dtype,
                     preprocessor=TextPreprocessor(saved.vocabulary, values.pop("sequence_length")), **values)
        if load_weights:
            # What is not the encoder's belongs to pretraining or to an earlier task.
            assign_weights(tagger.weights_by_name(), saved.encoder_weights() if has_new_head else saved.weights,
                           new=("classifier/",) if has_new_head else ())
        return tagger


def _stored_settings(saved, kind, has_new_head):
    """What a folder of this kind says about its tagger; the usual values for any other folder."""
    usual = FineTuningConfig()
    values = {"sequence_length": min(usual.sequence_length, saved.config.max_positions), "dropout": usual.dropout}
    if saved.kind != kind:
        return values
    # A tagger that was converted from the original has a task, and was trained with all pieces in segment 1.
    stored = {"segment_id": int("task" in saved.extra), **saved.extra}
    stored.pop("task", None)
    if has_new_head:
        for name in ("labels", "scheme", "empty_word_tag"):
            stored.pop(name, None)
    return values | stored
