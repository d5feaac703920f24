"""Every Hugging Face fixture through the converter: states of all layers, logits, losses, gradients."""

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.model.encoder import ElectraEncoder, encoder_weights
from electra_tf.model.layers import gelu
from electra_tf.model.model_folder import load_model_folder
from electra_tf.model.networks import ElectraDiscriminator, ElectraGenerator
from electra_tf.tasks.text_classification import ElectraTextClassifier
from tests.oracles.hugging_face import (
    LOSS_TOLERANCE,
    OUTPUT_TOLERANCE,
    arrays_of,
    folder_of,
    gradients_of,
    inputs_of,
    labels_of,
)

ENCODERS = ("model", "model_equal")
DISCRIMINATORS = ("discriminator", "discriminator_equal", "discriminator_gelu_new")
GENERATORS = ("generator", "generator_narrow", "generator_equal", "generator_gelu_new", "generator_untied")
TEXT_HEADS = ("sequence_classification_2", "sequence_classification_3_equal_gelu_new", "sequence_regression",
              "sequence_multilabel")
OTHER_HEADS = ("token_classification", "question_answering", "question_answering_equal", "multiple_choice")
# Stored in other ways; they hold only logits, loss and the last layer.
STORAGE_FORMS = ("discriminator_bin", "discriminator_sharded", "discriminator_bfloat16", "discriminator_float16",
                 "discriminator_tokenizer_json_only", "generator_bin_tied_views", "generator_sharded")


class Network:
    """A fixture's folder as variables with the logits that its own head makes of them."""

    def __init__(self, name):
        self.saved = load_model_folder(folder_of(name))
        if self.saved.kind in ("discriminator", "generator"):
            model = {"discriminator": ElectraDiscriminator, "generator": ElectraGenerator}[self.saved.kind]
            network = model.from_preset(folder_of(name))
            self.encoder, self.head = network.encoder, network.head
            self.variables = {key: variable.value for key, variable in network.weights_by_name().items()}
        else:
            self.encoder = ElectraEncoder.from_preset(folder_of(name))
            self.variables = {key: variable.value for key, variable in encoder_weights(self.encoder).items()}
            self.variables |= {key: tf.Variable(array) for key, array in self.saved.weights.items()
                               if not key.startswith("encoder/")}
            self.head = self._task_head

    def _dense(self, name, values):
        return tf.matmul(values, self.variables[f"{name}/kernel"]) + self.variables[f"{name}/bias"]

    def _task_head(self, hidden):
        """The heads that have no class of ours yet, from their arrays alone."""
        if self.saved.kind == "encoder":
            return hidden
        if self.saved.kind == "question_answerer":
            return tf.reshape(hidden @ self.variables["spans/kernel"] + self.variables["spans/bias"], [4, 20, 2])
        if self.saved.kind == "token_classifier":
            return hidden @ self.variables["classifier/kernel"] + self.variables["classifier/bias"]
        return self._dense("classifier", gelu(self._dense("classifier_hidden", hidden[:, 0])))


def loss_of(name, logits):
    """The loss as the library defines it for each class, from the labels of the fixture."""
    labels, mask = labels_of(name), tf.cast(inputs_of(name)["padding_mask"], tf.float32)
    if name in ENCODERS:
        return tf.reduce_sum(logits * labels["surrogate_weights"])
    if name.startswith("discriminator"):
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels["labels"].astype(np.float32), logits=logits)
        return tf.reduce_sum(losses * mask) / tf.reduce_sum(mask)
    if name.startswith("question_answering"):
        return (cross_entropy(labels["start_positions"], logits[..., 0])
                + cross_entropy(labels["end_positions"], logits[..., 1])) / 2
    if name == "sequence_regression":
        return tf.reduce_mean(tf.square(logits[:, 0] - labels["labels"]))
    if name == "sequence_multilabel":
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels["labels"], logits=logits))
    if name == "multiple_choice":
        logits = tf.reshape(logits, [3, 4])
    return cross_entropy(labels["labels"], logits)


def cross_entropy(labels, logits):
    """Mean over the labels that lie within the classes; -100, and places beyond the text, are ignored."""
    counts = (labels >= 0) & (labels < logits.shape[-1])
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=np.where(counts, labels, 0), logits=logits)
    return tf.reduce_sum(losses * counts.astype(np.float32)) / counts.sum()


def compare_logits(name, logits):
    outputs = arrays_of(name, "outputs")
    if name in ENCODERS:
        expected = outputs["last_hidden_state"]
    elif name.startswith("question_answering"):
        expected = np.stack([outputs["start_logits"], outputs["end_logits"]], axis=-1)
    else:
        expected = outputs["logits"]
    np.testing.assert_allclose(tf.reshape(logits, expected.shape), expected, atol=OUTPUT_TOLERANCE)


@pytest.mark.parametrize("name", ENCODERS + DISCRIMINATORS + GENERATORS + TEXT_HEADS + OTHER_HEADS)
def test_all_layers_logits_loss_and_gradients_are_equal(name):
    network, outputs = Network(name), arrays_of(name, "outputs")
    with tf.GradientTape() as tape:
        states = network.encoder.layer_outputs(**_named(inputs_of(name)))
        logits = network.head(states[-1])
        loss = loss_of(name, logits)
    assert len(states) == 4
    for number, state in enumerate(states):
        np.testing.assert_allclose(state, outputs[f"hidden_states_{number}"], atol=OUTPUT_TOLERANCE)
    compare_logits(name, logits)
    np.testing.assert_allclose(loss, outputs["loss"], atol=LOSS_TOLERANCE, rtol=1e-6)
    expected = gradients_of(name)
    gradients = dict(zip(network.variables, tape.gradient(loss, list(network.variables.values())), strict=True))
    assert gradients.keys() == expected.keys()
    for key, gradient in gradients.items():
        tolerance = {"atol": 1e-3, "rtol": 0} if name in ENCODERS else {"atol": 1e-5, "rtol": 1e-4}
        np.testing.assert_allclose(tf.convert_to_tensor(gradient), expected[key], err_msg=key, **tolerance)


def _named(inputs):
    return {"inputs": inputs["token_ids"], "segment_ids": inputs["segment_ids"], "padding_mask": inputs["padding_mask"]}


@pytest.mark.parametrize("name", STORAGE_FORMS)
def test_every_form_of_storage_gives_the_same_outputs(name):
    network, outputs = Network(name), arrays_of(name, "outputs")
    states = network.encoder.layer_outputs(**_named(inputs_of(name)))
    np.testing.assert_allclose(states[-1], outputs["hidden_states_3"], atol=OUTPUT_TOLERANCE)
    compare_logits(name, network.head(states[-1]))
    np.testing.assert_allclose(loss_of(name, network.head(states[-1])), outputs["loss"], atol=LOSS_TOLERANCE)


@pytest.mark.parametrize("name, labels", [
    ("sequence_classification_2", ("negative", "positive")),
    ("sequence_classification_3_equal_gelu_new", ("entailment", "neutral", "contradiction"))])
def test_a_sequence_classifier_loads_whole_with_its_two_layer_head(name, labels, tmp_path):
    classifier = ElectraTextClassifier.from_preset(folder_of(name))
    assert classifier.labels == labels
    np.testing.assert_allclose(classifier(inputs_of(name)), arrays_of(name, "outputs")["logits"], atol=OUTPUT_TOLERANCE)
    classifier.save_to_preset(tmp_path / "again")
    again = ElectraTextClassifier.from_preset(tmp_path / "again")
    np.testing.assert_array_equal(classifier(inputs_of(name)), again(inputs_of(name)))


def test_tags_and_other_labels_come_along():
    assert load_model_folder(folder_of("token_classification")).extra["labels"][:3] == ["O", "B-PER", "I-PER"]
    assert load_model_folder(folder_of("token_classification")).kind == "token_classifier"
    assert load_model_folder(folder_of("question_answering")).kind == "question_answerer"
    assert load_model_folder(folder_of("sequence_regression")).kind == "text_regressor"
    multilabel = load_model_folder(folder_of("sequence_multilabel"))
    assert (multilabel.kind, len(multilabel.extra["labels"])) == ("text_multilabel_classifier", 5)
