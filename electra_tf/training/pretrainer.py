"""ELECTRA's joint training of generator and discriminator as a Keras model (paper, section 2)."""

from typing import NamedTuple

import keras
import tensorflow as tf

from electra_tf import kernels
from electra_tf.config import MaskingConfig, ObjectiveConfig
from electra_tf.model.encoder import unpack_inputs
from electra_tf.model.model_folder import named_weights
from electra_tf.objective import random_bits
from electra_tf.objective.corruption import corrupt
from electra_tf.objective.losses import mean_loss
from electra_tf.objective.masking import SpecialIds, candidates, mask_tokens, masked_places
from electra_tf.objective.reordering import reorder_tokens
from electra_tf.objective.sampling import sample_replacements
from electra_tf.training.metrics import DiscriminatorScores, Ratio
from electra_tf.training.objectives import (
    GUESSES,
    JUDGEMENTS,
    Rows,
    baseline_head,
    deceiving_loss,
    generator_network,
    judged_places,
    loss_weights,
    main_network,
)

# Offset of the evaluation's example numbers: its masks are never those of a training step.
_EVALUATION_EXAMPLES = 2**62
_ROWS_PER_STEP = 2**24


class Forward(NamedTuple):
    """One pass of both networks over some rows: sums, with nothing divided yet.

    `discriminator_logits` is None where no discriminator is trained.
    """

    generator_loss_sum: tf.Tensor
    generator_hits: tf.Tensor
    sampled_originals: tf.Tensor
    masked_count: tf.Tensor
    discriminator_loss_sum: tf.Tensor
    discriminator_logits: tf.Tensor
    is_replaced: tf.Tensor


class ElectraPretrainer(keras.Model):
    """Generator and discriminator with shared embeddings, trained together by one optimizer; or another objective's.

    Works with plain `compile(optimizer=...)` and `fit`, on one device or under a tf.distribute strategy. Batches are
    dictionaries with token_ids, segment_ids, padding_mask (int32 [batch, length], static length) and, for masks that do
    not depend on replicas and resuming, example_index (int64 [batch]) as `pretraining_dataset` gives them; and
    document_ids (int32 [batch, length]) where a row holds several documents that do not see each other.

    Args:
        config: ElectraConfig of the discriminator; `config.generator` is the generator.
        masking: MaskingConfig.
        objective: ObjectiveConfig; under some `discriminator` is another network, or there is only one of the two.
        special_ids: SpecialIds.of(vocabulary); the default is the order in which this package learns one, and wrong for
            a vocabulary from elsewhere.
        seed: run seed of masks, samples and dropout.
        generator_weight, discriminator_weight: factors of the two losses; a discriminator weight of 0 trains the
            generator (and the shared embeddings) alone.
        accumulation_steps: micro-batches that each replica works through before one update.
        kernels: "auto" trains with the fused CPU operations where they can be used; "off" with TensorFlow's own. Under
            `jit_compile` and on accelerators they are off anyway.

    >>> pretrainer = ElectraPretrainer(ElectraConfig.from_preset("tiny"))
    >>> pretrainer.compile(optimizer=optimizer_for(pretrainer.config, train_steps=1000))
    >>> pretrainer.fit(pretraining_dataset("records/", batch_size=64), steps_per_epoch=100, epochs=10)
    """

    def __init__(self, config, *, masking=MaskingConfig(), objective=ObjectiveConfig(),
                 special_ids=SpecialIds(cls=2, sep=3, mask=4), seed=0, generator_weight=1.0,
                 discriminator_weight=50.0, accumulation_steps=1, kernels="auto", name="pretrainer", **kwargs):
        super().__init__(name=name, **kwargs)
        self.config, self.masking, self.objective = config, masking, objective
        self.special_ids, self.seed = special_ids, seed
        self.generator_weight, self.discriminator_weight = generator_weight, discriminator_weight
        self.accumulation_steps, self.kernels = accumulation_steps, kernels
        policy = self.dtype_policy
        self.discriminator = main_network(config, objective, dtype=policy)
        self.generator = generator_network(config, objective, self.discriminator, dtype=policy)
        self.baseline = baseline_head(config, objective, dtype=policy)
        self.generator_loss = Ratio("generator_loss")
        self.generator_accuracy = Ratio("generator_accuracy")
        self.sampled_originals = Ratio("sampled_originals")
        self.discriminator_loss = Ratio("discriminator_loss")
        self.scores = DiscriminatorScores()
        self.gradient_norm = Ratio("gradient_norm")
        self.built = True

    def compile(self, optimizer, **kwargs):
        """As Keras' compile; the optimizer's variables are made at once, so that a checkpoint can fill them."""
        super().compile(optimizer=optimizer, **kwargs)
        self.optimizer.build(self.trainable_variables)

    def call(self, inputs, training=False):
        """What the main network says: a discriminator's logits float32 [batch, length]."""
        return (self.discriminator or self.generator)(inputs, training=training)

    @property
    def metrics(self):
        return [self.generator_loss, self.generator_accuracy, self.sampled_originals, self.discriminator_loss,
                self.scores, self.gradient_norm]

    def _forward(self, rows, training):
        """Both networks over some rows that were masked already."""
        masked = rows.masked
        guesses = GUESSES[self.objective.generator](self, rows, training=training)
        sampled_ids = guesses.sampled_ids
        if sampled_ids is None:
            sampled_ids = sample_replacements(
                guesses.logits, masked.original_ids, masking=self.masking, source=rows.source)
        # Only draws with replacement can repeat a position.
        repeated = self.masking.repeated_positions if self.masking.mask_sampling == "with_replacement" else None
        corrupted = corrupt(rows.token_ids, masked, sampled_ids=sampled_ids, shown_ids=rows.shown_ids,
                            repeated_positions=repeated)
        best_ids = guesses.best_ids
        if best_ids is None:
            best_ids = tf.argmax(guesses.logits, axis=-1, output_type=tf.int32)
        counts = (_count(masked.is_masked & (best_ids == masked.original_ids)),
                  _count(masked.is_masked & (sampled_ids == masked.original_ids)), _count(masked.is_masked))
        if self.discriminator is None or not self.discriminator_weight:  # a static choice: half or more is saved
            return Forward(guesses.loss_sum, *counts, tf.constant(0.0), None, corrupted.is_replaced)
        judgement = JUDGEMENTS[self.objective.name](self, rows, guesses, corrupted, training=training)
        generator_loss = guesses.loss_sum
        if self.objective.name == "adversarial":
            generator_loss = deceiving_loss(self, rows, sampled_ids, guesses, judgement, training=training)
        return Forward(generator_loss, *counts, judgement.loss_sum, judgement.logits, judgement.labels)

    def _masked_batch(self, batch, *, first_example=0, offset=0):
        """Rows of a batch; without example_index, they are numbered from `first_example`."""
        token_ids, segment_ids, padding_mask = unpack_inputs(batch)
        example_index = batch.get("example_index")
        if example_index is None:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            size = tf.shape(token_ids, out_type=tf.int64)[0]
            example_index = tf.cast(first_example, tf.int64) + tf.cast(replica, tf.int64) * size + tf.range(size)
        example_index = tf.cast(example_index, tf.int64) + offset
        source = random_bits.RandomSource(tf.constant(self.seed, tf.int32), example_index)
        is_candidate = candidates(token_ids, padding_mask, special_ids=self.special_ids)
        shown_ids = token_ids
        if self.objective.reorder_rate:
            shown_ids = reorder_tokens(token_ids, is_candidate, rate=self.objective.reorder_rate, source=source)
        masked = mask_tokens(shown_ids, padding_mask, masking=self.masking, special_ids=self.special_ids, source=source)
        if self.objective.reorder_rate:  # what must be guessed is the text as it was
            masked = masked._replace(original_ids=tf.gather(token_ids, masked.positions, batch_dims=1))
        return Rows(token_ids, shown_ids, segment_ids, padding_mask, is_candidate,
                    masked_places(masked, length=token_ids.shape[1]), masked, source, batch.get("document_ids"))

    def train_step(self, batch):
        """One update from one replica's part of a batch; both losses are divided by the weights of the whole batch."""
        with kernels.used(self.uses_kernels):
            return self._update(batch)

    @property
    def uses_kernels(self):
        """Whether training steps take the fused CPU operations."""
        return kernels.fit(self, self.kernels)

    def _update(self, batch):
        # Rows without a number get one from a large stride, so that no two steps share masks.
        first_example = tf.cast(self.optimizer.iterations, tf.int64) * _ROWS_PER_STEP
        rows = self._masked_batch(batch, first_example=first_example)
        guessed_weight, judged_weight = tf.unstack(tf.distribute.get_replica_context().all_reduce(
            tf.distribute.ReduceOp.SUM, loss_weights(self.objective, rows)))
        variables = self.trainable_variables
        gradients, total_loss = [0.0] * len(variables), 0.0
        for part in range(self.accumulation_steps):
            part_rows = _part_of_all(rows, number=part, parts=self.accumulation_steps)
            with tf.GradientTape() as tape:
                forward = self._forward(part_rows, training=True)
                loss = (self.generator_weight * mean_loss(forward.generator_loss_sum, guessed_weight)
                        + self.discriminator_weight * mean_loss(forward.discriminator_loss_sum, judged_weight))
            part_gradients = tape.gradient(loss, [variable.value for variable in variables],
                                           unconnected_gradients="zero")
            gradients = (part_gradients if self.accumulation_steps == 1 else
                         [total + tf.convert_to_tensor(gradient)  # an embedding's gradient may be IndexedSlices
                          for total, gradient in zip(gradients, part_gradients)])
            total_loss += loss
            self._update_metrics(forward, part_rows)
        # An infinite loss may have finite gradients; the optimizer, which looks at gradients, must not apply them.
        gradients[-1] += tf.where(tf.math.is_finite(total_loss), 0.0, float("nan"))
        self.optimizer.apply(gradients, variables)
        norm = getattr(self.optimizer, "gradient_norm", None)
        if norm is not None:
            self.gradient_norm.update_state(norm, 1.0)
        return self.get_metrics_result()

    def test_step(self, batch):
        """Both losses and all scores on held-out rows, with the same masks at every evaluation."""
        rows = self._masked_batch(batch, offset=_EVALUATION_EXAMPLES)
        self._update_metrics(self._forward(rows, training=False), rows)
        return self.get_metrics_result()

    def _update_metrics(self, forward, rows):
        guessed_weight, judged_weight = tf.unstack(loss_weights(self.objective, rows))
        self.generator_loss.update_state(forward.generator_loss_sum, guessed_weight)
        self.generator_accuracy.update_state(forward.generator_hits, forward.masked_count)
        self.sampled_originals.update_state(forward.sampled_originals, forward.masked_count)
        if self.discriminator is not None and self.discriminator_weight:
            self.discriminator_loss.update_state(forward.discriminator_loss_sum, judged_weight)
        if forward.discriminator_logits is not None:
            self.scores.update_state(
                forward.discriminator_logits, forward.is_replaced, judged_places(self.objective, rows))

    def weights_by_name(self):
        """Name -> variable of all networks; shared ones appear once, under "discriminator/"."""
        named = {}
        for network, prefix in ((self.discriminator, "discriminator/"), (self.generator, "generator/")):
            seen = {id(variable) for variable in named.values()}
            if network is not None:
                named |= {f"{prefix}{name}": variable for name, variable in network.weights_by_name().items()
                          if id(variable) not in seen}
        return named if self.baseline is None else {**named, **named_weights(self.baseline, prefix="baseline/")}


def _part_of_all(tensors, *, number, parts):
    """The `number`-th of `parts` equal slices of every batch in a structure; scalars, and None, stay as they are."""
    def part_of(values):
        if values is None or not values.shape.rank:
            return values
        size = tf.shape(values)[0] // parts
        return values[number * size: (number + 1) * size]
    return tf.nest.map_structure(part_of, tensors)


def _count(values):
    return tf.reduce_sum(tf.cast(values, tf.float32))
