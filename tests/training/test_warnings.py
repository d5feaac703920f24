import dataclasses

import pytest

from electra_tf.config import PRESETS, ObjectiveConfig, preset, replace
from electra_tf.training.pretrain import large_generator_warning, long_warmup_warning


@pytest.mark.parametrize("name", ["tiny", "mini", "half_hour", "small", "base", "large"])
def test_a_small_generator_draws_no_warning(name):
    assert large_generator_warning(preset(name)) == ""


def test_a_generator_as_large_as_the_discriminator_draws_a_warning_that_says_why():
    config = preset("small_plus_plus")
    assert large_generator_warning(config).startswith(
        "The generator is 100% as large as the discriminator: its samples soon are hard to tell from the text")
    alone = dataclasses.replace(config, discriminator_weight=0.0)
    shared = replace(config, objective=ObjectiveConfig(shared="everything"))
    assert large_generator_warning(alone) == large_generator_warning(shared) == ""


@pytest.mark.parametrize("name", PRESETS)
def test_no_preset_ends_before_its_rate_has_risen(name):
    assert long_warmup_warning(preset(name)) == ""


@pytest.mark.parametrize(("steps", "warmup", "power"), [(5000, 10_000, 1.0), (900, 500, 1.0), (900, 500, 2.0)])
def test_a_rate_that_cannot_rise_is_told_with_the_highest_that_it_reaches(steps, warmup, power):
    config = replace(preset("small"), train_steps=steps, optimizer=replace(
        preset("small").optimizer, warmup_steps=warmup, decay_power=power))
    share = max(min(1, step / warmup) * (1 - step / steps) ** power for step in range(steps))
    assert f"Warm-up takes {warmup:,} of {steps:,} updates, so the rate never exceeds {share:.0%} of 0.0005" in (
        long_warmup_warning(config))
    assert long_warmup_warning(replace(config, time_budget="30m")) == ""
