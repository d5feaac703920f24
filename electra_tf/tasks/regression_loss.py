"""A number for each text: the original's loss for similarity scores."""

import tensorflow as tf


def scaled_targets(values, *, lowest, highest):
    """Scores as the network learns them, between 0 and 1.

    >>> scaled_targets([0.0, 2.5, 5.0], lowest=0.0, highest=5.0)   # [0.0, 0.5, 1.0]
    """
    return (tf.cast(values, tf.float32) - lowest) / (highest - lowest)


def regression_losses(outputs, targets):
    """Squared error of each example, as in the original: the output is neither squashed nor rescaled.

    Args:
        outputs: float [batch].
        targets: float [batch], see `scaled_targets`.

    Returns:
        float32 [batch].

    >>> regression_losses(tf.constant([0.5]), tf.constant([0.0]))   # [0.25]
    """
    return tf.square(tf.cast(outputs, tf.float32) - tf.cast(targets, tf.float32))
