"""A label for each word: the original's loss for tagging."""

import tensorflow as tf


def word_states(hidden, positions):
    """The hidden state of each word's first piece.

    Args:
        hidden: float [batch, length, width].
        positions: int32 [batch, words], place of each word's first piece.

    Returns:
        float [batch, words, width].
    """
    return tf.gather(hidden, positions, batch_dims=1)


def tagging_losses(logits, labels, *, is_word):
    """Softmax cross-entropy of each example: the sum over its words, as in the original.

    Args:
        logits: float [batch, words, labels].
        labels: int32 [batch, words].
        is_word: bool or 0/1 [batch, words], false in the unused places of a short sentence.

    Returns:
        float32 [batch].

    >>> tagging_losses(tf.zeros([1, 2, 4]), tf.constant([[3, 0]]), is_word=[[True, False]])   # [1.386], ln 4
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=tf.cast(logits, tf.float32))
    return tf.reduce_sum(losses * tf.cast(is_word, tf.float32), axis=-1)
