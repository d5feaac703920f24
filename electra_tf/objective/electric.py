"""Electric: the discriminator's score is an energy, trained by noise-contrastive estimation (ELECTRA's follow-up)."""

import math

import tensorflow as tf


def log_likelihood(logits, token_ids):
    """log softmax(logits) of each token: float32 [batch, length], no gradient.

    Args:
        logits: float32 [batch, length, vocabulary].
        token_ids: int32 [batch, length].
    """
    logits = tf.stop_gradient(logits)
    return tf.gather(logits, token_ids, batch_dims=2) - tf.reduce_logsumexp(logits, axis=-1)


def noise_contrastive_logits(logits, noise_log_likelihood, *, mask_rate):
    """The logit of "this token was sampled", where the network's own output is the token's energy.

    Args:
        logits: float32 [batch, length], the network's output.
        noise_log_likelihood: float32 [batch, length], log q(token) of the generator.
        mask_rate: share of the tokens that were sampled.

    Returns:
        float32 [batch, length].

    >>> noise_contrastive_logits(tf.zeros([1, 1]), tf.zeros([1, 1]), mask_rate=0.5)   # [[0.]]
    """
    return logits + tf.stop_gradient(noise_log_likelihood) + math.log(mask_rate / (1 - mask_rate))
