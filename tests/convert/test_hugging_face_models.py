"""Every Hugging Face fixture through the converter: states of all layers, logits, losses, gradients."""

import numpy as np
import pytest

from electra_tf.model.networks import ElectraDiscriminator
from tests.oracles.hugging_face import OUTPUT_TOLERANCE, arrays_of, folder_of, inputs_of

DISCRIMINATORS = ("discriminator",)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_the_logits_of_a_discriminator_are_equal(name):
    discriminator = ElectraDiscriminator.from_preset(folder_of(name))
    logits = discriminator(inputs_of(name))
    np.testing.assert_allclose(logits, arrays_of(name, "outputs")["logits"], atol=OUTPUT_TOLERANCE)
