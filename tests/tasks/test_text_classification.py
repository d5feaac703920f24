"""The classifier against numpy: its head, its update, rows that weigh nothing; and how a Keras user works with it."""

from math import erf

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config import FineTuningConfig
from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.model.model_folder import load_model_folder
from electra_tf.objective.random_bits import RandomSource
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.text.preprocessor import TextPreprocessor
from tests.tasks.tiny import reviews, save_networks, scatter_weights, tiny_config, tiny_vocabulary

LABELS = ("neg", "other", "pos")
LENGTH = 13


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_networks(tmp_path_factory.mktemp("run"))


def new_classifier(*, dropout=0.0, labels=LABELS, pairs=False, seed=0):
    """With random weights; dropout is the head's alone."""
    keras.utils.set_random_seed(seed)
    config = tiny_config(hidden_dropout=0.0, attention_dropout=0.0)
    classifier = ElectraTextClassifier(
        ElectraEncoder(config), labels=labels, dropout=dropout, pairs=pairs,
        preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=LENGTH))
    scatter_weights(classifier, seed=seed)
    return classifier


def batch_of(texts, labels, *, empty_rows=0):
    """(features, labels) as `fit` feeds them, with rows that only fill up and carry a label all the same."""
    features = TextPreprocessor(tiny_vocabulary(), sequence_length=LENGTH)(texts)
    features = {name: tf.pad(values, [[0, empty_rows], [0, 0]]) for name, values in features.items()}
    return features, tf.pad(tf.constant(labels, tf.int32), [[0, empty_rows]], constant_values=1)


def arrays(classifier):
    return {name: weight.numpy() for name, weight in classifier.weights_by_name().items()}


TEXTS = ["a good film", "the plot was very dull and the film was awful", "fine"]
BATCH = (TEXTS, [2, 0, 1])


def test_logits_are_a_dense_layer_on_the_first_token():
    classifier = new_classifier()
    features, _ = batch_of(*BATCH)
    first = classifier.encoder(features).numpy()[:, 0]
    weights = arrays(classifier)
    expected = first @ weights["classifier/kernel"] + weights["classifier/bias"]
    np.testing.assert_allclose(classifier(features), expected, rtol=1e-5)
    assert classifier.predict(TEXTS, verbose=0) == pytest.approx(
        np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True), rel=1e-4)


def test_a_head_with_a_hidden_layer_is_dense_exact_gelu_dense_and_trains(run, tmp_path):
    keras.utils.set_random_seed(0)
    classifier = ElectraTextClassifier.from_preset(run / "discriminator", labels=LABELS, head_hidden_layer=True)
    scatter_weights(classifier, seed=1)
    features, _ = batch_of(*BATCH)
    first, weights = classifier.encoder(features).numpy()[:, 0], arrays(classifier)
    hidden = first @ weights["classifier_hidden/kernel"] + weights["classifier_hidden/bias"]
    hidden *= 0.5 * (1 + np.vectorize(erf)(hidden / np.sqrt(2)))
    expected = hidden @ weights["classifier/kernel"] + weights["classifier/bias"]
    np.testing.assert_allclose(classifier(features), expected, atol=1e-5)
    classifier.fit(TEXTS, ["neg", "other", "pos"], epochs=2, verbose=0)
    assert (arrays(classifier)["classifier_hidden/kernel"] != weights["classifier_hidden/kernel"]).any()
    classifier.save_to_preset(tmp_path / "saved")
    again = ElectraTextClassifier.from_preset(tmp_path / "saved")
    np.testing.assert_array_equal(classifier(features), again(features))
    # As Hugging Face's head, it drops on both sides of its hidden layer.
    source = RandomSource(tf.constant(1), tf.constant([5, 6, 7], tf.int64))
    again.dropout.rate = 0.0
    again.encoder = ElectraEncoder(tiny_config(hidden_dropout=0.0, attention_dropout=0.0))
    assert abs(again(features, training=True, random=source) - again(features)).numpy().max() > 1e-4


def test_a_new_head_is_glorot_uniform(run):
    keras.utils.set_random_seed(0)
    classifier = ElectraTextClassifier.from_preset(run / "discriminator", num_classes=500)
    kernel = classifier.classifier.kernel.numpy()
    limit = np.sqrt(6 / (18 + 500))
    assert 0.98 * limit < np.abs(kernel).max() <= limit and not classifier.classifier.bias.numpy().any()
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.03)


def sum_gradients(classifier, features, labels):
    """Gradients of the summed cross-entropy, written out."""
    with tf.GradientTape() as tape:
        log_probabilities = tf.math.log(tf.nn.softmax(classifier(features)))
        loss = -tf.reduce_sum(tf.gather(log_probabilities, labels, batch_dims=1))
    variables = classifier.weights_by_name()
    return {name: tf.convert_to_tensor(gradient).numpy().astype(np.float64)
            for name, gradient in zip(variables, tape.gradient(loss, list(variables.values())), strict=True)}


def layer_factor(name, decay):
    """Layer-wise decay of a network with two layers: head 1, layers decay and decay^2, all below decay^3."""
    if name.startswith("classifier"):
        return 1.0
    return decay ** {"layer_1": 1, "layer_0": 2}.get(name.split("/")[1], 3)


def test_an_update_is_that_of_the_recipe():
    settings = FineTuningConfig(learning_rate=0.02, layer_decay=0.7, weight_decay=0.03, warmup_proportion=0.5)
    classifier = new_classifier()
    classifier.compile(settings=settings)
    classifier.prepare_optimizer(8)
    features, labels = batch_of(*BATCH)
    expected = arrays(classifier)
    moments = {name: [np.zeros(value.shape), np.zeros(value.shape)] for name, value in expected.items()}
    for step in range(4):
        gradients = sum_gradients(classifier, features, labels)
        norm = np.sqrt(sum((gradient ** 2).sum() for gradient in gradients.values()))
        assert norm > 2, "clipping must be active"
        rate = 0.02 * (1 - step / 8) * min(1, step / 4)
        for name, gradient in gradients.items():
            gradient = gradient / norm
            moments[name][0] = 0.9 * moments[name][0] + 0.1 * gradient
            moments[name][1] = 0.999 * moments[name][1] + 0.001 * gradient ** 2
            update = moments[name][0] / (np.sqrt(moments[name][1]) + 1e-6)
            if not name.endswith(("bias", "beta", "gamma")):
                update = update + 0.03 * expected[name]
            expected[name] = expected[name] - rate * layer_factor(name, 0.7) * update
        classifier.train_step((features, labels))
        # From our own weights at each step, so that rounding does not add up where a gradient is almost zero.
        got = arrays(classifier)
        for name, value in got.items():
            np.testing.assert_allclose(value, expected[name], atol=3e-5, err_msg=f"{name}, step {step}")
        expected = got


@pytest.mark.parametrize("reduction, divisor", [("sum", 1), ("mean", 3)])
def test_the_loss_is_a_sum_over_real_rows_or_their_mean(reduction, divisor):
    classifier = new_classifier()
    before, gradients = arrays(classifier), sum_gradients(classifier, *batch_of(*BATCH))
    classifier.compile(keras.optimizers.SGD(0.01), settings=FineTuningConfig(loss_reduction=reduction))
    classifier.train_step(batch_of(*BATCH, empty_rows=2))
    for name, value in arrays(classifier).items():
        np.testing.assert_allclose(value, before[name] - 0.01 / divisor * gradients[name], atol=1e-5, err_msg=name)


def test_a_users_own_optimizer_gets_the_mean_by_default():
    classifier = new_classifier()
    classifier.compile(keras.optimizers.SGD(0.01))
    assert classifier.settings.loss_reduction == "mean"
    classifier.compile()
    assert classifier.settings.loss_reduction == "sum"


def test_rows_that_only_fill_a_batch_weigh_nothing():
    classifiers = [new_classifier(), new_classifier()]
    for classifier, empty_rows in zip(classifiers, (0, 4), strict=True):
        classifier.compile(settings=FineTuningConfig(warmup_proportion=0))
        classifier.prepare_optimizer(5)
        for _ in range(2):
            measured = classifier.train_step(batch_of(*BATCH, empty_rows=empty_rows))
        classifier.reset_metrics()
        evaluated = classifier.test_step(batch_of(*BATCH, empty_rows=empty_rows))
        classifier.results = [float(number) for number in (*measured.values(), *evaluated.values())]
    assert classifiers[0].results == pytest.approx(classifiers[1].results, rel=1e-5)
    for name, value in arrays(classifiers[0]).items():
        np.testing.assert_allclose(arrays(classifiers[1])[name], value, atol=1e-5, err_msg=name)


def test_sample_weights_of_a_dataset_count():
    classifier = new_classifier()
    before, gradients = arrays(classifier), sum_gradients(classifier, *batch_of(TEXTS[:1], [2]))
    classifier.compile(keras.optimizers.SGD(0.01), settings=FineTuningConfig(loss_reduction="sum"))
    classifier.train_step((*batch_of(*BATCH), tf.constant([0.5, 0.0, 0.0])))
    for name, value in arrays(classifier).items():
        np.testing.assert_allclose(value, before[name] - 0.005 * gradients[name], atol=1e-5, err_msg=name)


def test_dropout_is_decided_by_the_seed():
    def trained(seed):
        classifier = new_classifier(dropout=0.5)
        classifier.compile(settings=FineTuningConfig(seed=seed, warmup_proportion=0))
        classifier.prepare_optimizer(4)
        classifier.train_step(batch_of(*BATCH))
        return arrays(classifier)["classifier/kernel"]
    np.testing.assert_array_equal(trained(1), trained(1))
    assert np.abs(trained(1) - trained(2)).max() > 1e-5


def test_fit_learns_from_lists_of_strings_and_predict_keeps_their_order(run):
    texts, labels = reviews(310, seed=0)
    held_out = reviews(40, seed=1)
    classifier = ElectraTextClassifier.from_preset(
        run / "discriminator", labels=["neg", "pos"], sequence_length=20, load_weights=False, dropout=0)
    classifier.compile(settings=FineTuningConfig(learning_rate=3e-3, layer_decay=0.9))
    history = classifier.fit(texts, labels, validation_data=held_out, batch_size=16, epochs=3, verbose=0).history
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history["loss"][-1] < history["loss"][0]
    probabilities = classifier.predict(held_out[0], verbose=0)
    alone = np.concatenate([classifier.predict([text], verbose=0) for text in held_out[0][:5]])
    np.testing.assert_allclose(probabilities[:5], alone, atol=1e-5)
    right = probabilities.argmax(axis=1) == classifier.label_numbers(held_out[1])
    scores = classifier.evaluate(*held_out, verbose=0, return_dict=True)
    assert scores["accuracy"] == pytest.approx(right.mean()) == pytest.approx(history["val_accuracy"][-1])
    assert right.mean() > 0.9
    assert int(classifier.optimizer.iterations) == 60 and float(classifier.optimizer.learning_rate) < 1e-9
    assert classifier.predict([]).shape == (0, 2)


def test_labels_by_number_a_dataset_of_strings_and_own_optimizer_and_metrics():
    texts, labels = reviews(12, seed=0)
    numbers = [("neg", "pos").index(label) for label in labels]
    trained = []
    for data in ((texts, labels), (texts, numbers), (tf.data.Dataset.from_tensor_slices((texts, numbers)).batch(12),)):
        classifier = new_classifier(labels=("neg", "pos"))
        classifier.compile(keras.optimizers.Adam(1e-2), run_eagerly=True,
                           metrics=[keras.metrics.SparseTopKCategoricalAccuracy(2, "top")])
        history = classifier.fit(*data, batch_size=12, epochs=1, verbose=0)
        assert history.history["top"] == [1.0]
        trained.append(arrays(classifier)["classifier/kernel"])
    np.testing.assert_array_equal(trained[0], trained[1])
    np.testing.assert_allclose(trained[0], trained[2], atol=1e-4)
    strings = tf.data.Dataset.from_tensor_slices(texts).batch(5)
    np.testing.assert_allclose(classifier.predict(strings, verbose=0), classifier.predict(texts, verbose=0), atol=1e-5)


def test_pairs_reach_the_model_as_the_preprocessor_packs_them():
    classifier = new_classifier(pairs=True)
    first, second = ["a good film", "the plot was dull and the film was awful"], ["bad " * 20, "very dull"]
    features = classifier.preprocessor((first, second))
    assert int(tf.reduce_sum(features["segment_ids"])) > 0
    expected = tf.nn.softmax(classifier(features)).numpy()
    for pairs in ((first, second), list(zip(first, second, strict=True))):
        np.testing.assert_allclose(classifier.predict(pairs, verbose=0), expected, atol=1e-6)
    with pytest.raises(InputError, match="takes pairs of texts and got single ones"):
        classifier.predict(first)


def test_a_classifier_comes_back_from_its_folder_unchanged(tmp_path):
    classifier = new_classifier(dropout=0.25, pairs=True)
    classifier.save_to_preset(tmp_path / "model")
    again = ElectraTextClassifier.from_preset(tmp_path / "model")
    pairs = [("good film", "bad"), ("fine " * 9, "")]
    np.testing.assert_array_equal(again.predict(pairs, verbose=0), classifier.predict(pairs, verbose=0))
    assert (again.labels, again.pairs, again.dropout.rate) == (LABELS, True, 0.25)
    assert again.preprocessor.sequence_length == LENGTH
    assert again.encoder.config.hidden_dropout == again.encoder.config.attention_dropout == 0.25
    with pytest.raises(InputError, match="holds other work"):
        classifier.save_to_preset(tmp_path / "model")


def test_a_new_task_takes_the_encoder_and_nothing_else(run, tmp_path):
    saved = load_model_folder(run / "discriminator")
    classifier = ElectraTextClassifier.from_preset(run / "discriminator", num_classes=4, dropout=0.2)
    for name, array in saved.encoder_weights().items():
        np.testing.assert_array_equal(arrays(classifier)[name], array)
    assert classifier.labels == ("0", "1", "2", "3") and classifier.preprocessor.sequence_length == 40
    assert classifier.encoder.config.hidden_dropout == 0.2
    classifier.save_to_preset(tmp_path / "model")
    other = ElectraTextClassifier.from_preset(tmp_path / "model", labels=["x", "y"])
    assert other.labels == ("x", "y") and other.classifier.kernel.shape == (18, 2)
    np.testing.assert_array_equal(arrays(other)["encoder/embeddings/word_embeddings"],
                                  saved.weights["encoder/embeddings/word_embeddings"])


def test_random_weights_take_architecture_and_vocabulary_alone(run):
    saved = load_model_folder(run / "discriminator")
    classifier = ElectraTextClassifier.from_preset(run / "discriminator", labels=["x", "y"], load_weights=False)
    assert classifier.preprocessor.vocabulary == saved.vocabulary
    assert all(np.abs(arrays(classifier)[name] - array).max() > 0.01 for name, array in saved.encoder_weights().items())


@pytest.mark.parametrize("arguments, message", [
    ({}, "holds a model of kind 'discriminator'; give the labels of the new text_classifier"),
    ({"labels": ["a"]}, r"labels=\['a'\]: a classifier needs two or more names, each once"),
    ({"labels": ["a", "b", "a"]}, "a classifier needs two or more names, each once"),
    ({"num_classes": 2, "sequence_length": 41}, "sequence_length=41 exceeds the model's max_positions=40"),
])
def test_a_classifier_that_cannot_be_is_refused(run, arguments, message):
    with pytest.raises(InputError, match=message):
        ElectraTextClassifier.from_preset(run / "discriminator", **arguments)


def test_a_folder_without_vocabulary_is_refused(tmp_path):
    ElectraEncoder(tiny_config()).save_to_preset(tmp_path / "encoder")
    with pytest.raises(InputError, match="encoder has no vocabulary; a text_classifier needs one"):
        ElectraTextClassifier.from_preset(tmp_path / "encoder", num_classes=2)


def test_texts_that_do_not_fit_are_refused_before_training(tmp_path):
    classifier = new_classifier()
    with pytest.raises(InputError, match="there are 2 texts and 1 labels; give equally many"):
        classifier.fit(["a", "b"], ["pos"])
    with pytest.raises(InputError, match="there are 2 texts and 0 labels"):
        classifier.fit(["a", "b"])
    with pytest.raises(InputError, match="there is nothing to train on"):
        classifier.fit([], [])
    with pytest.raises(InputError, match="label 'good' is unknown; expected one of neg, other, pos"):
        classifier.fit(["a"], ["good"])
    without = ElectraTextClassifier(classifier.encoder, labels=LABELS)
    with pytest.raises(InputError, match="this model has no vocabulary; give it token ids"):
        without.predict(["a"])
    with pytest.raises(InputError, match="this model has no vocabulary; a model folder needs one"):
        without.save_to_preset(tmp_path / "model")
