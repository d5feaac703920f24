"""Both networks, with the weights and inputs of the original implementation's runs."""

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.model.model_folder import assign_weights
from electra_tf.objective.corruption import corrupt
from electra_tf.objective.losses import masked_language_model_loss, mean_loss, replaced_token_loss
from electra_tf.objective.masking import Masked
from electra_tf.training.pretrainer import ElectraPretrainer
from tests.oracles.original import PretrainingFixture, assert_gradients

TOLERANCE = 1e-5


@pytest.fixture(scope="module", params=["proj", "noproj"])
def run(request):
    """(fixture, pretrainer with its weights)."""
    fixture = PretrainingFixture(request.param)
    pretrainer = ElectraPretrainer(fixture.config())
    assign_weights(pretrainer.weights_by_name(), fixture.weights)
    return fixture, pretrainer


def batch(fixture, prefix="step0/in"):
    return {ours: fixture[f"{prefix}/{theirs}"] for ours, theirs in (
        ("segment_ids", "segment_ids"), ("padding_mask", "input_mask"))}


def masked_of(fixture):
    return Masked(
        token_ids=tf.constant(fixture["out/masked/input_ids"]),
        positions=tf.constant(fixture["out/masked/masked_lm_positions"]),
        original_ids=tf.constant(fixture["out/masked/masked_lm_ids"]),
        is_masked=tf.constant(fixture["out/masked/masked_lm_weights"] > 0))


def test_every_layer_of_both_encoders(run):
    fixture, pretrainer = run
    for encoder, scope, token_ids in (
            (pretrainer.generator.encoder, "enc0_generator", fixture["out/masked/input_ids"]),
            (pretrainer.discriminator.encoder, "enc1_electra", fixture["out/fake/input_ids"])):
        states = encoder.layer_outputs(token_ids, **batch(fixture))
        np.testing.assert_allclose(
            states[0], fixture[f"out/{scope}/embedding_output_after_projection"], atol=TOLERANCE)
        assert len(states) - 1 == len(fixture[f"out/{scope}/layers"])
        for state, expected in zip(states[1:], fixture[f"out/{scope}/layers"]):
            np.testing.assert_allclose(state, expected, atol=TOLERANCE)


def test_logits_losses_and_gradients_of_the_joint_objective(run):
    fixture, pretrainer = run
    masked = masked_of(fixture)
    padding_mask = fixture["step0/in/input_mask"]
    variables = pretrainer.weights_by_name()
    with tf.GradientTape() as tape:
        generator_logits = pretrainer.generator(masked.token_ids, positions=masked.positions, **batch(fixture))
        generator_loss = mean_loss(*masked_language_model_loss(
            generator_logits, masked.original_ids, is_masked=masked.is_masked))
        discriminator_logits = pretrainer.discriminator(fixture["out/fake/input_ids"], **batch(fixture))
        discriminator_loss = mean_loss(*replaced_token_loss(
            discriminator_logits, tf.constant(fixture["out/fake/is_fake"] > 0), padding_mask=padding_mask))
        total = generator_loss + fixture.settings["config"]["disc_weight"] * discriminator_loss
    gradients = dict(zip(variables, tape.gradient(total, [variable.value for variable in variables.values()])))

    np.testing.assert_allclose(generator_logits, fixture["out/gen/logits"], atol=TOLERANCE)
    np.testing.assert_allclose(discriminator_logits, fixture["out/disc/logits"], atol=TOLERANCE)
    np.testing.assert_allclose(generator_loss, fixture["out/gen/loss"], atol=TOLERANCE)
    np.testing.assert_allclose(discriminator_loss, fixture["out/disc/loss"], atol=TOLERANCE)
    np.testing.assert_allclose(total, fixture["out/total_loss"], rtol=1e-6)
    assert_gradients({name: tf.convert_to_tensor(gradient) for name, gradient in gradients.items()}, fixture.gradients)


def test_attention_maps_of_both_encoders(monkeypatch):
    fixture = PretrainingFixture("proj")
    pretrainer = ElectraPretrainer(fixture.config())
    assign_weights(pretrainer.weights_by_name(), fixture.weights)
    for encoder, scope, token_ids in (
            (pretrainer.generator.encoder, "enc0_generator", fixture["out/masked/input_ids"]),
            (pretrainer.discriminator.encoder, "enc1_electra", fixture["out/fake/input_ids"])):
        maps = []

        def note(probabilities, *, maps=maps, **_):
            maps.append(probabilities)
            return probabilities
        for layer in encoder.transformer_layers:
            monkeypatch.setattr(layer.attention.dropout, "call", note)
        encoder(token_ids, **batch(fixture))
        np.testing.assert_allclose(np.stack(maps), fixture[f"out/{scope}/attn_maps"], atol=TOLERANCE)


def test_corruption_and_labels_are_the_originals_where_no_position_repeats(run):
    fixture, _ = run
    masked = masked_of(fixture)
    corrupted = corrupt(tf.constant(fixture["step0/in/input_ids"]), masked,
                        sampled_ids=tf.constant(fixture["out/fake/sampled_ids"], tf.int32))
    for row in range(4):
        used = masked.positions.numpy()[row][masked.is_masked.numpy()[row]]
        if len(set(used)) == len(used):
            np.testing.assert_array_equal(corrupted.token_ids[row], fixture["out/fake/input_ids"][row])
            np.testing.assert_array_equal(corrupted.is_replaced[row], fixture["out/fake/is_fake"][row] > 0)
