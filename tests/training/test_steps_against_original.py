"""Six updates of the original, made by the pretrainer itself with the original's options; only the dice are given."""

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config import MaskingConfig
from electra_tf.model.layers import Dropout
from electra_tf.objective import random_bits
from electra_tf.objective.random_bits import RandomSource
from electra_tf.objective.sampling import sample_replacements
from tests.oracles.original import (
    PretrainingFixture,
    assert_gradients,
    assert_parameters,
    names_with_gradient,
    our_name,
)
from tests.training.original_steps import batch_of, pretrainer_of, recorded_dice


@pytest.mark.parametrize("variant", ["proj", "noproj"])
def test_parameters_after_two_and_six_updates_are_the_originals(variant, monkeypatch):
    fixture = PretrainingFixture(variant)
    pretrainer = pretrainer_of(fixture)
    variables = pretrainer.weights_by_name()
    for step, expected in enumerate(fixture.settings["history"]):
        monkeypatch.setattr(random_bits, "uniform", recorded_dice(fixture, step))
        pretrainer.reset_metrics()
        logs = pretrainer.train_step(batch_of(fixture, step))
        loss = logs["generator_loss"] + pretrainer.discriminator_weight * logs["discriminator_loss"]
        np.testing.assert_allclose(loss, expected["loss"], rtol=2e-5)
        np.testing.assert_allclose(logs["gradient_norm"], expected["grad_norm_before_clip"], rtol=1e-4)
        np.testing.assert_allclose(pretrainer.optimizer.rate_of(step), expected["lr"], rtol=1e-6)
        if step == 0:  # the first update has rate 0
            for name, variable in variables.items():
                np.testing.assert_array_equal(variable.numpy(), fixture.weights[name], err_msg=name)
            if variant == "proj":
                assert_moments(fixture, pretrainer)
        if step in (1, 5):
            after = {our_name(name.removeprefix(f"after{step + 1}/")): value for name, value in fixture.arrays.items()
                     if name.startswith(f"after{step + 1}/") and "slots" not in name}
            assert after.keys() == variables.keys()
            assert_parameters({name: variable.numpy() for name, variable in variables.items()}, after,
                              gradients=fixture.gradients, updates=step + 1)
            for name in names_with_gradient(fixture.gradients):
                assert np.abs(after[name] - fixture.weights[name]).max() > 1e-4, name


def assert_moments(fixture, pretrainer):
    state = pretrainer.optimizer.state_by_name(pretrainer.weights_by_name())
    slots = {our_name(name.removeprefix("after1/slots/").rpartition("/")[0]) + name[-2:]: value
             for name, value in fixture.arrays.items() if name.startswith("after1/slots/")}
    assert len(slots) == 2 * len(fixture.weights)
    for name in fixture.weights:
        for kind, letter in (("momentum", "m"), ("velocity", "v")):
            found, expected = state[f"{kind}/{name}"].numpy(), slots[f"{name}_{letter}"]
            assert np.linalg.norm(found - expected) <= 1e-4 * np.linalg.norm(expected) + 1e-9, name


def test_dropout_stands_where_the_original_has_it(monkeypatch):
    """The recorded keep masks, one for each dropout of both networks in order of the computation."""
    fixture = PretrainingFixture("dropout")
    pretrainer = pretrainer_of(fixture)
    pretrainer.kernels = "off"  # the fused operations make their own bits
    masks = [value for name, value in sorted(fixture.arrays.items()) if name.startswith("dropout_keep/")]
    rates = [call["rate"] for call in fixture.settings["dropout_calls_in_build_order"]]
    dropouts = sorted((layer for network in (pretrainer.generator, pretrainer.discriminator)
                       for layer in network._flatten_layers() if isinstance(layer, Dropout)),
                      key=lambda layer: (layer.stream < 1024, layer.stream))
    assert len(dropouts) == len(masks) == 14
    recorded = {}
    for layer, mask, rate in zip(dropouts, masks, rates):
        np.testing.assert_allclose(layer.rate, rate, atol=1e-5)
        layer.rate = rate  # ours is a multiple of 2**-16
        recorded[random_bits.FIRST_DROPOUT_STREAM + layer.stream] = mask > 0

    def keep_mask(source, *, stream, shape, rate):
        return tf.constant(recorded.pop(stream).reshape(4, *shape))
    monkeypatch.setattr(random_bits, "keep_mask", keep_mask)
    monkeypatch.setattr(random_bits, "uniform", recorded_dice(fixture, 0))
    gradients = {}
    monkeypatch.setattr(pretrainer.optimizer, "apply", lambda found, variables: gradients.update(zip(
        (name for variable in variables for name, own in pretrainer.weights_by_name().items() if own is variable),
        found)))
    logs = pretrainer.train_step(batch_of(fixture, 0))
    assert recorded == {}
    np.testing.assert_allclose(logs["generator_loss"], fixture["out/gen/loss"], atol=1e-5)
    np.testing.assert_allclose(logs["discriminator_loss"], fixture["out/disc/loss"], atol=1e-5)
    assert_gradients({name: tf.convert_to_tensor(value) for name, value in gradients.items()}, fixture.gradients)


def test_samples_are_the_originals(monkeypatch):
    """Gumbel noise of 16 bits, a temperature of 2 and no correct samples."""
    fixture = PretrainingFixture("disallow_temp")
    run = fixture.settings["config"]
    assert run["disallow_correct"] and run["temperature"] == 2
    monkeypatch.setattr(random_bits, "uniform", recorded_dice(fixture, 0))
    masking = MaskingConfig(temperature=2.0, sampler="gumbel", disallow_correct=True)
    sampled = sample_replacements(
        tf.constant(fixture["out/gen/logits"]), tf.constant(fixture["out/masked/masked_lm_ids"]), masking=masking,
        source=RandomSource(0, tf.range(4, dtype=tf.int64)))
    np.testing.assert_array_equal(sampled, fixture["out/fake/sampled_ids"])
    used = fixture["out/masked/masked_lm_weights"] > 0
    assert not (sampled.numpy() == fixture["out/masked/masked_lm_ids"])[used].any()
