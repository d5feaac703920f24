import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.convert.longer_positions import longer_table, with_longer_positions
from electra_tf.errors import InputError
from electra_tf.model.convert_checkpoint import convert_checkpoint
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.model.model_folder import load_model_folder
from tests.oracles.hugging_face import folder_of, inputs_of

NAME = "encoder/embeddings/position_embeddings"


@pytest.mark.parametrize("extension", ["copy", "interpolation"])
def test_short_inputs_see_what_they_saw_and_long_ones_are_answered(extension, tmp_path):
    source = folder_of("discriminator")
    convert_checkpoint(source, tmp_path / "long", to="electra_tf", max_positions=150, position_extension=extension)
    longer, before = ElectraEncoder.from_preset(tmp_path / "long"), ElectraEncoder.from_preset(source)
    assert (longer.config.max_positions, longer.config.position_extension) == (150, extension)
    np.testing.assert_array_equal(longer(inputs_of("discriminator")), before(inputs_of("discriminator")))
    token_ids = tf.constant(np.random.default_rng(0).integers(5, 512, size=(2, 150)), tf.int32)
    assert longer(token_ids).shape == (2, 150, 32) and np.isfinite(longer(token_ids)).all()


def test_a_copied_table_begins_again_at_its_end():
    table = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    np.testing.assert_array_equal(longer_table(table, 10, extension="copy"), np.concatenate([table, table, table[:2]]))


def test_an_interpolated_table_ends_with_the_stretched_one():
    table = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    longer = longer_table(table, 9, extension="interpolation")
    stretched = np.stack([np.interp(np.linspace(0, 4, 9), np.arange(5), column) for column in table.T], axis=1)
    np.testing.assert_array_equal(longer[:5], table)
    np.testing.assert_allclose(longer[5:], stretched[5:], atol=1e-6)
    np.testing.assert_array_equal(longer[-1], table[-1])


@pytest.mark.parametrize(["positions", "extension", "sentence"], [
    (64, "copy", "max_positions=64 is not more than the 64 of the model"),
    (128, "none", "position_extension='none' must be copy or interpolation"),
    (128, "linear", "position_extension='linear' must be copy or interpolation")])
def test_what_cannot_be_made_longer_is_refused(positions, extension, sentence):
    model = load_model_folder(folder_of("discriminator"))
    with pytest.raises(InputError, match=sentence):
        with_longer_positions(model, positions, extension=extension)


def test_a_model_without_a_position_table_is_refused():
    model = load_model_folder(folder_of("discriminator"))
    relative = dataclasses.replace(
        model, config=dataclasses.replace(model.config, position_type="relative"),
        weights={name: array for name, array in model.weights.items() if name != NAME})
    with pytest.raises(InputError, match="has no learned positions .position_type='relative'."):
        with_longer_positions(relative, 128, extension="copy")
