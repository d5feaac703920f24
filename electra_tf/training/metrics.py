"""What is measured of pretraining: the two networks, beside what a constant guess would reach."""

import keras
import tensorflow as tf

_BINS = 200


class Ratio(keras.metrics.Metric):
    """A sum divided by a weight, each added up over batches and replicas."""

    def __init__(self, name):
        super().__init__(name=name)
        self.total = self.add_variable((), "zeros", name="total")
        self.weight = self.add_variable((), "zeros", name="weight")

    def update_state(self, total, weight):
        self.total.assign_add(tf.cast(total, tf.float32))
        self.weight.assign_add(tf.cast(weight, tf.float32))

    def result(self):
        return tf.math.divide_no_nan(tf.convert_to_tensor(self.total), tf.convert_to_tensor(self.weight))


class DiscriminatorScores(keras.metrics.Metric):
    """Accuracy, precision, recall and AUC of "was replaced", with the constant guess beside them.

    The probabilities are counted in 200 bins for each class; everything else follows from the counts.
    """

    def __init__(self, name="discriminator_scores"):
        super().__init__(name=name)
        self.originals = self.add_variable((_BINS,), "zeros", name="originals")
        self.replaced = self.add_variable((_BINS,), "zeros", name="replaced")

    def update_state(self, logits, is_replaced, padding_mask):
        """logits float32, is_replaced bool, padding_mask 0/1: [batch, length] each."""
        bins = tf.clip_by_value(tf.cast(tf.sigmoid(logits) * _BINS, tf.int32), 0, _BINS - 1)
        is_real = tf.cast(padding_mask, tf.bool)
        for counts, chosen in ((self.originals, is_real & ~is_replaced), (self.replaced, is_real & is_replaced)):
            ones = tf.reshape(tf.cast(chosen, tf.float32), [-1])
            counts.assign_add(tf.math.unsorted_segment_sum(ones, tf.reshape(bins, [-1]), _BINS))

    def result(self):
        originals, replaced = tf.convert_to_tensor(self.originals), tf.convert_to_tensor(self.replaced)
        half = _BINS // 2
        hits, misses = tf.reduce_sum(replaced[half:]), tf.reduce_sum(replaced[:half])
        false_alarms, quiet = tf.reduce_sum(originals[half:]), tf.reduce_sum(originals[:half])
        total = hits + misses + false_alarms + quiet
        share = tf.math.divide_no_nan(hits + misses, total)
        # Pairs (original, replaced) in the right order; ties in one bin count half.
        below = tf.cumsum(originals, exclusive=True)
        ordered = tf.reduce_sum(replaced * (below + originals / 2))
        constant_guess = -(_x_log_x(share) + _x_log_x(1 - share))
        return {
            "discriminator_accuracy": tf.math.divide_no_nan(hits + quiet, total),
            "discriminator_precision": tf.math.divide_no_nan(hits, hits + false_alarms),
            "discriminator_recall": tf.math.divide_no_nan(hits, hits + misses),
            "discriminator_auc": tf.math.divide_no_nan(ordered, (hits + misses) * (false_alarms + quiet)),
            "replaced_fraction": share,
            "constant_guess_accuracy": tf.where(total > 0, 1 - share, 0.0),
            "constant_guess_loss": constant_guess,
        }


def _x_log_x(x):
    return x * tf.math.log(tf.maximum(x, 1e-12))
