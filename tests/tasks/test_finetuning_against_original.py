"""Fine-tuning steps of the original, each of its files on its own: losses, gradients, updates, beams."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config import FineTuningConfig
from electra_tf.model.encoder import ElectraEncoder, encoder_weights
from electra_tf.model.model_folder import assign_weights, named_weights
from electra_tf.objective import random_bits
from electra_tf.tasks.question_answering.span_head import (
    QuestionAnsweringHead,
    answer_places,
    question_answering_losses,
)
from electra_tf.tasks.regression_loss import regression_losses
from electra_tf.tasks.tagging.tagging_loss import NOT_ASKED, tagging_losses
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.training.optimizer import optimizer_for
from tests.oracles.original import (
    FineTuningFixture,
    assert_gradients,
    assert_parameters,
    names_with_gradient,
)

TOLERANCE = 1e-5


def settings_of(fixture):
    """The options under which the original's steps are ours."""
    run = fixture.settings["config"]
    decay = run["layerwise_lr_decay"]
    return FineTuningConfig(
        learning_rate=run["learning_rate"], weight_decay=run["weight_decay_rate"], clip_rows="separate",
        warmup_proportion=run["warmup_proportion"], layer_decay=decay if decay > 0 else 1.0, layer_decay_offset=2)


def optimizer_of(fixture, variables):
    steps = fixture.settings["num_train_steps"]
    config = fixture.config()
    optimizer = optimizer_for(settings_of(fixture).optimizer(steps), train_steps=steps, num_layers=config.num_layers)
    optimizer.build(variables)
    return optimizer


def assert_updates(fixture, variables, update):
    """Six updates.

    Args:
        variables: name -> variable, filled with `init`.
        update: function of the step that makes one update and returns (loss, gradient norm).
    """
    first = {name: variable.numpy() for name, variable in variables.items()}
    for step, expected in enumerate(fixture.settings["history"]):
        loss, norm = update(step)
        np.testing.assert_allclose(loss, expected["loss"], rtol=2e-5, atol=1e-5)
        np.testing.assert_allclose(norm, expected["grad_norm_before_clip"], rtol=1e-4)
        after = fixture.group(f"after{step + 1}")
        if step and after:
            assert_parameters({name: variable.numpy() for name, variable in variables.items()}, after,
                              gradients=fixture.group("grad"), updates=step + 1)
        if step == 1:
            assert after.keys() == variables.keys()
            for name in names_with_gradient(fixture.group("grad")):
                assert np.abs(after[name] - first[name]).max() > 1e-4, name
        if step == 0:
            for name, variable in variables.items():
                np.testing.assert_array_equal(variable.numpy(), first[name], err_msg=name)


class Recorded(ElectraTextClassifier):
    """The classifier, with the original's names for its head and its gradients kept."""

    def weights_by_name(self):
        return {**encoder_weights(self.encoder), **named_weights(self.classifier, prefix="dense/")}


@pytest.mark.parametrize("name", ["cls2_mrpc", "cls3_mnli_dropout", "cls2_cola_nolayerdecay"])
def test_a_classifier_learns_as_the_originals(name, monkeypatch):
    fixture = FineTuningFixture(name)
    config = fixture.config()
    labels = fixture["out_eval/logits"].shape[1]
    keep_masks = "step0/draw/head_dropout_keep_mask" in fixture.arrays
    classifier = Recorded(ElectraEncoder(config), labels=range(labels), dropout=0.1 if keep_masks else 0.0)
    classifier.dropout.rate = 0.1 if keep_masks else 0.0  # ours is a multiple of 2**-16
    classifier.compile(settings=settings_of(fixture))
    classifier.prepare_optimizer(fixture.settings["num_train_steps"])
    variables = classifier.weights_by_name()
    assign_weights(variables, fixture.group("init"))

    features, weights = fixture.features(0)
    np.testing.assert_allclose(classifier(features), fixture["out_eval/logits"], atol=TOLERANCE)
    losses = classifier.losses(fixture.label("label_ids"), classifier(features)) * weights
    np.testing.assert_allclose(losses, fixture["out_eval/loss"] * weights, atol=TOLERANCE)
    np.testing.assert_allclose(classifier.encoder(features), fixture["out_train/sequence_output"], atol=TOLERANCE)

    applied = []
    original_apply = classifier.optimizer.apply
    monkeypatch.setattr(classifier.optimizer, "apply", lambda gradients, variables: (
        applied.append(gradients), original_apply(gradients, variables)))

    def update(step):
        if keep_masks:
            keep = tf.constant(fixture[f"step{step}/draw/head_dropout_keep_mask"] > 0)
            monkeypatch.setattr(random_bits, "keep_mask", lambda *arguments, **options: keep)
        features, weights = fixture.features(step)
        classifier.reset_metrics()
        logs = classifier.train_step((features, fixture.label("label_ids", step), weights))
        if step == 0:
            names = {id(variable): name for name, variable in variables.items()}
            assert_gradients(
                {names[id(variable)]: tf.convert_to_tensor(gradient) for variable, gradient in
                 zip(classifier.trainable_variables, applied[0])}, fixture.group("grad"))
        return logs["loss"] * weights.sum(), classifier.optimizer.gradient_norm
    assert_updates(fixture, variables, update)


class TunedModel:
    """An encoder and a head of functions: what the tests below have in common."""

    def __init__(self, fixture, head_variables):
        self.fixture, self.encoder = fixture, ElectraEncoder(fixture.config())
        self.variables = {**encoder_weights(self.encoder), **head_variables}
        assign_weights(self.variables, fixture.group("init"))
        self.optimizer = optimizer_of(fixture, list(self.variables.values()))

    def gradients(self, losses, step):
        """(loss, gradients by name), the sum over the batch as in the original."""
        features, weights = self.fixture.features(step)
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(losses(self.encoder(features), step) * weights)
        found = tape.gradient(total, [variable.value for variable in self.variables.values()])
        return total, dict(zip(self.variables, found))

    def update(self, losses, step):
        total, gradients = self.gradients(losses, step)
        if step == 0:
            np.testing.assert_allclose(total, self.fixture["out_train/total_loss"], rtol=2e-6, atol=TOLERANCE)
            assert_gradients({name: tf.convert_to_tensor(gradient) for name, gradient in gradients.items()},
                             self.fixture.group("grad"))
        self.optimizer.apply(list(gradients.values()), list(self.variables.values()))
        return total, self.optimizer.gradient_norm


def dense_head(fixture):
    """(layer, its weights by the original's names) of one dense layer."""
    kernel = fixture.group("init")["dense/kernel"]
    layer = keras.layers.Dense(kernel.shape[1], name="dense")
    layer.build((None, kernel.shape[0]))
    return layer, named_weights(layer, prefix="dense/")


def test_a_regression_learns_as_the_originals():
    fixture = FineTuningFixture("reg_sts")
    layer, weights = dense_head(fixture)
    model = TunedModel(fixture, weights)

    def losses(hidden, step):
        outputs = layer(hidden[:, 0])[:, 0]
        if step == 0:
            np.testing.assert_allclose(outputs, fixture["out_train/predictions"], atol=TOLERANCE)
        return regression_losses(outputs, fixture.label("targets", step))
    np.testing.assert_allclose(losses(model.encoder(fixture.features(0)[0]), 0), fixture["out_train/loss"],
                               atol=TOLERANCE)
    assert_updates(fixture, model.variables, lambda step: model.update(losses, step))


def test_a_tagger_learns_as_the_originals():
    fixture = FineTuningFixture("tag_chunk")
    layer, weights = dense_head(fixture)
    model = TunedModel(fixture, weights)

    def losses(hidden, step):
        logits, positions = layer(hidden), fixture.label("labeled_positions", step)
        if step == 0:
            np.testing.assert_allclose(
                tf.gather(logits, positions, batch_dims=1), fixture["out_train/logits"], atol=TOLERANCE)
        # The original gathers the words' first pieces; ours marks the other pieces.
        labels = np.full(hidden.shape[:2], NOT_ASKED, np.int32)
        rows, words = np.nonzero(fixture.label("labels_mask", step))
        labels[rows, np.asarray(positions)[rows, words]] = np.asarray(fixture.label("labels", step))[rows, words]
        return tagging_losses(logits, labels)
    np.testing.assert_allclose(losses(model.encoder(fixture.features(0)[0]), 0), fixture["out_train/loss"],
                               rtol=1e-6, atol=TOLERANCE)
    assert_updates(fixture, model.variables, lambda step: model.update(losses, step))


# Names of the original's dense layers, in the order in which it makes them.
QA_LAYERS = {"qa_squad2_joint": ("start", "end_hidden", "end", "impossible_hidden", "impossible"),
             "qa_squad2_independent": ("start", "end", "impossible"),
             "qa_squad1_joint_noanswerable": ("start", "end_hidden", "end")}


def qa_names(fixture, layers):
    """Our name -> the original's, told by the shapes' order of creation."""
    names = [name.split("/", 2)[2] for name, *_ in fixture.settings["variables"]
             if name.startswith("task_specific/") and name.endswith("kernel")]
    assert len(names) == len(layers)
    return {f"{ours}/{kind}": theirs.replace("kernel", kind) for ours, theirs in zip(layers, names)
            for kind in ("kernel", "bias")}


@pytest.mark.parametrize("name", QA_LAYERS)
def test_question_answering_learns_and_answers_as_the_originals(name):
    fixture = FineTuningFixture(name)
    run = fixture.settings["config"]
    answerable = run["answerable_classifier"] and ("start" if run["answerable_uses_start_logits"] else "cls")
    head = QuestionAnsweringHead(fixture.config().hidden_size, joint=run["joint_prediction"],
                                 answerable=answerable or None, beam_size=run["beam_size"], name="head")
    head.build()
    own = named_weights(head)
    names = qa_names(fixture, QA_LAYERS[name])
    model = TunedModel(fixture, {theirs: own[ours] for ours, theirs in names.items()})

    def places(step):
        features, _ = fixture.features(step)
        return answer_places(tf.constant(features["segment_ids"]), tf.constant(features["padding_mask"]))

    def spans(hidden, step):
        return head(hidden, places(step), start_positions=fixture.label("start_positions", step))

    def losses(hidden, step):
        return question_answering_losses(
            spans(hidden, step), start_positions=fixture.label("start_positions", step),
            end_positions=fixture.label("end_positions", step), is_impossible=fixture.label("is_impossible", step))

    hidden = model.encoder(fixture.features(0)[0])
    logits = spans(hidden, 0)
    beam = head.beam(hidden, places(0))
    allowed = places(0).numpy() > 0
    np.testing.assert_allclose(hidden, fixture["out_train/sequence_output"], atol=TOLERANCE)
    for found, expected in ((logits.start, "start_logits"), (logits.end, "end_logits")):
        np.testing.assert_allclose(found.numpy()[allowed], fixture[f"out_train/{expected}"][allowed], atol=TOLERANCE)
        # float32 has steps of 6e-5 there
        np.testing.assert_allclose(found.numpy()[~allowed], fixture[f"out_train/{expected}"][~allowed], atol=1.3e-4)
    np.testing.assert_allclose(losses(hidden, 0), fixture["out_train/loss"], atol=TOLERANCE)
    if answerable:
        np.testing.assert_allclose(logits.impossible, fixture["out_train/answerable_logit"], atol=TOLERANCE)
        np.testing.assert_allclose(beam.no_answer, fixture["out_eval/answerable_logit"], atol=TOLERANCE)
    if run["joint_prediction"]:
        np.testing.assert_array_equal(beam.start_positions, fixture["out_eval/start_top_index"])
        np.testing.assert_array_equal(beam.end_positions, fixture["out_eval/end_top_index"])
        for found, expected in ((beam.start_scores, "start_top_log_probs"),
                                (beam.end_scores, "end_top_log_probs")):
            np.testing.assert_allclose(found, fixture[f"out_eval/{expected}"], atol=1.3e-4)
    else:
        assert beam.end_positions.shape == (4, 5, 5)
        np.testing.assert_allclose(logits.end, fixture["out_eval/end_logits"], atol=1.3e-4)
    assert_updates(fixture, model.variables, lambda step: model.update(losses, step))
