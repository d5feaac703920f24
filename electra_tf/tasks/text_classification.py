"""One label for a text or a pair of texts: the first token's hidden state, dropout, one dense layer or two."""

import keras
import tensorflow as tf

from electra_tf.config import FineTuningConfig, replace
from electra_tf.errors import InputError
from electra_tf.model.encoder import STREAMS_PER_NETWORK, ElectraEncoder, encoder_weights
from electra_tf.model.layers import Dropout, gelu
from electra_tf.model.model_folder import assign_weights, load_model_folder, named_weights, save_model_folder
from electra_tf.tasks.labels import label_numbers
from electra_tf.tasks.text_task import TextTask
from electra_tf.text.preprocessor import TextPreprocessor

# Dropout of the head draws behind the streams of a discriminator and a generator.
_HEAD_STREAM = 2 * STREAMS_PER_NETWORK


class ElectraTextClassifier(TextTask):
    """Classifies texts, or pairs of texts. `fit`, `evaluate` and `predict` take Python lists of str.

    Called on a dictionary of token_ids, segment_ids and padding_mask it returns logits float32 [batch, labels].

    Args:
        encoder: ElectraEncoder.
        labels: names, in the order of the logits.
        preprocessor: TextPreprocessor, or None for a model that only sees token ids.
        pairs: whether it takes pairs of texts.
        dropout: dropout rate of the head.
        head_hidden_layer: whether a dense layer as wide as the encoder with exact GELU and dropout comes before the
            labels', as in Hugging Face's head; the original has none.

    >>> classifier = ElectraTextClassifier.from_preset("tiny_en", labels=["neg", "pos"])
    >>> classifier.fit(["a fine film", "a bore"], ["pos", "neg"])
    >>> classifier.predict(["not bad at all"])   # probabilities, [[0.2, 0.8]]
    """

    KIND = "text_classifier"

    def __init__(self, encoder, *, labels, preprocessor=None, pairs=False, dropout=0.1, head_hidden_layer=False,
                 name=KIND, **kwargs):
        super().__init__(name=name, **kwargs)
        self.labels = _checked_names(labels)
        self.num_outputs = len(self.labels)
        self.encoder, self.preprocessor, self.pairs = encoder, preprocessor, pairs
        if preprocessor is not None and preprocessor.sequence_length > encoder.config.max_positions:
            raise InputError(f"sequence_length={preprocessor.sequence_length} exceeds the model's "
                             f"max_positions={encoder.config.max_positions}.")
        self.dropout = Dropout(dropout, stream=_HEAD_STREAM, name="dropout", dtype=self.dtype_policy)
        self.hidden_layer = None
        if head_hidden_layer:
            self.hidden_layer = keras.layers.Dense(encoder.config.hidden_size, kernel_initializer="glorot_uniform",
                                                   name="classifier_hidden", dtype=self.dtype_policy)
            self.hidden_layer.build((None, encoder.config.hidden_size))
            self.hidden_dropout = Dropout(
                dropout, stream=_HEAD_STREAM + 1, name="hidden_dropout", dtype=self.dtype_policy)
        self.classifier = keras.layers.Dense(
            len(self.labels), kernel_initializer="glorot_uniform", name="classifier", dtype=self.dtype_policy)
        self.classifier.build((None, encoder.config.hidden_size))
        self.built = True

    def call(self, inputs, segment_ids=None, padding_mask=None, training=False, random=None):
        """Logits float32 [batch, labels]; arguments as ElectraEncoder."""
        hidden = self.encoder(inputs, segment_ids, padding_mask, training=training, random=random)
        first = self.dropout(hidden[:, 0], training=training, random=random)
        if self.hidden_layer is not None:
            first = self.hidden_dropout(gelu(self.hidden_layer(first)), training=training, random=random)
        return tf.cast(self.classifier(first), tf.float32)

    def label_numbers(self, y):
        """Labels by name or number -> int32 [examples]."""
        return label_numbers(y, self.labels)

    def losses(self, labels, logits):
        """Softmax cross-entropy of each example, float32 [batch]."""
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)

    def answers(self, logits):
        """Probabilities float32 [batch, labels]."""
        return tf.nn.softmax(logits)

    def default_metrics(self):
        return [keras.metrics.SparseCategoricalAccuracy("accuracy")]

    def weights_by_name(self):
        """Name -> variable: the encoder's under "encoder/", the head's under "classifier/" and "classifier_hidden/"."""
        hidden = {} if self.hidden_layer is None else named_weights(self.hidden_layer, prefix="classifier_hidden/")
        return {**encoder_weights(self.encoder), **hidden, **named_weights(self.classifier, prefix="classifier/")}

    def save_to_preset(self, folder):
        """Writes a model folder: weights, architecture, labels, vocabulary. Never over other work.

        >>> classifier.save_to_preset("sentiment")
        """
        if self.preprocessor is None:
            raise InputError("this classifier has no vocabulary; a model folder needs one.")
        save_model_folder(
            folder, kind=self.KIND, config=self.encoder.config, weights=self.weights_by_name(),
            vocabulary=self.preprocessor.vocabulary,
            extra={"labels": list(self.labels), "pairs": self.pairs, "dropout": self.dropout.rate,
                   "head_hidden_layer": self.hidden_layer is not None,
                   "sequence_length": self.preprocessor.sequence_length})

    @classmethod
    def from_preset(cls, folder, *, labels=None, num_classes=None, sequence_length=None, pairs=None, dropout=None,
                    head_hidden_layer=None, load_weights=True, dtype=None):
        """A classifier from a model folder of any kind, or from a model that ships with the package.

        Without labels, the folder must hold a text classifier, which is loaded whole; with labels (or their number),
        the encoder is loaded and the head is new.

        Args:
            folder: path of a model folder, or a shipped name ("tiny_en").
            labels: names of the labels, in the order of the logits.
            num_classes: their number, for labels "0", "1", ...
            sequence_length: pieces of the longest input; None takes the folder's, else 128 or what the model can.
            pairs: whether it takes pairs of texts; None takes the folder's, else False.
            dropout: rate of encoder and head; None takes the folder's, else 0.1.
            head_hidden_layer: whether the head has a hidden layer; None takes the folder's classifier, else False.
            load_weights: False leaves all weights new: architecture and vocabulary alone are taken.
            dtype: Keras dtype policy, such as "mixed_bfloat16".

        Raises:
            InputError: no such folder, no vocabulary in it, a generator, or weights that do not fit.

        >>> classifier = ElectraTextClassifier.from_preset("tiny_en", labels=["neg", "pos"], sequence_length=64)
        """
        saved = load_model_folder(folder)
        if saved.vocabulary is None:
            raise InputError(f"{folder} has no vocabulary; a text classifier needs one.")
        if saved.kind == "generator":
            raise InputError(f"{folder} holds a model of kind 'generator', which only proposes words for the "
                             f"discriminator and is left behind after pretraining; give the discriminator of that run.")
        if labels is None and num_classes is not None:
            labels = range(num_classes)
        has_new_head = labels is not None
        if not has_new_head and saved.kind != cls.KIND:
            raise InputError(f"{folder} holds a model of kind {saved.kind!r}; give the labels of the new classifier.")
        stored = _stored_settings(saved, cls.KIND)
        dropout = stored["dropout"] if dropout is None else dropout
        config = replace(saved.config, hidden_dropout=dropout, attention_dropout=dropout)
        classifier = cls(
            ElectraEncoder(config, dtype=dtype), labels=labels if has_new_head else stored["labels"], dropout=dropout,
            preprocessor=TextPreprocessor(saved.vocabulary, sequence_length or stored["sequence_length"]),
            pairs=stored["pairs"] if pairs is None else pairs, dtype=dtype,
            head_hidden_layer=stored["head_hidden_layer"] if head_hidden_layer is None else head_hidden_layer)
        if load_weights:
            # What is not the encoder's belongs to pretraining or to an earlier task.
            assign_weights(classifier.weights_by_name(),
                           saved.encoder_weights() if has_new_head else saved.weights,
                           new=("classifier/", "classifier_hidden/") if has_new_head else ())
        return classifier


def _stored_settings(saved, kind):
    """What a folder of this kind says about its classifier; the usual values for any other folder."""
    usual = FineTuningConfig()
    return {"sequence_length": min(usual.sequence_length, saved.config.max_positions), "pairs": False,
            "dropout": usual.dropout, "head_hidden_layer": False,
            **(saved.extra if saved.kind == kind else {})}


def _checked_names(labels):
    labels = tuple(map(str, labels))
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise InputError(f"labels={list(labels)}: a classifier needs two or more names, each once.")
    return labels
