import dataclasses

import pytest

from electra_tf.config import ObjectiveConfig, preset, replace
from electra_tf.training.pretrain import large_generator_warning


@pytest.mark.parametrize("name", ["tiny", "mini", "small", "base", "large"])
def test_a_small_generator_draws_no_warning(name):
    assert large_generator_warning(preset(name)) == ""


def test_a_generator_as_large_as_the_discriminator_draws_a_warning_that_says_why():
    config = preset("small_plus_plus")
    assert large_generator_warning(config).startswith(
        "The generator is 100% as large as the discriminator: its samples soon are hard to tell from the text")
    alone = dataclasses.replace(config, discriminator_weight=0.0)
    shared = replace(config, objective=ObjectiveConfig(shared="everything"))
    assert large_generator_warning(alone) == large_generator_warning(shared) == ""
