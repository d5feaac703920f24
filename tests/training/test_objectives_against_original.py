"""The original's other objectives: samples, losses and gradients of one step with its weights and dice."""

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.objective import random_bits
from electra_tf.training import pretrainer as pretrainer_module
from tests.oracles.original import PretrainingFixture, assert_gradients
from tests.training.original_steps import batch_of, pretrainer_of, recorded_dice

VARIANTS = ("untied_embeddings", "tied_all", "mlm_only", "electric", "two_tower_electra", "uniform_generator",
            "disallow_temp")
TOLERANCE = 1e-5


def renamed(fixture):
    """Without a discriminator the whole network is the generator."""
    if "discriminator/head/dense/kernel" not in fixture.weights:
        for group in (fixture.weights, fixture.gradients):
            for name in list(group):
                group[name.replace("discriminator/", "generator/")] = group.pop(name)
    return fixture


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_step_is_the_originals(variant, monkeypatch):
    fixture = renamed(PretrainingFixture(variant))
    pretrainer = pretrainer_of(fixture)
    monkeypatch.setattr(random_bits, "uniform", recorded_dice(fixture, 0))
    forwards, gradients, sampled = [], {}, []
    forward, draw = pretrainer._forward, pretrainer_module.sample_replacements
    monkeypatch.setattr(pretrainer, "_forward", lambda *arguments, **options: (
        forwards.append(forward(*arguments, **options)), forwards[-1])[1])
    monkeypatch.setattr(pretrainer_module, "sample_replacements", lambda *arguments, **options: (
        sampled.append((arguments[0], draw(*arguments, **options))), sampled[-1][1])[1])
    apply = pretrainer.optimizer.apply
    names = {id(variable): name for name, variable in pretrainer.weights_by_name().items()}
    monkeypatch.setattr(pretrainer.optimizer, "apply", lambda found, variables: (
        gradients.update(zip((names[id(variable)] for variable in variables), found)), apply(found, variables)))
    logs = pretrainer.train_step(batch_of(fixture, 0))

    logits, ids = sampled[0]
    np.testing.assert_allclose(logits, fixture["out/gen/logits"], atol=TOLERANCE)
    used = fixture["out/masked/masked_lm_weights"] > 0
    np.testing.assert_array_equal(ids.numpy()[used], fixture["out/fake/sampled_ids"][used])
    two_towers = "out/cloze/loss" in fixture.arrays
    np.testing.assert_allclose(
        logs["generator_loss"], fixture["out/cloze/loss" if two_towers else "out/gen/loss"], atol=TOLERANCE)
    total = logs["generator_loss"]
    if "out/disc/loss" in fixture.arrays:
        np.testing.assert_allclose(forwards[0].discriminator_logits, fixture["out/disc/logits"], atol=TOLERANCE)
        np.testing.assert_array_equal(forwards[0].is_replaced, fixture["out/fake/is_fake"] > 0)
        np.testing.assert_allclose(logs["discriminator_loss"], fixture["out/disc/loss"], atol=TOLERANCE)
        total += 50 * logs["discriminator_loss"]
    else:
        assert forwards[0].discriminator_logits is None
    np.testing.assert_allclose(total, fixture["out/total_loss"], rtol=1e-6)
    assert_gradients({name: tf.convert_to_tensor(value) for name, value in gradients.items()}, fixture.gradients)
    # One table is looked up only where nothing ties it to an output: its repeated rows stay separate there.
    np.testing.assert_allclose(logs["gradient_norm"], fixture.settings["grad_norm_tf"], rtol=2e-5)


def test_every_layer_of_both_towers_is_the_originals():
    fixture = PretrainingFixture("electric")
    pretrainer = pretrainer_of(fixture)
    rows = batch_of(fixture, 0)
    for encoder, scope in ((pretrainer.generator.left, "enc0_generator_ltr"),
                           (pretrainer.generator.right, "enc1_generator_rtl")):
        states = encoder.layer_outputs(rows)
        np.testing.assert_allclose(states[0], fixture[f"out/{scope}/embedding_output_after_projection"], atol=TOLERANCE)
        np.testing.assert_allclose(np.stack(states[1:]), fixture[f"out/{scope}/layers"], atol=TOLERANCE)
    np.testing.assert_allclose(pretrainer.generator(rows), fixture["out/cloze/logits"], atol=TOLERANCE)
