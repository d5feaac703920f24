"""LoRA and frozen parts: what is not trained stays bit for bit, and saved folders hold plain merged weights."""

import keras
import numpy as np
import pytest

from electra_tf.config import FineTuningConfig
from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder, encoder_weights
from electra_tf.model.model_folder import assign_weights, load_model_folder
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.text.preprocessor import TextPreprocessor
from tests.tasks.tiny import reviews, scatter_weights, tiny_config, tiny_vocabulary

DENSE = ("attention/query", "attention/key", "attention/value", "attention/output", "intermediate", "output")
TEXTS, LABELS = reviews(8, seed=0)


def new_classifier(**config):
    keras.utils.set_random_seed(0)
    classifier = ElectraTextClassifier(
        ElectraEncoder(tiny_config(hidden_dropout=0.0, attention_dropout=0.0, **config)), labels=("neg", "pos"),
        preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=20), dropout=0.0)
    scatter_weights(classifier, seed=0)
    return classifier


def trained(classifier, **settings):
    """(arrays before, arrays after, names of what changed) of a run of four updates."""
    classifier.compile(settings=FineTuningConfig(learning_rate=1e-2, batch_size=4, epochs=2, **settings))
    before = {weight.path: weight.numpy() for weight in classifier.weights}
    classifier.fit(TEXTS, LABELS, verbose=0)
    after = {weight.path: weight.numpy() for weight in classifier.weights}
    return before, after, {name for name in before if (before[name] != after[name]).any()}


def part_of(path):
    return path.removeprefix("encoder/").split("/")[0]


@pytest.mark.parametrize("settings, frozen", [
    ({}, set()),
    ({"freeze_embeddings": True}, {"embeddings", "embeddings_project", "embeddings_gate"}),
    ({"frozen_layers": 1}, {"layer_0"}),
    ({"frozen_layers": 2, "freeze_embeddings": True},
     {"embeddings", "embeddings_project", "embeddings_gate", "layer_0", "layer_1"})])
def test_frozen_parts_stay_bit_for_bit_and_all_others_learn(settings, frozen):
    before, _, changed = trained(new_classifier(embedding_gate=True), **settings)
    assert {part_of(path) for path in changed} == {part_of(path) for path in before} - frozen
    # A bias of all keys changes no softmax: its gradient is zero but for rounding.
    assert {path for path in before if part_of(path) not in frozen and not path.endswith("key/bias")} <= changed


def test_with_lora_small_matrices_and_biases_learn_and_kernels_stay():
    classifier = new_classifier()
    whole = len(classifier.trainable_weights)
    before, after, changed = trained(classifier, lora_rank=3)
    adapted = {f"encoder/layer_{layer}/{dense}" for layer in (0, 1) for dense in DENSE}
    learnable = {f"{name}/{part}" for name in adapted for part in ("bias", "lora_kernel_a", "lora_kernel_b")}
    head = {"classifier/kernel", "classifier/bias"}
    assert {weight.path for weight in classifier.trainable_weights} == learnable | head
    assert changed <= learnable | head and changed >= {path for path in learnable if "lora" in path} | head
    assert len(before) == whole + 2 * len(adapted)
    assert after["encoder/layer_0/output/lora_kernel_a"].shape == (28, 3)
    assert after["encoder/layer_0/output/lora_kernel_b"].shape == (3, 18)


def test_lora_begins_as_the_model_was_and_learns():
    classifier = new_classifier()
    start = classifier.predict(TEXTS, verbose=0)
    classifier.compile(settings=FineTuningConfig(lora_rank=4, learning_rate=1e-2, batch_size=8, epochs=15))
    np.testing.assert_array_equal(classifier.predict(TEXTS, verbose=0), start)
    history = classifier.fit(TEXTS, LABELS, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]


def test_lora_and_frozen_layers_go_together():
    _, _, changed = trained(new_classifier(), lora_rank=2, frozen_layers=1)
    assert {part_of(path) for path in changed} == {"layer_1", "classifier"}


def test_lora_goes_with_drop_connect():
    before, _, changed = trained(new_classifier(drop_connect=0.2), lora_rank=2)
    assert {path for path in before if "lora" in path} <= changed


def test_a_saved_folder_holds_the_merged_kernels_under_their_usual_names(tmp_path):
    classifier = new_classifier()
    _, after, _ = trained(classifier, lora_rank=3)
    classifier.save_to_preset(tmp_path / "model")
    saved = load_model_folder(tmp_path / "model").weights
    assert saved.keys() == new_classifier().weights_by_name().keys()
    for name in ("layer_0/attention/query", "layer_1/intermediate"):
        path = f"encoder/{name}"
        merged = after[f"{path}/kernel"] + after[f"{path}/lora_kernel_a"] @ after[f"{path}/lora_kernel_b"]
        np.testing.assert_allclose(saved[f"{path}/kernel"], merged, atol=1e-6)
        assert np.abs(merged - after[f"{path}/kernel"]).max() > 1e-4
    again = ElectraTextClassifier.from_preset(tmp_path / "model")
    np.testing.assert_allclose(again.predict(TEXTS, verbose=0), classifier.predict(TEXTS, verbose=0), atol=1e-6)
    assert len(again.trainable_weights) == len(again.weights) == len(saved)


def test_another_alpha_of_keras_is_merged_too():
    encoder = ElectraEncoder(tiny_config())
    dense = encoder.transformer_layers[0].intermediate
    dense.enable_lora(2, lora_alpha=6)
    dense.lora_kernel_b.assign(np.ones((2, 28), np.float32))
    merged = encoder_weights(encoder)["encoder/layer_0/intermediate/kernel"]
    np.testing.assert_allclose(merged.numpy(), np.asarray(dense._kernel) + 3 * (
        np.asarray(dense.lora_kernel_a) @ np.ones((2, 28))), atol=1e-6)


def test_weights_given_to_an_encoder_with_lora_are_its_weights():
    encoder, other = ElectraEncoder(tiny_config()), ElectraEncoder(tiny_config())
    encoder.enable_lora(2)
    for layer in encoder.transformer_layers:
        layer.intermediate.lora_kernel_b.assign(np.ones((2, 28), np.float32))
    assign_weights(encoder_weights(encoder), {name: weight.numpy() for name, weight in encoder_weights(other).items()})
    np.testing.assert_array_equal(encoder(np.array([[2, 17, 3]])), other(np.array([[2, 17, 3]])))


def test_what_cannot_be_is_refused():
    encoder = ElectraEncoder(tiny_config())
    encoder.enable_lora(2)
    encoder.enable_lora(2)
    with pytest.raises(InputError, match="lora_rank=4: the encoder has LoRA of rank 2 already; load it anew"):
        encoder.enable_lora(4)
    with pytest.raises(InputError, match="frozen_layers=3: the encoder has 2 layers"):
        encoder.freeze(layers=3)
