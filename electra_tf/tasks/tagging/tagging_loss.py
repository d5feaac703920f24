"""A tag for each word: the original's loss for tagging, and how many words are right."""

import keras
import tensorflow as tf

# The label of a piece that is asked for nothing: a special piece, the rest of a word, padding.
NOT_ASKED = -1


def tagging_losses(logits, labels):
    """Softmax cross-entropy of each example: the sum over its words, as in the original.

    Args:
        logits: float [batch, length, labels].
        labels: int32 [batch, length], NOT_ASKED (-1) where a piece is asked for nothing.

    Returns:
        float32 [batch].

    >>> tagging_losses(tf.zeros([1, 2, 4]), tf.constant([[3, NOT_ASKED]]))   # [1.386], ln 4
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.maximum(labels, 0), logits=tf.cast(logits, tf.float32))
    return tf.reduce_sum(losses * tf.cast(labels != NOT_ASKED, tf.float32), axis=-1)


@keras.saving.register_keras_serializable(package="electra_tf")
class WordAccuracy(keras.metrics.Mean):
    """Share of the asked pieces whose likeliest label is their own, each piece with the weight of its example.

    >>> WordAccuracy()(tf.constant([[1, NOT_ASKED]]), tf.constant([[[0.0, 1.0], [0.0, 1.0]]]))   # 1.0
    """

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """
        Args:
            y_true: int32 [batch, length], labels of `tagging_losses`.
            y_pred: float [batch, length, labels].
            sample_weight: float [batch] or None.
        """
        labels = tf.cast(y_true, tf.int32)
        is_asked = tf.cast(labels != NOT_ASKED, tf.float32)
        weights = is_asked if sample_weight is None else is_asked * tf.cast(sample_weight, tf.float32)[:, None]
        hits = tf.cast(tf.argmax(y_pred, axis=-1, output_type=tf.int32) == labels, tf.float32)
        super().update_state(hits, sample_weight=weights)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}
