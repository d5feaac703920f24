"""The pretrainer with the original's settings, weights and dice."""

import numpy as np
import tensorflow as tf

from electra_tf.config import MaskingConfig, ObjectiveConfig, OptimizerConfig
from electra_tf.model.model_folder import assign_weights
from electra_tf.objective import random_bits
from electra_tf.objective.masking import SpecialIds, candidates
from electra_tf.training.optimizer import optimizer_for
from electra_tf.training.pretrainer import ElectraPretrainer

SPECIAL = SpecialIds(cls=101, sep=102, mask=103)


def batch_of(fixture, step):
    return {ours: tf.constant(fixture[f"step{step}/in/{theirs}"]) for ours, theirs in (
        ("token_ids", "input_ids"), ("segment_ids", "segment_ids"), ("padding_mask", "input_mask"))}


def recorded_dice(fixture, step):
    """`random_bits.uniform` with the original's recorded draws."""
    batch = batch_of(fixture, step)
    is_candidate = candidates(batch["token_ids"], batch["padding_mask"], special_ids=SPECIAL).numpy()
    draws = fixture[f"step{step}/draw/position_draws"]
    rank = np.take_along_axis(np.cumsum(is_candidate, axis=1), draws, axis=1) - 1
    numbers = {
        # The middle of the drawn candidate's share of the unit interval.
        random_bits.MASKED_POSITIONS: (rank + 0.5) / is_candidate.sum(axis=1, keepdims=True),
        random_bits.MASK_SYMBOLS: fixture[f"step{step}/draw/replace_uniform"],
        random_bits.GENERATOR_SAMPLES: fixture[f"step{step}/draw/gumbel_uniform_u16"].reshape(len(draws), -1) / 65536}

    def uniform(source, *, stream, count):
        values = tf.constant(numbers[stream], tf.float32)
        assert values.shape == (len(draws), count)
        return values
    return uniform


def pretrainer_of(fixture, **settings):
    """A compiled ElectraPretrainer with the fixture's first weights; the original's flags name its objective."""
    run = fixture.settings["config"]
    config = fixture.config()
    name = "electric" if run["electric_objective"] else "electra" if run["electra_objective"] else "mlm"
    generator = ("uniform" if run["uniform_generator"] else
                 "two_tower" if run["two_tower_generator"] or name == "electric" else "masked")
    shared = ("everything" if not run["untied_generator"] else
              "nothing" if run["untied_generator_embeddings"] else "embeddings")
    objective = ObjectiveConfig(name=name, generator=generator, shared=shared)
    masking = MaskingConfig(mask_rate=run["mask_prob"], temperature=run["temperature"], sampler="gumbel",
                            disallow_correct=run["disallow_correct"], mask_sampling="with_replacement",
                            repeated_positions="average")
    pretrainer = ElectraPretrainer(config, masking=masking, objective=objective,
                                   special_ids=SPECIAL, generator_weight=run["gen_weight"],
                                   discriminator_weight=run["disc_weight"], **settings)
    optimizer = OptimizerConfig(
        learning_rate=run["learning_rate"], warmup_steps=run["num_warmup_steps"], clip_rows="separate",
        weight_decay=run["weight_decay_rate"], decay_power=run["lr_decay_power"])
    pretrainer.compile(optimizer=optimizer_for(optimizer, train_steps=run["num_train_steps"]))
    assign_weights(pretrainer.weights_by_name(), fixture.weights)
    return pretrainer
