"""KerasHub presets through the converter, and ours read by keras_hub itself."""

import json
import shutil

import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.convert import keras_hub as converter
from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder, encoder_weights
from electra_tf.model.model_folder import load_model_folder
from tests.oracles import hugging_face
from tests.oracles.keras_hub import (
    GRADIENT_TOLERANCE,
    OUTPUT_TOLERANCE,
    arrays_of,
    as_ours,
    folder_of,
    num_layers_of,
    our_name,
)

PRESETS = ("backbone", "backbone_equal")


def inputs_of(name):
    return {key: arrays_of(name)[key] for key in ("token_ids", "segment_ids", "padding_mask")}


@pytest.mark.parametrize("name", PRESETS)
def test_layers_outputs_and_gradients_are_equal(name):
    expected, saved = arrays_of(name), load_model_folder(folder_of(name))
    assert (saved.kind, saved.config.activation, saved.vocabulary.size) == ("encoder", "gelu_tanh", 512)
    encoder, inputs = ElectraEncoder.from_preset(folder_of(name)), inputs_of(name)
    pooler = {key: tf.Variable(array) for key, array in saved.weights.items() if key.startswith("pooler/")}
    variables = {**{key: value.value for key, value in encoder_weights(encoder).items()}, **pooler}
    with tf.GradientTape() as tape:
        states = encoder.layer_outputs(inputs["token_ids"], inputs["segment_ids"], inputs["padding_mask"])
        pooled = tf.tanh(states[-1][:, 0] @ pooler["pooler/kernel"] + pooler["pooler/bias"])
        loss = (tf.reduce_sum(states[-1] * expected["surrogate_sequence_weights"])
                + tf.reduce_sum(pooled * expected["surrogate_pooled_weights"]))
    assert len(states) == num_layers_of(name) + 1
    for number, state in enumerate(states[1:]):
        np.testing.assert_allclose(state, expected[f"state/transformer_layer_{number}"], atol=OUTPUT_TOLERANCE)
    np.testing.assert_allclose(states[-1], expected["sequence_output"], atol=OUTPUT_TOLERANCE)
    np.testing.assert_allclose(pooled, expected["pooled_output"], atol=OUTPUT_TOLERANCE)
    np.testing.assert_allclose(loss, expected["loss"], rtol=1e-5)
    gradients = dict(zip(variables, tape.gradient(loss, list(variables.values())), strict=True))
    paths = [key.removeprefix("grad/") for key in expected if key.startswith("grad/")]
    assert {our_name(path) for path in paths} == gradients.keys()
    for path in paths:
        ours = our_name(path)
        np.testing.assert_allclose(tf.convert_to_tensor(gradients[ours]), as_ours(ours, expected[f"grad/{path}"]),
                                   atol=GRADIENT_TOLERANCE, err_msg=path)


@pytest.mark.parametrize("name", PRESETS)
def test_every_weight_arrives_unchanged_and_comes_back_to_keras_hub(name, tmp_path):
    model, expected = converter.read(folder_of(name)), arrays_of(name)
    paths = [key.removeprefix("weight/") for key in expected if key.startswith("weight/")]
    assert {our_name(path) for path in paths} == model.weights.keys()
    for path in paths:
        np.testing.assert_array_equal(
            model.weights[our_name(path)], as_ours(our_name(path), expected[f"weight/{path}"]))
    assert converter.write(tmp_path, model) == ()
    backbone = keras_hub.models.ElectraBackbone.from_preset(str(tmp_path))
    assert {weight.path for weight in backbone.weights} == set(paths)
    for weight in backbone.weights:
        np.testing.assert_array_equal(weight.numpy(), expected[f"weight/{weight.path}"], err_msg=weight.path)
    outputs = backbone(inputs_of(name))
    np.testing.assert_allclose(outputs["sequence_output"], expected["sequence_output"], atol=OUTPUT_TOLERANCE)
    np.testing.assert_allclose(outputs["pooled_output"], expected["pooled_output"], atol=OUTPUT_TOLERANCE)
    tokenizer = keras_hub.models.ElectraTokenizer.from_preset(str(tmp_path))
    assert tokenizer.get_vocabulary() == list(model.vocabulary.pieces)
    assert _same(converter.read(tmp_path), model)


def _same(one, other):
    return (one.config == other.config and one.vocabulary == other.vocabulary
            and one.weights.keys() == other.weights.keys()
            and all(np.array_equal(one.weights[key], other.weights[key]) for key in one.weights))


def test_a_tanh_gelu_discriminator_gives_keras_hub_the_same_numbers(tmp_path):
    """A model of another library all the way: Hugging Face's gelu_new -> ours -> keras_hub."""
    name = "discriminator_gelu_new"
    saved = load_model_folder(hugging_face.folder_of(name))
    told = converter.write(tmp_path, saved)
    assert any("no pooled layer; it was written as zeros" in sentence for sentence in told)
    assert any("Left out" in sentence and "head/output/kernel" in sentence for sentence in told)
    backbone = keras_hub.models.ElectraBackbone.from_preset(str(tmp_path))
    outputs = backbone(hugging_face.inputs_of(name))
    np.testing.assert_allclose(
        outputs["sequence_output"], hugging_face.arrays_of(name, "outputs")["hidden_states_3"], atol=OUTPUT_TOLERANCE)
    assert abs(outputs["pooled_output"].numpy()).max() == 0


def test_another_backbone_and_weights_that_do_not_fit_are_refused(tmp_path):
    shutil.copytree(folder_of("backbone"), tmp_path / "preset")
    for path in (tmp_path / "preset").rglob("*"):
        path.chmod(0o755)
    settings = json.loads((tmp_path / "preset/config.json").read_text())
    settings["config"]["intermediate_dim"] = 65
    (tmp_path / "preset/config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match=r"_feedforward_intermediate_dense/vars/0 is \[32, 64\], expected \[32, 65\]"):
        converter.read(tmp_path / "preset")
    settings["class_name"] = "BertBackbone"
    (tmp_path / "preset/config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match="describes a 'BertBackbone'; expected an ElectraBackbone"):
        converter.read(tmp_path / "preset")
