"""The loss of a language model that predicts all tokens and may copy the one it sees (paper, ablations)."""

import tensorflow as tf

# log of a probability that is no probability; finite, so that its gradient is.
_NEVER = -1e9


def all_tokens_loss(logits, copy_logits, *, input_ids, original_ids, padding_mask):
    """Negative log-likelihood of the original tokens: p = c [token == input] + (1 - c) softmax(logits).

    Args:
        logits: float32 [batch, length, vocabulary].
        copy_logits: float32 [batch, length]; c is their sigmoid.
        input_ids, original_ids: int32 [batch, length].
        padding_mask: int32 or bool [batch, length].

    Returns:
        (sum, weight): float32 scalars.
    """
    log_softmax = tf.gather(logits, original_ids, batch_dims=2) - tf.reduce_logsumexp(logits, axis=-1)
    generated = tf.math.log_sigmoid(-copy_logits) + log_softmax
    copied = tf.where(input_ids == original_ids, tf.math.log_sigmoid(copy_logits), _NEVER)
    losses = -tf.reduce_logsumexp(tf.stack([generated, copied]), axis=0)
    weights = tf.cast(padding_mask, tf.float32)
    return tf.reduce_sum(losses * weights), tf.reduce_sum(weights)
