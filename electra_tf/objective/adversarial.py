"""A generator that learns to deceive instead of to guess right, by REINFORCE (paper, ablations: worse)."""

import tensorflow as tf


def adversarial_loss(logits, sampled_ids, *, rewards, baseline_logits, is_masked):
    """-advantage * log p(sample), and the cross-entropy that teaches the baseline what to expect.

    Args:
        logits: float32 [batch, slots, vocabulary], the generator's.
        sampled_ids: int32 [batch, slots].
        rewards: float32 [batch, slots], the discriminator's cross-entropy at these places.
        baseline_logits: float32 [batch, slots]; their sigmoid is the chance of an error of the discriminator.
        is_masked: bool [batch, slots].

    Returns:
        (sum, weight): float32 scalars.
    """
    rewards = tf.stop_gradient(rewards)
    # The reward is -log(1 - error), so what is expected of it is -log(1 - sigmoid).
    advantage = rewards - tf.stop_gradient(tf.nn.softplus(baseline_logits))
    log_probability = tf.gather(logits, sampled_ids, batch_dims=2) - tf.reduce_logsumexp(logits, axis=-1)
    baseline_loss = tf.nn.sigmoid_cross_entropy_with_logits(labels=1.0 - tf.exp(-rewards), logits=baseline_logits)
    weights = tf.cast(is_masked, tf.float32)
    return tf.reduce_sum((baseline_loss - advantage * log_probability) * weights), tf.reduce_sum(weights)
