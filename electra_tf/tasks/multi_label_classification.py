"""Any number of labels for a text or a pair of texts: one yes or no for each."""

import keras
import numpy as np
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.files import some_names
from electra_tf.tasks.first_token_task import FirstTokenTask
from electra_tf.tasks.text_classification import checked_names


@keras.saving.register_keras_serializable(package="electra_tf")
class ElectraMultiLabelClassifier(FirstTokenTask):
    """Says of each label whether it holds. `fit`, `evaluate` and `predict` take Python lists of str.

    Called on a dictionary of token_ids, segment_ids and padding_mask it returns logits float32 [batch, labels].

    Args:
        encoder: ElectraEncoder.
        labels: names, in the order of the logits.
        **kwargs: preprocessor, pairs, dropout, head_hidden_layer: see FirstTokenTask.

    >>> classifier = ElectraMultiLabelClassifier.from_preset("tiny_en", labels=["sport", "politics"])
    >>> classifier.fit(["the vote was lost", "a fine match"], [["politics"], ["sport"]])
    >>> classifier.predict(["the senator plays golf"])   # probability of each label, [[0.6, 0.7]]
    """

    KIND = "text_multilabel_classifier"
    HEAD_SETTINGS = ("labels",)

    def __init__(self, encoder, *, labels, **kwargs):
        labels = checked_names(labels, least=1)
        super().__init__(encoder, num_outputs=len(labels), **kwargs)
        self.labels = labels

    def label_numbers(self, y):
        """A collection of names for each example -> float32 [examples, labels] of 0 and 1."""
        return label_table(y, self.labels)

    def losses(self, labels, logits):
        """Sigmoid cross-entropy of each example, the mean over its labels, float32 [batch]."""
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits), axis=-1)

    def answers(self, logits):
        """The probability of each label, float32 [batch, labels]."""
        return tf.nn.sigmoid(logits)

    def served_outputs(self, logits):
        """What an export returns for logits: name -> tensor."""
        return {"probabilities": self.answers(logits), "logits": logits}

    def default_metrics(self):
        return [keras.metrics.BinaryAccuracy("accuracy", threshold=0.0)]

    @classmethod
    def from_preset(cls, folder, *, labels=None, **kwargs):
        """A classifier from a model folder of any kind, or from a model that ships with the package.

        Args:
            folder: path of a model folder, or a shipped name ("tiny_en").
            labels: names of the labels of a new head; None loads a multi-label classifier whole.
            **kwargs: see FirstTokenTask.from_folder.

        >>> classifier = ElectraMultiLabelClassifier.from_preset("tiny_en", labels=["sport", "politics"])
        """
        return cls.from_folder(folder, new_head=None if labels is None else {"labels": labels}, **kwargs)


def label_table(values, names, *, where="labels, example {}".format):
    """Which labels each example has.

    Args:
        values: a collection of names for each example.
        names: all labels.
        where: function of an example's place that says where it stands, for the error.

    Returns:
        float32 numpy array [examples, labels] of 0 and 1.

    Raises:
        InputError: a label that is not among the names.

    >>> label_table([["b"], []], ["a", "b"])   # [[0, 1], [0, 0]]
    """
    place_of = {name: place for place, name in enumerate(names)}
    table = np.zeros((len(values), len(names)), np.float32)
    for row, labels in enumerate(values):
        if isinstance(labels, str):
            raise InputError(f"{where(row)}: {labels!r} is one string; give a list of labels.")
        for label in labels:
            if label not in place_of:
                raise InputError(f"{where(row)}: label {label!r} is unknown; expected one of "
                                 f"{some_names(names, most=20)}.")
            table[row, place_of[label]] = 1
    return table
