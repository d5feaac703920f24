"""Task models as Keras users know models: one .keras file with the preprocessor, callbacks, metrics of the field."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from electra_tf.config import AugmentationConfig, FineTuningConfig
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.tasks.classification_scores import classification_scores
from electra_tf.tasks.ensemble import ElectraEnsemble
from electra_tf.tasks.keras_metrics import (
    MacroF1,
    MatthewsCorrelation,
    MultiLabelScore,
    PearsonCorrelation,
    SpearmanCorrelation,
    TaggingScore,
)
from electra_tf.tasks.multi_label_classification import ElectraMultiLabelClassifier
from electra_tf.tasks.multi_label_scores import MultiLabelScores
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.tasks.question_answering.options import QuestionAnswering
from electra_tf.tasks.question_answering.question_answerer import ElectraQuestionAnswerer
from electra_tf.tasks.regression_scores import pearson, spearman
from electra_tf.tasks.tagging.tag_schemes import labels_of
from electra_tf.tasks.tagging.tagging_scores import tagging_scores
from electra_tf.tasks.tagging.token_classification import ElectraTokenClassifier
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor
from electra_tf.text.preprocessor import TextPreprocessor
from tests.tasks.tagging.moods import moods
from tests.tasks.tiny import reviews, scatter_weights, tiny_config, tiny_vocabulary

TEXTS = ["a good film", "the plot was very dull and the film was awful", "fine"]
PAIRS = [("the film", "good"), ("the plot was", "very dull"), ("a", "")]
CHOICES = [("the film was", ("good", "bad")), ("a scene", ("very dull", "lovely"))]


def new_model(model_class, *, seed=0, preprocessor=True, **settings):
    keras.utils.set_random_seed(seed)
    model = model_class(
        ElectraEncoder(tiny_config(hidden_dropout=0.0, attention_dropout=0.0)), dropout=0.25,
        preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=13) if preprocessor else None, **settings)
    scatter_weights(model, seed=seed)
    return model


def classifier(**settings):
    return new_model(ElectraTextClassifier, labels=("neg", "other", "pos"), **settings)


MODELS = {
    "classifier": (classifier, TEXTS),
    "hidden": (lambda: classifier(head_hidden_layer=True, name="mine"), TEXTS),
    "pairs": (lambda: classifier(pairs=True), PAIRS),
    "regressor": (lambda: new_model(ElectraTextRegressor, score_range=(1, 5), pairs=True), PAIRS),
    "multi_label": (lambda: new_model(ElectraMultiLabelClassifier, labels=("a", "b")), TEXTS),
    "multiple_choice": (lambda: new_model(ElectraMultipleChoice, num_choices=2), CHOICES),
    "ensemble": (lambda: ElectraEnsemble([classifier(seed=seed) for seed in (0, 1)]), TEXTS),
}


def test_a_tagger_and_an_answerer_come_back_from_their_files(tmp_path):
    tagger = new_encoder_task(ElectraTokenClassifier, labels=("O", "B-GOOD", "I-GOOD"), stride=5)
    tagger.compile()
    answerer = new_encoder_task(ElectraQuestionAnswerer, options=QuestionAnswering(beam_size=3),
                                no_answer_threshold=0.7)
    asked = (["was the film good"] * 2, ["the film was very good", "a dull plot"])
    for model, x in ((tagger, (TEXTS,)), (answerer, asked)):
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        assert again.get_config() == model.get_config() and type(again) is type(model)
        assert again.predict(*x, verbose=0) == model.predict(*x, verbose=0)


def new_encoder_task(model_class, **settings):
    keras.utils.set_random_seed(0)
    model = model_class(ElectraEncoder(tiny_config()), preprocessor=TextPreprocessor(
        tiny_vocabulary(), sequence_length=24), **settings)
    scatter_weights(model, seed=0)
    return model


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_comes_back_from_its_file_with_its_preprocessor(kind, tmp_path):
    make, x = MODELS[kind]
    model = make()
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again) is type(model) and again.get_config() == model.get_config()
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert again.preprocessor.vocabulary == model.preprocessor.vocabulary and again.pairs == model.pairs
    again.save_to_preset(tmp_path / "model")


def test_a_model_without_vocabulary_and_one_in_half_precision_come_back(tmp_path):
    model = classifier(preprocessor=False)
    model.save(tmp_path / "plain.keras")
    features = {"token_ids": np.array([[2, 17, 30, 3]])}
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "plain.keras")(features), model(features))
    half = ElectraTextClassifier(ElectraEncoder(tiny_config(), dtype="mixed_bfloat16"), labels=("a", "b"),
                                 dtype="mixed_bfloat16")
    half.save(tmp_path / "half.keras")
    again = keras.models.load_model(tmp_path / "half.keras")
    assert again.encoder.compute_dtype == again.classifier.compute_dtype == "bfloat16"
    np.testing.assert_array_equal(again(features), half(features))


FRESH = """
import json, sys, keras, electra_tf
electra_tf.ElectraTextClassifier
model = keras.models.load_model(sys.argv[1])
print(json.dumps(model.predict(json.loads(sys.argv[2]), verbose=0).tolist()))
"""


def test_a_fresh_process_gives_the_same_answers_to_the_same_strings(tmp_path):
    model = classifier()
    model.compile(settings=FineTuningConfig(batch_size=3, epochs=1))
    model.fit(TEXTS, ["pos", "neg", "other"], verbose=0)
    model.save(tmp_path / "model.keras")
    done = subprocess.run([sys.executable, "-c", FRESH, str(tmp_path / "model.keras"), json.dumps(TEXTS)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answers = np.array(json.loads(done.stdout.splitlines()[-1]), np.float32)
    np.testing.assert_allclose(answers, model.predict(TEXTS, verbose=0), atol=1e-6)


def test_a_compiled_model_goes_on_training_as_if_it_had_not_been_saved(tmp_path):
    """The user's own optimizer with its moments, the settings and the metrics come back."""
    def trained(model):
        model.fit(TEXTS, ["pos", "neg", "other"], batch_size=3, epochs=2, verbose=0)
        return {weight.path: weight.numpy() for weight in model.weights}

    model = classifier()
    settings = FineTuningConfig(seed=3, frozen_layers=1, augmentation=AugmentationConfig(replacement_rate=0.2))
    model.compile(keras.optimizers.Adam(1e-2), settings=settings, metrics=[MacroF1(3)])
    trained(model)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.settings == settings and int(again.optimizer.iterations) == 2
    assert again.evaluate(TEXTS, ["pos", "neg", "pos"], return_dict=True, verbose=0) == model.evaluate(
        TEXTS, ["pos", "neg", "pos"], return_dict=True, verbose=0)
    theirs = trained(model)
    for path, value in trained(again).items():
        np.testing.assert_allclose(value, theirs[path], atol=1e-6, err_msg=path)


def test_our_own_optimizer_comes_back_too(tmp_path):
    model = classifier()
    model.fit(TEXTS, ["pos", "neg", "other"], epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for one, other in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=one.path)
    assert again.optimizer.config == model.optimizer.config
    again.fit(TEXTS, ["pos", "neg", "other"], epochs=1, verbose=0)


def test_a_file_holds_merged_weights_of_lora_and_trains_whole_again(tmp_path):
    model = classifier()
    model.compile(settings=FineTuningConfig(lora_rank=2, learning_rate=1e-2, batch_size=3, epochs=3))
    model.fit(TEXTS, ["pos", "neg", "other"], verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(TEXTS, verbose=0), model.predict(TEXTS, verbose=0), atol=1e-6)
    assert len(again.trainable_weights) == len(classifier().weights) and again.settings.lora_rank == 0


def test_callbacks_work_in_fit(tmp_path):
    texts, labels = reviews(24, seed=0)
    model = new_model(ElectraTextClassifier, labels=("neg", "pos"))
    model.compile(settings=FineTuningConfig(learning_rate=0.03, batch_size=8), metrics=[MacroF1(2)])
    callbacks = [
        keras.callbacks.EarlyStopping(monitor="val_macro_f1", mode="max", patience=2, restore_best_weights=True),
        keras.callbacks.ModelCheckpoint(str(tmp_path / "best.keras"), monitor="val_macro_f1", mode="max",
                                        save_best_only=True),
        keras.callbacks.CSVLogger(str(tmp_path / "log.csv"))]
    history = model.fit(texts, labels, validation_data=(texts, labels), epochs=30, callbacks=callbacks,
                        verbose=0).history
    found = history["val_macro_f1"]
    best = int(np.argmax(found))
    assert len(found) == best + 3 < 30
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 1 + len(found)
    for kept in (model, keras.models.load_model(tmp_path / "best.keras")):
        answers = kept.predict(texts, verbose=0).argmax(axis=1)
        scores = classification_scores(kept.label_numbers(labels), answers, num_labels=2)
        assert scores.numbers()["macro_f1"] == pytest.approx(found[best], abs=1e-6)


def test_scores_of_fit_are_exact_for_the_whole_set():
    texts, labels = reviews(37, seed=1)
    model = new_model(ElectraTextClassifier, labels=("neg", "pos"))
    model.compile(metrics=[MacroF1(2), MatthewsCorrelation(2)])
    assert model.jit_compile is False  # numpy is out of XLA's reach
    found = model.evaluate(texts, labels, batch_size=8, return_dict=True, verbose=0)
    answers = model.predict(texts, verbose=0).argmax(axis=1)
    expected = classification_scores(model.label_numbers(labels), answers, num_labels=2).numbers()
    for name in ("macro_f1", "matthews"):
        assert found[name] == pytest.approx(expected[name], abs=1e-6)
    regressor = new_model(ElectraTextRegressor, score_range=(0, 4))
    regressor.compile(metrics=[PearsonCorrelation(), SpearmanCorrelation()])
    truth = np.random.default_rng(0).integers(0, 5, len(texts)).astype(float)
    found = regressor.evaluate(texts, truth, batch_size=8, return_dict=True, verbose=0)
    scores = regressor.predict(texts, verbose=0)
    assert found["pearson"] == pytest.approx(pearson(truth, scores), abs=1e-5)
    assert found["spearman"] == pytest.approx(spearman(truth, scores), abs=1e-5)
    several = new_model(ElectraMultiLabelClassifier, labels=("a", "b", "c"))
    several.compile(metrics=[MultiLabelScore(name, 3) for name in ("micro_f1", "samples_f1")])
    table = np.random.default_rng(1).integers(0, 2, (len(texts), 3)).astype(bool)
    truth = [[label for label, holds in zip("abc", row, strict=True) if holds] for row in table]
    found = several.evaluate(texts, truth, batch_size=8, return_dict=True, verbose=0)
    expected = MultiLabelScores(table, several.predict(texts, verbose=0)).numbers()
    for name in ("micro_f1", "samples_f1"):
        assert found[name] == pytest.approx(expected[name], abs=1e-6)


def test_a_tagger_keeps_the_weights_with_the_best_f1_of_spans(tmp_path):
    sentences, tags = moods(24, seed=0, longest=9)
    tagger = new_encoder_task(ElectraTokenClassifier, labels=labels_of(["BAD", "GOOD"], "IOB2"))
    tagger.compile(settings=FineTuningConfig(learning_rate=0.03, batch_size=8),
                   metrics=[TaggingScore("f1", tagger.labels)])
    assert tagger.jit_compile is False
    found = tagger.fit(sentences, tags, validation_data=(sentences, tags), epochs=30, verbose=0, callbacks=[
        keras.callbacks.EarlyStopping("val_f1", mode="max", patience=2, restore_best_weights=True)]).history["val_f1"]
    best = int(np.argmax(found))
    assert len(found) == best + 3 < 30
    tagger.save(tmp_path / "tagger.keras")
    for kept in (tagger, keras.models.load_model(tmp_path / "tagger.keras")):
        likeliest = [[tagger.labels[number] for number in scores.argmax(axis=1)]
                     for scores in kept.predict_encoded(kept.encode(sentences))]
        expected = tagging_scores(tags, likeliest, scheme="IOB2").micro.f1
        scores = kept.evaluate(sentences, tags, return_dict=True, verbose=0)
        assert scores["f1"] == pytest.approx(expected, abs=1e-6) == pytest.approx(found[best], abs=1e-6)
