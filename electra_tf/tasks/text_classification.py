"""One label for a text or a pair of texts."""

import keras
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.tasks.first_token_task import FirstTokenTask
from electra_tf.tasks.labels import label_numbers


@keras.saving.register_keras_serializable(package="electra_tf")
class ElectraTextClassifier(FirstTokenTask):
    """Classifies texts, or pairs of texts. `fit`, `evaluate` and `predict` take Python lists of str.

    Called on a dictionary of token_ids, segment_ids and padding_mask it returns logits float32 [batch, labels].

    Args:
        encoder: ElectraEncoder.
        labels: names, in the order of the logits.
        **kwargs: preprocessor, pairs, dropout, head_hidden_layer: see FirstTokenTask.

    >>> classifier = ElectraTextClassifier.from_preset("tiny_en", labels=["neg", "pos"])
    >>> classifier.fit(["a fine film", "a bore"], ["pos", "neg"])
    >>> classifier.predict(["not bad at all"])   # probabilities, [[0.2, 0.8]]
    """

    KIND = "text_classifier"
    HEAD_SETTINGS = ("labels",)

    def __init__(self, encoder, *, labels, **kwargs):
        labels = checked_names(labels, least=2)
        super().__init__(encoder, num_outputs=len(labels), **kwargs)
        self.labels = labels

    def label_numbers(self, y):
        """Labels by name or number -> int32 [examples]."""
        return label_numbers(y, self.labels)

    def losses(self, labels, logits):
        """Softmax cross-entropy of each example, float32 [batch]."""
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)

    def answers(self, logits):
        """Probabilities float32 [batch, labels]."""
        return tf.nn.softmax(logits)

    def served_outputs(self, logits):
        """What an export returns for logits: name -> tensor."""
        return {"labels": tf.gather(tf.constant(self.labels), tf.argmax(logits, axis=1)),
                "probabilities": self.answers(logits), "logits": logits}

    def default_metrics(self):
        return [keras.metrics.SparseCategoricalAccuracy("accuracy")]

    @classmethod
    def from_preset(cls, folder, *, labels=None, num_classes=None, **kwargs):
        """A classifier from a model folder of any kind, or from a model that ships with the package.

        Without labels, the folder must hold a text classifier, which is loaded whole; with labels (or their number),
        the encoder is loaded and the head is new.

        Args:
            folder: path of a model folder, or a shipped name ("tiny_en").
            labels: names of the labels, in the order of the logits.
            num_classes: their number, for labels "0", "1", ...
            **kwargs: sequence_length, pairs, dropout, head_hidden_layer, load_weights, dtype: see
                FirstTokenTask.from_folder.

        Raises:
            InputError: no such folder, no vocabulary in it, a generator, or weights that do not fit.

        >>> classifier = ElectraTextClassifier.from_preset("tiny_en", labels=["neg", "pos"], sequence_length=64)
        """
        if labels is None and num_classes is not None:
            labels = range(num_classes)
        return cls.from_folder(folder, new_head=None if labels is None else {"labels": labels}, **kwargs)


def checked_names(labels, *, least):
    """Labels as a tuple of str.

    Raises:
        InputError: fewer than `least`, or one twice.
    """
    labels = tuple(map(str, labels))
    if len(labels) < least or len(set(labels)) < len(labels):
        count = {1: "one", 2: "two"}[least]
        raise InputError(f"labels={list(labels)}: a classifier needs {count} or more names, each once.")
    return labels
