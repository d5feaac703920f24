"""The two losses, each as (sum, weight), so that replicas and micro-batches can be added before the division."""

import tensorflow as tf

# The original adds this to both denominators.
_EPSILON = 1e-6


def masked_language_model_loss(logits, original_ids, *, is_masked, label_smoothing=0.0):
    """Negative log-likelihood of the original tokens at the masked positions.

    Args:
        logits: float [batch, slots, vocabulary].
        original_ids: int32 [batch, slots].
        is_masked: bool [batch, slots].
        label_smoothing: share of each target that is spread over the whole vocabulary.

    Returns:
        (sum, weight): float32 scalars; the loss is `mean_loss(sum, weight)`.
    """
    weights = tf.cast(is_masked, tf.float32)
    # Written out: TensorFlow's fused op takes nearly twice as long on CPUs, and sampling needs the same exponentials.
    logits = tf.cast(logits, tf.float32)
    largest = tf.stop_gradient(tf.reduce_max(logits, axis=-1, keepdims=True))
    log_sum = tf.math.log(tf.reduce_sum(tf.exp(logits - largest), axis=-1)) + largest[..., 0]
    losses = log_sum - tf.gather(logits, original_ids, batch_dims=2)
    if label_smoothing:
        losses += label_smoothing * (log_sum - tf.reduce_mean(logits, axis=-1) - losses)
    return tf.reduce_sum(losses * weights), tf.reduce_sum(weights)


def replaced_token_loss(logits, is_replaced, *, padding_mask):
    """Sigmoid cross-entropy of "was this token replaced?" over every real position.

    Args:
        logits: float [batch, length].
        is_replaced: bool [batch, length].
        padding_mask: int32 or bool [batch, length], 1 for real tokens, [CLS] and [SEP] included.

    Returns:
        (sum, weight): float32 scalars; the loss is `mean_loss(sum, weight)`.
    """
    weights = tf.cast(padding_mask, tf.float32)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(
        labels=tf.cast(is_replaced, tf.float32), logits=tf.cast(logits, tf.float32))
    return tf.reduce_sum(losses * weights), tf.reduce_sum(weights)


def mean_loss(total, weight):
    """total / weight, 0 for an empty batch.

    >>> mean_loss(tf.constant(6.0), tf.constant(2.0))   # 3.0
    """
    return total / (weight + _EPSILON)
