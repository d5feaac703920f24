"""Regressors, multi-label classifiers and ensembles are exported and answer as Keras does."""

import json

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.model.encoder import ElectraEncoder
from electra_tf.serving.litert import export_litert
from electra_tf.serving.predictor import Predictor
from electra_tf.serving.saved_model import export_saved_model
from electra_tf.tasks.ensemble import ElectraEnsemble
from electra_tf.tasks.multi_label_classification import ElectraMultiLabelClassifier
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from electra_tf.tasks.task_models import load_text_model
from electra_tf.tasks.text_classification import ElectraTextClassifier
from electra_tf.tasks.text_regression import ElectraTextRegressor
from electra_tf.text.preprocessor import TextPreprocessor
from tests.tasks.tiny import scatter_weights, tiny_config, tiny_vocabulary

TEXTS = ["a lovely film", "the plot was awful and dull", ""]


def model(kind, *, seed=1, **head):
    made = kind(ElectraEncoder(tiny_config()), preprocessor=TextPreprocessor(tiny_vocabulary(), sequence_length=12),
                **head)
    scatter_weights(made, seed=seed)
    return made


MODELS = {
    "regressor": lambda: model(ElectraTextRegressor, score_range=(1, 5)),
    "multi_label": lambda: model(ElectraMultiLabelClassifier, labels=["x", "y", "z"]),
    "ensemble": lambda: ElectraEnsemble([
        model(ElectraTextClassifier, seed=seed, labels=["neg", "pos"]) for seed in (1, 2)])}


@pytest.fixture(scope="module", params=MODELS)
def exported(request, tmp_path_factory):
    """(name, model, folder with the model folder `model` and its export `served`)."""
    folder, made = tmp_path_factory.mktemp(request.param), MODELS[request.param]()
    made.save_to_preset(folder / "model")
    export_saved_model(folder / "model", folder / "served")
    return request.param, made, folder


def test_the_export_answers_as_keras_does(exported):
    name, made, folder = exported
    expected = made.predict(TEXTS, verbose=0)
    served = tf.saved_model.load(str(folder / "served" / "1")).signatures["serving_default"](text=tf.constant(TEXTS))
    output = "scores" if name == "regressor" else "probabilities"
    np.testing.assert_allclose(served[output], expected, atol=1e-5)
    assert set(served) == {output, "logits"} | ({"labels"} if name == "ensemble" else set())
    description = json.loads((folder / "served" / "export.json").read_text())
    assert set(description["outputs"]) == set(served) and description["largest_difference_from_keras"] < 1e-5


def test_the_predictor_answers_alike_from_folder_and_export(exported):
    name, made, folder = exported
    expected = made.predict(TEXTS, verbose=0)
    for source in ("model", "served"):
        answers = Predictor(folder / source).predict(TEXTS)
        if name == "regressor":
            assert [answer.score for answer in answers] == pytest.approx(expected.tolist(), abs=1e-5)
        elif name == "multi_label":
            assert [answer.labels for answer in answers] == [
                tuple(label for label, share in zip("xyz", row, strict=True) if share >= 0.5) for row in expected]
        else:
            assert [answer.label for answer in answers] == [["neg", "pos"][row.argmax()] for row in expected]


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_a_litert_file_answers_as_keras_does(exported, tmp_path):
    name, made, folder = exported
    assert export_litert(folder / "model", tmp_path / "model.tflite") < 1e-5
    outputs = json.loads((tmp_path / "model.tflite.json").read_text())["outputs"]
    assert set(outputs) == {"logits", "scores" if name == "regressor" else "probabilities"}


def test_what_reads_no_whole_texts_is_refused(tmp_path):
    model(ElectraMultipleChoice, num_choices=2).save_to_preset(tmp_path / "model")
    with pytest.raises(InputError, match="holds a model of kind 'multiple_choice'; give the labels of a tuned model"):
        load_text_model(tmp_path / "model")
