"""AdamW as ELECTRA's authors wrote it, as a Keras optimizer that is right on several replicas too."""

import functools
import re

import keras
import numpy as np
import tensorflow as tf

from electra_tf import kernels
from electra_tf.config import PRESETS, ElectraConfig, OptimizerConfig, PretrainingConfig, from_dict, replace, to_dict
from electra_tf.kernels import operations
from electra_tf.training.schedules import ClockDecay, WarmupDecay, layer_decay_factor

# Variables without weight decay: every bias and every LayerNorm.
_UNDECAYED = re.compile(r"norm/|bias$|(^|/)b(eta)?$")


def is_decayed(path):
    """Whether weight decay applies to the variable of this name.

    >>> is_decayed("layer_0/attention_norm/gamma")   # False
    """
    return not _UNDECAYED.search(path)


@keras.saving.register_keras_serializable(package="electra_tf")
class ElectraAdamW(keras.optimizers.Optimizer):
    """Adam without bias correction, decoupled weight decay, layer-wise rates, one clip by global norm.

    One update: m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= rate (m / (sqrt(v) + epsilon) + decay w). The
    gradients are summed over the replicas first and clipped afterwards, so the number of replicas does not matter. An
    update with a gradient that is not finite changes nothing but the count of updates.

    Args:
        learning_rate: number or Keras schedule.
        config: OptimizerConfig; its rate and warm-up are not read here, `optimizer_for` makes the schedule of them.
        num_layers: transformer layers, for layer-wise decay.

    >>> optimizer = ElectraAdamW(1e-3, config=OptimizerConfig(clip_norm=1.0))
    """

    def __init__(self, learning_rate, *, config=OptimizerConfig(), num_layers=0, name="adamw"):
        super().__init__(learning_rate=learning_rate, name=name)
        self.config, self.num_layers = config, num_layers
        self.gradient_norm = None

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])
        self.squared_norms = self.add_variable(
            shape=(len(variables),), initializer="zeros", name="squared_norms", aggregation="only_first_replica")
        self._decays, self._factors = [], []
        # In the original only the word embeddings have a gradient of rows; positions and segments have dense ones.
        self._separate_rows = {number for number, variable in enumerate(variables) if variable.path.endswith(
            "word_embeddings") and self.config.clip_rows == "separate"}
        for variable in variables:
            self._decays.append(self.config.weight_decay if is_decayed(variable.path) else 0.0)
            self._factors.append(self._factor(variable.path))

    def _factor(self, path):
        """What multiplies the learning rate of the variable of this name."""
        factor = 1.0 if self.config.layer_decay == 1 else layer_decay_factor(
            path, num_layers=self.num_layers, decay=self.config.layer_decay, offset=self.config.layer_decay_offset)
        return factor * (self.config.word_embeddings_rate if path.endswith("word_embeddings") else 1.0)

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        # Keras' hook for the whole update. On one device it is two fused passes over all variables.
        if not kernels.are_in_use() or self.config.bias_correction or self._replicas() > 1:
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        order = [self._get_variable_index(variable) for variable in trainable_variables]
        gradients = [tf.convert_to_tensor(gradient) for gradient in grads]
        squares = [tf.zeros(())] * len(self._momentums)
        sums = operations.square_sums(gradients)
        for place, (index, gradient) in enumerate(zip(order, grads)):
            squares[index] = _square(gradient.values) if self._counts_rows(index, gradient) else sums[place]
        scale = self._clip_scale(squares)
        rate = tf.cast(learning_rate, tf.float32) * self._applied
        operations.update(
            [variable.value for variable in trainable_variables], [self._momentums[index].value for index in order],
            [self._velocities[index].value for index in order], gradients,
            numbers=tf.stack([rate, scale, 1 - self.config.beta_1, 1 - self.config.beta_2, self.config.epsilon]),
            factors=[self._factors[index] for index in order], decays=[self._decays[index] for index in order])

    @staticmethod
    def _replicas():
        return tf.distribute.get_strategy().num_replicas_in_sync

    def _counts_rows(self, index, gradient):
        """Whether the norm counts the rows of this gradient one by one, also where they belong to the same piece."""
        return index in self._separate_rows and isinstance(gradient, tf.IndexedSlices)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        # Keras clips each replica's gradients before it adds them; clipping after the sum needs this hook.
        reduced = super()._all_reduce_sum_gradients(
            [(tf.convert_to_tensor(gradient), variable) for gradient, variable in grads_and_vars])
        squares = [tf.zeros(())] * len(self._momentums)
        for gradient, variable in reduced:
            squares[self._get_variable_index(variable)] = _square(gradient)
        for gradient, variable in grads_and_vars:
            index = self._get_variable_index(variable)
            if self._counts_rows(index, gradient):
                squares[index] = tf.distribute.get_replica_context().all_reduce(
                    tf.distribute.ReduceOp.SUM, _square(gradient.values))
        scale = self._clip_scale(squares)
        return [(tf.math.multiply_no_nan(gradient, tf.cast(scale, gradient.dtype)), variable)
                for gradient, variable in reduced]

    def _clip_scale(self, squares):
        """What the gradients are multiplied with; 0 if their norm, from the squares of each, is not finite."""
        squares = tf.stack(squares)
        self.squared_norms.assign(squares)
        # Not add_n: which of its inputs comes first depends on who else still reads them, and with it the last bit.
        self.gradient_norm = tf.sqrt(tf.reduce_sum(squares))
        is_finite = tf.math.is_finite(self.gradient_norm)
        # With a rate of 0 and decays of 1 nothing moves: an update that is not finite is left out.
        self._applied = tf.cast(is_finite, tf.float32)
        self._betas = [tf.where(is_finite, beta, 1.0) for beta in (self.config.beta_1, self.config.beta_2)]
        scale = self.config.clip_norm / tf.maximum(self.gradient_norm, self.config.clip_norm)
        return tf.where(is_finite, scale, 0.0)

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        rate = tf.cast(learning_rate, variable.dtype) * (self._factors[index] * self._applied)
        momentum, velocity = self._momentums[index].value, self._velocities[index].value
        if self._decays[index]:
            variable.assign_sub(rate * self._decays[index] * variable)
        powers = (0.0, 0.0)  # With powers of zero TensorFlow's kernel leaves the moments uncorrected.
        if self.config.bias_correction:
            updates = tf.cast(self.iterations + 1, variable.dtype)
            powers = (self.config.beta_1 ** updates, self.config.beta_2 ** updates)
        # The kernel takes 1 - beta_2 in float32, a hundred-thousandth too little for 0.999; this makes up for it.
        short = float(np.sqrt((1 - np.float32(self.config.beta_2)) / (1 - self.config.beta_2)))
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle, m=_local(momentum, variable).handle, v=_local(velocity, variable).handle,
            beta1_power=powers[0], beta2_power=powers[1], lr=rate * short, beta1=self._betas[0], beta2=self._betas[1],
            epsilon=self.config.epsilon * short, grad=gradient)

    def rate_of(self, number):
        """The learning rate of the update with this number; the first is 0."""
        return float(self._learning_rate(number) if callable(self._learning_rate) else self._learning_rate)

    def tell_time(self, used):
        """How much of the run's time is used, 0..1; only for an optimizer of a run with a time budget."""
        self._learning_rate.used.assign(used)

    def first_not_finite(self):
        """Index of the first variable whose last gradient was not finite, in the order of `build`; None if all were."""
        wrong = np.flatnonzero(~np.isfinite(self.squared_norms.numpy()))
        return int(wrong[0]) if len(wrong) else None

    def state_by_name(self, weights):
        """Name -> variable of all that the optimizer remembers, for a checkpoint.

        Args:
            weights: name -> trainable variable, the names to use; every variable the optimizer was built for.
        """
        state = {"iterations": self.iterations}
        for kind, slots in (("momentum", self._momentums), ("velocity", self._velocities)):
            state.update({f"{kind}/{name}": slots[self._get_variable_index(variable)]
                          for name, variable in weights.items()})
        return state

    def get_config(self):
        return {"learning_rate": super().get_config()["learning_rate"], "config": to_dict(self.config),
                "num_layers": self.num_layers, "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        rate = config["learning_rate"]
        if isinstance(rate, dict):
            rate = keras.optimizers.schedules.deserialize(rate, custom_objects)
        return cls(rate, config=from_dict(OptimizerConfig, config["config"]), num_layers=config["num_layers"],
                   name=config["name"])


def _square(gradient):
    """The sum of squares, in float32."""
    return 2.0 * tf.nn.l2_loss(tf.cast(gradient, tf.float32))


def _local(slot, variable):
    """The copy of a slot on the device of the replica's own copy of the variable."""
    return slot._get_on_device_or_primary() if hasattr(slot, "_get_on_device_or_primary") else slot


def optimizer_for(config, *, train_steps=None, num_layers=0, schedule="linear"):
    """The optimizer of a run: ElectraAdamW with warm-up and decay.

    Args:
        config: OptimizerConfig or PretrainingConfig; or an ElectraConfig, for which the settings of its preset are
            taken, else those of one of the same depth and width (`small`'s where none is), with at most a tenth of the
            steps as warm-up. A PretrainingConfig may hold the word embeddings (tiny, half_hour), which `pretrain` has
            counted; in a loop of your own, set its `word_embeddings_rate` to 1.
        train_steps: updates of the whole run; without them a PretrainingConfig has its own, or a time budget in their
            place, for which somebody must call `tell_time`, as `pretrain` does.
        num_layers: transformer layers, needed for layer-wise decay with an OptimizerConfig.
        schedule: how the rate decays: "linear", "cosine" or "constant".

    Returns:
        ElectraAdamW.

    >>> optimizer = optimizer_for(ElectraConfig.from_preset("small"), train_steps=10_000)
    """
    ends_by_clock = train_steps is None and isinstance(config, PretrainingConfig) and config.time_budget is not None
    if isinstance(config, PretrainingConfig):
        train_steps, num_layers, config = train_steps or config.train_steps, config.model.num_layers, config.optimizer
    elif isinstance(config, ElectraConfig):
        same_size = [preset for preset in PRESETS.values() if preset.model.num_layers == config.num_layers
                     and preset.model.hidden_size == config.hidden_size]
        equal = [preset for preset in same_size
                 if replace(preset.model, vocabulary_size=config.vocabulary_size) == config]
        num_layers, settings = config.num_layers, (equal or same_size or [PRESETS["small"]])[0].optimizer
        # A model made in Python starts its embeddings at random; a preset may hold them, but only those it has counted.
        config = replace(settings, warmup_steps=min(settings.warmup_steps, train_steps // 10), word_embeddings_rate=1.0)
    decay = ClockDecay if ends_by_clock else functools.partial(WarmupDecay, train_steps=train_steps)
    rate = decay(config.learning_rate, warmup_steps=config.warmup_steps, power=config.decay_power,
                 first_step=config.first_step, schedule=schedule)
    return ElectraAdamW(rate, config=config, num_layers=num_layers)
