"""Three updates of generator and discriminator that were computed with Hugging Face's networks in float64."""

import json
import re

import numpy as np
import tensorflow as tf

from electra_tf.config import ElectraConfig, OptimizerConfig
from electra_tf.model.model_folder import assign_weights
from electra_tf.model.networks import ElectraDiscriminator, ElectraGenerator
from electra_tf.objective.corruption import corrupt
from electra_tf.objective.losses import masked_language_model_loss, mean_loss, replaced_token_loss
from electra_tf.objective.masking import Masked
from electra_tf.training.optimizer import ElectraAdamW
from tests.oracles.original import names_with_gradient
from tests.oracles.shared import shared_path

PARTS = {
    "electra.embeddings.": "encoder/embeddings/", "electra.embeddings_project": "encoder/embeddings_project",
    "attention.self.": "attention/", "attention.output.dense": "attention/output",
    "attention.output.LayerNorm": "attention_norm", "intermediate.dense": "intermediate",
    "output.LayerNorm": "output_norm", "output.dense": "output", "embeddings/LayerNorm": "embeddings/norm",
    "token_type_embeddings": "segment_embeddings", "discriminator_predictions.dense_prediction": "head/output",
    "discriminator_predictions.dense": "head/dense", "generator_predictions.LayerNorm": "head/norm",
    "generator_predictions.dense": "head/dense", "generator_lm_head.bias": "head/output_bias"}


def our_name(name):
    """'generator/electra.encoder.layer.0.output.dense.weight' -> 'generator/encoder/layer_0/output/kernel'"""
    network, _, name = name.partition("/")
    name = re.sub(r"electra\.encoder\.layer\.(\d+)\.", r"encoder/layer_\1/", name)
    for theirs, ours in PARTS.items():
        name = name.replace(theirs, ours)
    name = name.replace("_embeddings.weight", "_embeddings").replace("norm.weight", "norm/gamma")
    name = name.replace("norm.bias", "norm/beta").replace(".weight", "/kernel").replace(".bias", "/bias")
    return f"{network}/{name}"


def ours(name, value):
    """Dense weights lie the other way round there."""
    return our_name(name), value.T if our_name(name).endswith("kernel") else value


class Step:
    """The networks with the fixture's weights, and one pass over each of its batches."""

    def __init__(self):
        arrays = np.load(shared_path("oracles/huggingface/pretraining_step.npz"))
        self.arrays = {name: arrays[name] for name in arrays.files}
        self.settings = json.loads(shared_path("oracles/huggingface/pretraining_step.json").read_text())
        common = {"vocabulary_size": 512, "embedding_size": 16, "max_positions": 64, "hidden_dropout": 0.0,
                  "attention_dropout": 0.0}
        self.discriminator = ElectraDiscriminator(ElectraConfig(
            hidden_size=32, num_layers=3, num_heads=4, intermediate_size=64, **common))
        self.generator = ElectraGenerator(
            ElectraConfig(hidden_size=8, num_layers=2, num_heads=2, intermediate_size=16, **common),
            embeddings=self.discriminator.encoder.embeddings)
        self.variables = {f"discriminator/{name}": variable
                          for name, variable in self.discriminator.weights_by_name().items()}
        self.variables |= {f"generator/{name}": variable for name, variable in self.generator.weights_by_name().items()
                           if not name.startswith("encoder/embeddings/")}
        assign_weights(self.variables, self.group("initial"))

    def group(self, prefix):
        return dict(ours(name.removeprefix(f"{prefix}/"), value) for name, value in self.arrays.items()
                    if name.startswith(f"{prefix}/"))

    def losses(self, number):
        """(masked language model loss, discriminator loss, logits of both)."""
        batch = {name: tf.constant(self.arrays[f"step{number}/{name}"]) for name in (
            "original_input_ids", "masked_input_ids", "input_mask", "segment_ids", "masked_lm_positions",
            "masked_lm_ids", "masked_lm_weights", "sampled_token_ids")}
        batch = {name: value if value.dtype == tf.float32 else tf.cast(value, tf.int32)
                 for name, value in batch.items()}
        masked = Masked(batch["masked_input_ids"], batch["masked_lm_positions"], batch["masked_lm_ids"],
                        batch["masked_lm_weights"] > 0)
        corrupted = corrupt(batch["original_input_ids"], masked, sampled_ids=batch["sampled_token_ids"])
        np.testing.assert_array_equal(corrupted.token_ids, self.arrays[f"step{number}/corrupted_input_ids"])
        np.testing.assert_array_equal(corrupted.is_replaced, self.arrays[f"step{number}/discriminator_labels"] > 0)
        rest = {"segment_ids": batch["segment_ids"], "padding_mask": batch["input_mask"]}
        generator_logits = self.generator(masked.token_ids, positions=masked.positions, **rest)
        discriminator_logits = self.discriminator(corrupted.token_ids, **rest)
        generator_loss = mean_loss(*masked_language_model_loss(
            generator_logits, masked.original_ids, is_masked=masked.is_masked))
        discriminator_loss = mean_loss(*replaced_token_loss(
            discriminator_logits, corrupted.is_replaced, padding_mask=batch["input_mask"]))
        return generator_loss, discriminator_loss, generator_logits, discriminator_logits


def test_losses_gradients_and_parameters_of_three_updates():
    run = Step()
    config = OptimizerConfig(weight_decay=0.01)
    optimizer = ElectraAdamW(1e-3, config=config)
    optimizer.build(list(run.variables.values()))
    first = {name: variable.numpy() for name, variable in run.variables.items()}
    for number in range(3):
        with tf.GradientTape() as tape:
            generator_loss, discriminator_loss, generator_logits, discriminator_logits = run.losses(number)
            total = generator_loss + 50 * discriminator_loss
        gradients = dict(zip(run.variables, map(tf.convert_to_tensor, tape.gradient(
            total, [variable.value for variable in run.variables.values()]))))
        for found, name in ((generator_loss, "mlm_loss"), (discriminator_loss, "discriminator_loss")):
            np.testing.assert_allclose(found, run.arrays[f"step{number}/{name}"], atol=1e-5)
        np.testing.assert_allclose(total, run.arrays[f"step{number}/total_loss"], rtol=1e-5)
        if number == 0:
            np.testing.assert_allclose(
                generator_logits, run.arrays["step0/generator_logits_at_positions"], atol=5e-5)
            np.testing.assert_allclose(discriminator_logits, run.arrays["step0/discriminator_logits"], atol=5e-5)
            expected = run.group("step0/grad")
            assert expected.keys() == gradients.keys()
            for name, value in expected.items():
                np.testing.assert_allclose(gradients[name], value, atol=1e-4, rtol=0, err_msg=name)
        optimizer.apply(list(gradients.values()), list(run.variables.values()))
        np.testing.assert_allclose(optimizer.gradient_norm, run.arrays[f"step{number}/gradient_global_norm"], rtol=1e-5,
                                   atol=1e-4)
    final = run.group("final")
    assert final.keys() == run.variables.keys()
    for name in names_with_gradient(run.group("step0/grad")):
        np.testing.assert_allclose(run.variables[name].numpy(), final[name], atol=5e-6, rtol=0, err_msg=name)
        assert np.abs(final[name] - first[name]).max() > 1e-3, name
