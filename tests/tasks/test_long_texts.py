"""Long texts for tasks on whole texts: the words beyond the first window count, short texts are as ever."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from electra_tf.config import FineTuningConfig
from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.serving.predictor import Predictor
from electra_tf.serving.saved_model import export_saved_model
from electra_tf.tasks import long_texts
from electra_tf.tasks.ensemble import ElectraEnsemble
from electra_tf.tasks.long_texts import EncodedWindows, in_portions
from electra_tf.tasks.multi_label_classification import ElectraMultiLabelClassifier
from electra_tf.tasks.options import MultiLabel, MultipleChoice, Regression, TextClassification
from electra_tf.tasks.text_batches import EncodedTexts, evaluation_dataset, training_dataset
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor
from electra_tf.text.preprocessor import TextPreprocessor
from tests.tasks.tiny import OTHERS, reviews, scatter_weights, tiny_config, tiny_vocabulary

LENGTH = 12
LABELS = ("neg", "other", "pos")
CONFIG = FineTuningConfig(sequence_length=LENGTH, batch_size=16, epochs=12.0, learning_rate=6e-3, dropout=0.0,
                          layer_decay=0.9)


def long_reviews(count, *, seed):
    """Reviews behind so many words that say nothing that the label is decided beyond the first window."""
    texts, labels = reviews(count, seed=seed)
    random = np.random.default_rng(seed)
    return [" ".join([*random.choice(OTHERS, LENGTH), text]) for text in texts], labels


def classifier_of(long_text, *, model_class=ElectraTextClassifier, seed=1, **settings):
    keras.utils.set_random_seed(seed)
    head = {ElectraTextClassifier: {"labels": LABELS}, ElectraMultiLabelClassifier: {"labels": LABELS},
            ElectraTextRegressor: {"score_range": (1, 5)}}[model_class]
    model = model_class(ElectraEncoder(tiny_config()), preprocessor=TextPreprocessor(tiny_vocabulary(), LENGTH),
                        long_text=long_text, **head, **settings)
    scatter_weights(model, seed=seed)
    return model


def mixed_texts(*, seed=5):
    """30 texts of none to 60 words, and one of 900: 130 windows."""
    random = np.random.default_rng(seed)
    words = (*OTHERS, "good", "awful")
    return [" ".join(random.choice(words, length)) for length in (*random.integers(0, 60, 29), 900, 0)]


@pytest.mark.parametrize("long_text, learns", [("truncate", False), ("mean", True), ("max", True)])
def test_a_label_that_is_decided_beyond_the_first_window_is_learnt_from_windows(long_text, learns):
    keras.utils.set_random_seed(0)
    model = ElectraTextClassifier(
        ElectraEncoder(tiny_config(hidden_dropout=0.0, attention_dropout=0.0)), labels=("neg", "pos"), dropout=0.0,
        preprocessor=TextPreprocessor(tiny_vocabulary(), LENGTH), long_text=long_text)
    model.compile(settings=CONFIG)
    model.fit(*long_reviews(200, seed=0), verbose=0)
    assert (model.evaluate(*long_reviews(60, seed=1), verbose=0, return_dict=True)["accuracy"] > 0.9) == learns


@pytest.mark.parametrize("long_text, pairs", [("mean", True), ("first", False)])
def test_short_texts_are_answered_as_ever_bit_for_bit(long_text, pairs):
    texts = ["a good film", "", "the plot", "very awful and dull"] * 40
    texts = (texts, texts[::-1]) if pairs else texts
    long, usual = (classifier_of(name, pairs=pairs) for name in (long_text, "truncate"))
    np.testing.assert_array_equal(long.predict(texts, verbose=0), usual.predict(texts, verbose=0))
    given = tuple(map(tf.constant, texts)) if pairs else tf.constant(texts)
    np.testing.assert_array_equal(*(tf.function(model.text_outputs)(given).numpy() for model in (long, usual)))
    encoded = [model.encode(texts) for model in (long, usual)]  # what training reads
    assert {type(one) for one in encoded} == {EncodedTexts}
    np.testing.assert_array_equal(*(one.token_ids for one in encoded))


@pytest.mark.parametrize("model_class, long_text, stride", [
    (ElectraTextClassifier, "mean", None), (ElectraTextClassifier, "max", 3), (ElectraTextClassifier, "first", None),
    (ElectraMultiLabelClassifier, "max", None), (ElectraTextRegressor, "mean", 5)])
def test_the_answer_is_that_of_the_pooled_outputs_of_all_windows(model_class, long_text, stride):
    model, texts = classifier_of(long_text, model_class=model_class, stride=stride), mixed_texts()
    room, step = LENGTH - 2, stride or 8
    windows, text_of = [], []
    for number, text in enumerate(texts):
        words = text.split()
        for start in range(0, max(len(words) - room, 0) + step, step):
            windows.append(" ".join(words[start:start + room]))
            text_of.append(number)
    outputs = model(model.preprocessor(windows)).numpy()
    reduce = {"mean": np.mean, "max": np.max, "first": lambda rows, axis: rows[0]}[long_text]
    pooled = [reduce(outputs[np.array(text_of) == number], axis=0) for number in range(len(texts))]
    answers = model.predict(texts, verbose=0).reshape(len(texts), -1)
    np.testing.assert_allclose(answers, model.answers(tf.constant(np.array(pooled))), atol=1e-5)
    cut = classifier_of("truncate", model_class=model_class).predict(texts, verbose=0).reshape(len(texts), -1)
    assert (np.abs(answers[-2] - cut[-2]).max() > 1e-3) == (long_text != "first")


def test_evaluation_measures_the_pooled_outputs():
    model, texts = classifier_of("max"), mixed_texts()
    labels = [LABELS[place % 3] for place in range(len(texts))]
    probabilities = model.predict(texts, verbose=0)
    right = probabilities[np.arange(len(texts)), model.label_numbers(labels)]
    found = model.evaluate(texts, labels, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(-np.log(right).mean(), rel=1e-4)
    assert found["accuracy"] == pytest.approx(np.mean(probabilities.argmax(axis=1) == model.label_numbers(labels)))


def test_texts_are_the_same_however_many_are_encoded_at_once(monkeypatch):
    model = classifier_of("mean")
    expected = model.encode(mixed_texts())
    monkeypatch.setattr(long_texts, "TEXTS_AT_ONCE", 3)
    found = model.encode(mixed_texts())
    np.testing.assert_array_equal(found.starts, expected.starts)
    for name in ("token_ids", "segment_ids", "lengths"):
        np.testing.assert_array_equal(getattr(found.windows, name), getattr(expected.windows, name))


def test_one_window_of_each_text_is_trained_on_in_each_epoch():
    encoded = classifier_of("mean", stride=4).encode(mixed_texts())
    assert isinstance(encoded, EncodedWindows) and encoded.num_windows.max() == 224
    seen = [set() for _ in range(len(encoded))]
    rows_of = {row.tobytes(): place for place, row in enumerate(encoded.windows.token_ids)}
    for epoch in range(200):
        texts = encoded.of_epoch(seed=0, epoch=epoch)
        assert len(texts) == len(encoded) and texts.feature_rank == 2
        for text, row in enumerate(texts.token_ids):
            place = rows_of[row.tobytes()]
            seen[text].add(place)
    for text in range(28):
        if encoded.lengths[text] > 2:
            assert seen[text] == set(range(encoded.starts[text], encoded.starts[text + 1]))
    again = encoded.of_epoch(seed=0, epoch=7)
    np.testing.assert_array_equal(again.token_ids, encoded.of_epoch(seed=0, epoch=7).token_ids)
    assert (again.token_ids != encoded.of_epoch(seed=1, epoch=7).token_ids).any()
    batches = iter(training_dataset(encoded, np.arange(31), batch_size=31, seed=0))
    (first, labels), (second, _) = next(batches), next(batches)
    assert first["token_ids"].shape == (31, LENGTH) and sorted(labels.numpy()) == list(range(31))
    assert not np.array_equal(np.sort(first["token_ids"], axis=0), np.sort(second["token_ids"], axis=0))


def test_a_batch_of_answers_holds_a_limited_number_of_windows():
    encoded = classifier_of("mean").encode(mixed_texts())
    shapes, labels = [], []
    for features, numbers in evaluation_dataset(encoded, np.arange(31), batch_size=10):
        shapes.append(features["token_ids"].shape)
        labels.extend(numbers.numpy())
        assert np.any(features["padding_mask"][:, 0] > 0, axis=1).all()
    assert sorted(labels) == list(range(31)) and len(shapes) < 31
    assert all(texts * windows <= 10 or texts == 1 for texts, windows, _ in shapes)
    assert shapes[0][1] == 1  # short texts do not pay for long ones


@pytest.mark.parametrize("num_windows", [0, 1, 63, 64, 65, 200])
def test_portions_of_windows_change_nothing_and_hold_64_at_most(num_windows):
    windows, sizes = {"token_ids": tf.reshape(tf.range(3 * num_windows), [-1, 3])}, []

    def network(features):
        sizes.append(features["token_ids"].shape[0])
        return tf.cast(features["token_ids"][:, :2], tf.float32) + 0.5

    found = in_portions(network, windows, least=0)
    np.testing.assert_array_equal(found, windows["token_ids"][:, :2].numpy() + 0.5)
    assert max(sizes) <= 64 and num_windows <= sum(sizes) < num_windows + 2
    sizes.clear()
    in_portions(network, windows, least=200)
    assert sizes == [num_windows]


@pytest.mark.parametrize("long_text, pairs", [("mean", False), ("max", True)])
def test_an_export_pools_inside_its_graph(tmp_path, long_text, pairs):
    model = classifier_of(long_text, pairs=pairs, stride=5)
    model.save_to_preset(tmp_path / "model")
    export_saved_model(tmp_path / "model", tmp_path / "export")
    loaded, texts = tf.saved_model.load(str(tmp_path / "export" / "1")), mixed_texts()
    columns = {"text_a": texts[::-1], "text_b": texts} if pairs else {"text": texts}
    given = tuple(columns.values()) if pairs else texts
    expected = ElectraTextClassifier.from_preset(tmp_path / "model").predict(given, verbose=0)
    classify = loaded.signatures["serving_default"]
    answers = classify(**{name: tf.constant(column) for name, column in columns.items()})
    np.testing.assert_allclose(answers["probabilities"], expected, atol=1e-5)
    alone = classify(**{name: tf.constant(column[-2:-1]) for name, column in columns.items()})
    np.testing.assert_allclose(alone["probabilities"], expected[-2:-1], atol=1e-5)
    assert classify(**{name: tf.constant([], tf.string) for name in columns})["labels"].shape == (0,)
    served = Predictor(tmp_path / "export").predict(list(zip(*given, strict=True)) if pairs else texts)
    assert [answer.label for answer in served] == [LABELS[row.argmax()] for row in expected]


def test_an_ensemble_pools_the_windows_of_each_member():
    members, texts = [classifier_of("max", seed=seed) for seed in (1, 2)], mixed_texts()
    ensemble = ElectraEnsemble(members)
    logits = np.mean([member.text_outputs(tf.constant(texts)) for member in members], axis=0)
    np.testing.assert_allclose(ensemble.predict(texts, verbose=0), tf.nn.softmax(logits), atol=1e-5)
    np.testing.assert_allclose(ensemble.text_outputs(tf.constant(texts)), logits, atol=1e-5)
    with pytest.raises(InputError, match="and read long texts alike"):
        ElectraEnsemble([members[0], classifier_of("mean")])


def test_a_model_folder_keeps_how_long_texts_are_read(tmp_path):
    model = classifier_of("max", stride=4)
    model.save_to_preset(tmp_path / "model")
    again = ElectraTextClassifier.from_preset(tmp_path / "model")
    assert (again.long_text, again.stride) == ("max", 4)
    np.testing.assert_allclose(again.predict(mixed_texts(), verbose=0), model.predict(mixed_texts(), verbose=0),
                               atol=1e-6)
    other = ElectraTextClassifier.from_preset(tmp_path / "model", long_text="truncate")
    assert (other.long_text, other.stride) == ("truncate", None)


@pytest.mark.parametrize("make, message", [
    (lambda: TextClassification(("a",), "b", long_text="median"),
     "long_text='median' must be one of truncate, mean, max, first"),
    (lambda: Regression(("a",), "b", long_text="mean", stride=0), "stride=0 must be a whole number from 1 up"),
    (lambda: MultiLabel(("a",), "b", stride=9), "stride=9 says nothing to long_text='truncate'; choose mean, max or"),
    (lambda: classifier_of("min"), "long_text='min' must be one of"),
    (lambda: MultipleChoice(("a",), ("b", "c"), "d", long_text="middle"),
     "long_text='middle' must be one of truncate, mean, max, first"),
    (lambda: classifier_of("mean").predict(tf.data.Dataset.from_tensors(tf.constant(["a"]))),
     "long_text='mean' reads lists of texts; give these instead of a tf.data.Dataset of strings"),
])
def test_what_cannot_be_done_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_no_texts_have_no_answers():
    assert classifier_of("mean").predict([], verbose=0).shape == (0, 3)
    assert isinstance(classifier_of("mean").encode(["a", "b"]), EncodedTexts)
