"""Floating point operations of a step, against what was published, counted by hand, and is in the compiled graph."""

import pytest

from benchmarks.model_flops import (
    forward_flops,
    layer_flops,
    script_flops_of_a_step,
    script_flops_of_inference,
    training_step_flops,
)
from electra_tf.config import ElectraConfig, preset


def test_a_layer_is_the_sum_of_its_products():
    # 3 projections and the output 7 x 7, scores and context 5 x 7 each, feed-forward 7 x 11 twice.
    config = ElectraConfig(hidden_size=7, num_heads=1, intermediate_size=11)
    assert layer_flops(config, sequence_length=5) == 2 * (4 * 7 * 7 + 2 * 5 * 7 + 2 * 7 * 11)


def test_a_small_step_takes_the_operations_that_its_floor_was_computed_from():
    config = preset("small").model
    assert layer_flops(config, sequence_length=128) == pytest.approx(1.57e6 + 1024 * 128, rel=2e-3)
    per_token = {name: value / 128 for name, value in forward_flops(config, sequence_length=128, masked=19).items()}
    assert per_token == pytest.approx(
        {"discriminator": 20.6e6, "generator": 1.6e6, "language_model_head": 1.2e6}, rel=0.04)
    assert training_step_flops(config, batch_size=16, sequence_length=128, masked=19) == pytest.approx(144e9, rel=5e-3)


def test_the_language_model_head_grows_with_the_masked_positions_alone():
    config = preset("small").model
    few, many = (forward_flops(config, sequence_length=128, masked=masked) for masked in (19, 38))
    assert many == {**few, "language_model_head": 2 * few["language_model_head"]}


@pytest.mark.parametrize(("name", "expected", "steps", "total", "inference"), [
    ("small", 1.2937e12, 1e6, 1.2937e18, 3.677e9), ("small_plus_plus", 8.990e12, 4e6, 3.596e19, 3.677e9),
    ("base", 8.387e13, 766e3, 6.4245e19, 2.862e10), ("large", 1.7794e15, 400e3, 7.1176e20, 8.747e10)])
def test_the_originals_script_says_the_same(name, expected, steps, total, inference):
    config = preset(name)
    found = script_flops_of_a_step(config.model, batch_size=config.batch_size, sequence_length=config.sequence_length)
    assert found == pytest.approx(expected, rel=1e-4)
    assert found * steps == pytest.approx(total, rel=1e-4)
    assert script_flops_of_inference(config.model, sequence_length=128) == pytest.approx(inference, rel=2e-4)
