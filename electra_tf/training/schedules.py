"""The learning rate of every step, and its factor for every layer (original: optimization.py)."""

import math
import re

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="electra_tf")
class WarmupDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Decay multiplied by a linear warm-up, as in the original: the peak itself is never reached.

    rate(s) = peak * decay(s) * min(1, s / W), with s the number of updates done before this one, so the first update
    has rate 0; without warm-up (W = 0, where the original divides by zero) it has the peak rate. With left(s) =
    1 - min(s, T) / T, decay(s) is left^power for "linear", (1 - cos(pi * left)) / 2 for "cosine", 1 for "constant".

    Args:
        peak: learning rate.
        train_steps: T, updates of the whole run.
        warmup_steps: W, updates; 0 switches warm-up off.
        power: of the linear decay.
        first_step: s of the first update.
        schedule: "linear", "cosine" or "constant".

    >>> float(WarmupDecay(1.0, train_steps=10, warmup_steps=4)(2))   # 0.4
    """

    def __init__(self, peak, *, train_steps, warmup_steps, power=1.0, first_step=0, schedule="linear"):
        self.peak, self.train_steps, self.warmup_steps = peak, train_steps, warmup_steps
        self.power, self.first_step, self.schedule = power, first_step, schedule

    def __call__(self, step):
        step = tf.cast(step, tf.float32) + self.first_step
        rate = self.peak * self._decay(self._left(step))
        if self.warmup_steps > 0:
            rate *= tf.minimum(1.0, self._warmth(step))
        return rate

    def _left(self, step):
        return 1.0 - tf.minimum(step, float(self.train_steps)) / self.train_steps

    def _warmth(self, step):
        return step / self.warmup_steps

    def _decay(self, left):
        if self.schedule == "constant":
            return tf.ones_like(left)
        if self.schedule == "cosine":
            return (1 - tf.cos(math.pi * left)) / 2
        return left if self.power == 1 else left ** self.power

    def get_config(self):
        return {"peak": self.peak, "train_steps": self.train_steps, "warmup_steps": self.warmup_steps,
                "power": self.power, "first_step": self.first_step, "schedule": self.schedule}


LONGEST_WARMUP = 0.1  # share of a time budget


@keras.saving.register_keras_serializable(package="electra_tf")
class ClockDecay(WarmupDecay):
    """WarmupDecay of a run that ends by the clock, fitted to it: rate = peak * decay(left) * min(1, max(s / W, 10 u)).

    u is the share of the time that is used, as it was told last, and left = 1 - u. So warm-up takes its W updates or a
    tenth of the time, whichever ends first.

    Attributes:
        used: tf.Variable, u; made in the scope of a strategy it is there on every replica.

    >>> schedule = ClockDecay(1.0, warmup_steps=0)
    >>> schedule.used.assign(0.25)
    >>> float(schedule(7))   # 0.75
    """

    def __init__(self, peak, *, warmup_steps, power=1.0, first_step=0, schedule="linear"):
        super().__init__(peak, train_steps=None, warmup_steps=warmup_steps, power=power, first_step=first_step,
                         schedule=schedule)
        self.used = tf.Variable(0.0, trainable=False, name="used_time")

    def _left(self, step):
        return 1.0 - self.used

    def _warmth(self, step):
        return tf.maximum(step / self.warmup_steps, self.used / LONGEST_WARMUP)

    def get_config(self):
        config = super().get_config()
        del config["train_steps"]
        return config


def layer_decay_factor(path, *, num_layers, decay, offset=1):
    """The learning rate factor of a variable: `decay` to the number of layers above it.

    The task head has factor 1, the last layer `decay`, the embeddings and their projection decay^(layers + 1). (The
    original counts a pooler that ELECTRA lacks and gives the last layer decay^2: an offset of 2.)

    Args:
        path: name of the variable, as in `named_weights`.
        num_layers: transformer layers of the encoder.
        decay: 0..1.
        offset: levels from the head down to the last layer.

    >>> layer_decay_factor("encoder/layer_11/output/kernel", num_layers=12, decay=0.8)   # 0.8
    """
    if "embeddings" in path:
        depth = 0
    elif match := re.search(r"(?:^|/)layer_(\d+)/", path):
        depth = int(match.group(1)) + 1
    else:
        depth = num_layers + offset
    return decay ** (num_layers + offset - depth)
