"""Taggers, question answerers and multiple choice are exported with token ids as input and answer texts as before."""

import dataclasses
import json
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from electra_tf.errors import InputError
from electra_tf.serving import onnx_engine, saved_model
from electra_tf.serving.answer_difference import largest_answer_difference
from electra_tf.serving.litert import export_litert
from electra_tf.serving.onnx_export import export_onnx
from electra_tf.serving.predictor import Predictor
from electra_tf.serving.saved_model import export_saved_model
from electra_tf.tasks.multiple_choice import ElectraMultipleChoice
from tests.serving.ids_tasks import CHOICES, MODELS, PAIRS, TEXTS, answers_of_keras, check_answers, features_of, made
from tests.tasks.tiny import tiny_vocabulary


@dataclasses.dataclass(frozen=True)
class Exported:
    """A Keras model, texts for it, the folder with its model folder `model` and its export `served`."""

    name: str
    model: keras.Model
    texts: list
    folder: pathlib.Path


@pytest.fixture(scope="module", params=MODELS)
def exported(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    model, texts = MODELS[request.param]()
    model.save_to_preset(folder / "model")
    export_saved_model(folder / "model", folder / "served")
    return Exported(request.param, model, texts, folder)


@pytest.fixture(scope="module")
def answers(exported):
    """What the Predictor answers with the SavedModel."""
    return Predictor(exported.folder / "served").predict(exported.texts)


def test_the_predictor_answers_as_keras_does(exported, answers):
    expected = answers_of_keras(exported.model, exported.texts)
    predictor = Predictor(exported.folder / "served" / "1")
    for found in (answers, predictor.predict(exported.texts[::-1])[::-1]):
        check_answers(found, expected, tolerance=1e-5)
    assert (predictor.takes_pairs, predictor.takes_choices) == (exported.texts is PAIRS, exported.texts is CHOICES)
    assert predictor.predict([]) == [] and predictor.engine.name == "tensorflow"


def test_answers_point_into_the_users_own_text(exported, answers):
    texts = exported.texts
    if texts is TEXTS:
        assert [word.word for word in answers[0].words] == ["A", "góod", "film", "!"]
        places = [(word, text) for text, answer in zip(texts, answers) for word in answer.words]
        assert all(text[word.start:word.end] == word.word for word, text in places) and len(places) > 20
    elif texts is PAIRS:
        assert sum(len(answer.n_best) for answer in answers) > 8
        for (_, context), answer in zip(texts, answers):
            assert all(context[span.start:span.end] == span.text for span in answer.n_best)
    else:
        np.testing.assert_allclose([answer.probabilities for answer in answers],
                                   exported.model.predict(texts, verbose=0), atol=1e-5)
        assert [answer.ending for answer in answers] == [
            endings[np.argmax(answer.probabilities)] for (_, endings), answer in zip(texts, answers)]


def test_the_signature_takes_ids_and_its_outputs_are_described(exported):
    loaded = tf.saved_model.load(str(exported.folder / "served" / "1"))
    features = features_of(exported.model, exported.texts)
    assert set(loaded.signatures) == {"serving_default"}
    outputs = loaded.signatures["serving_default"](**{key: tf.constant(value) for key, value in features.items()})
    description = json.loads((exported.folder / "served" / "export.json").read_text())
    assert set(description["signatures"]["serving_default"]["inputs"]) == set(features)
    for key, form in description["outputs"].items():
        dtype, _, shape = form.partition(" ")
        assert outputs[key].dtype == dtype and outputs[key].shape.rank == shape.count(",") + 1
    assert description["largest_difference_from_keras"] <= 1e-5
    check_outputs({key: values.numpy() for key, values in outputs.items()}, exported.model, features, description)


def test_a_row_of_too_many_ids_is_refused_by_name(exported):
    loaded = tf.saved_model.load(str(exported.folder / "served" / "1"))
    ids = tf.ones([1] * (exported.model.feature_rank - 1) + [41], tf.int32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="token_ids are longer than the 40 positions of the model"):
        loaded.signatures["serving_default"](token_ids=ids, segment_ids=ids, padding_mask=ids)


def test_the_graph_holds_tensorflows_own_operations_alone(exported):
    content = (exported.folder / "served" / "1" / "saved_model.pb").read_bytes()
    graph = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0].graph_def
    names = {node.op for nodes in (graph.node, *(one.node_def for one in graph.library.function)) for node in nodes}
    assert "BatchMatMulV2" in names
    assert [name for name in sorted(names) if not hasattr(tf.raw_ops, name)] == []


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_a_litert_file_answers_as_keras_does(exported, tmp_path):
    if exported.name == "plain tagger":
        pytest.skip("the graph of any tagger is the same")
    model, texts = exported.model, exported.texts
    assert export_litert(exported.folder / "model", tmp_path / "model.tflite") <= 1e-5
    description = json.loads((tmp_path / "model.tflite.json").read_text())
    runner = tf.lite.Interpreter(str(tmp_path / "model.tflite")).get_signature_runner("token_ids")
    for rows in (slice(None), slice(1)):
        features = {key: values[rows] for key, values in features_of(model, texts).items()}
        check_outputs(runner(**features), model, features, description)


def test_an_onnx_file_answers_as_keras_does(exported, tmp_path):
    if not onnx_engine.version():
        pytest.skip("onnxruntime or its converter is not installed; `make engines` installs them")
    model = exported.model
    assert export_onnx(exported.folder / "model", tmp_path / "model.onnx") <= 1e-4
    description, features = json.loads((tmp_path / "model.onnx.json").read_text()), features_of(model, exported.texts)
    check_outputs(onnx_engine.answers_of((tmp_path / "model.onnx").read_bytes(), features), model, features,
                  description)


def test_many_endings_are_compared_on_the_sample_texts(tmp_path):
    """There are fewer sample texts than endings."""
    model = made(ElectraMultipleChoice, num_choices=12)
    texts = [("the plot", ("good", "bad", *"abcdefghij"))]
    model.save_to_preset(tmp_path / "model")
    export_saved_model(tmp_path / "model", tmp_path / "served")
    expected = answers_of_keras(model, texts)
    for folder in ("model", "served"):
        check_answers(Predictor(tmp_path / folder).predict(texts), expected, tolerance=2e-5)


def check_outputs(outputs, model, features, description):
    """Numbers are those of Keras; those of a beam where an answer may lie, in the order of the scores."""
    expected = {name: np.asarray(values) for name, values in model.served_outputs(model(features)).items()}
    assert set(outputs) == set(expected) == set(description["outputs"])
    if "start_scores" not in expected:
        np.testing.assert_allclose(outputs["probabilities"], expected["probabilities"], atol=1e-4)
        return
    possible = expected["start_scores"] > -100
    np.testing.assert_array_equal(outputs["start_positions"][possible], expected["start_positions"][possible])
    np.testing.assert_allclose(outputs["start_scores"][possible], expected["start_scores"][possible], atol=1e-3)
    possible = possible[:, :, None] & (expected["end_scores"] > -100)
    np.testing.assert_array_equal(outputs["end_positions"][possible], expected["end_positions"][possible])
    np.testing.assert_allclose(outputs["end_scores"][possible], expected["end_scores"][possible], atol=1e-3)
    np.testing.assert_allclose(outputs["no_answer"], expected["no_answer"], atol=1e-3)


def test_an_export_that_differs_from_keras_is_not_left_behind(tmp_path, monkeypatch):
    MODELS["tagger"]()[0].save_to_preset(tmp_path / "model")
    save = saved_model.save

    def save_something_else(module, folder):
        bias = module.weights[-1]
        bias.assign_add(tf.one_hot(0, bias.shape[0]) * 1e-3)
        save(module, folder)
        bias.assign_sub(tf.one_hot(0, bias.shape[0]) * 1e-3)
    monkeypatch.setattr(saved_model, "save", save_something_else)
    with pytest.raises(InputError, match="exported model differs from Keras by .*e-04 on sample texts, more than"):
        export_saved_model(tmp_path / "model", tmp_path / "export")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def beam(start_scores, start_positions, end_scores, end_positions, no_answer):
    return {"start_scores": np.float32([start_scores]), "start_positions": np.int32([start_positions]),
            "end_scores": np.float32([end_scores]), "end_positions": np.int32([end_positions]),
            "no_answer": np.float32([no_answer])}


def test_beams_are_compared_by_the_probabilities_of_their_spans():
    first = beam([0, -1], [3, 0], [[-1, -1000], [-2, -np.inf]], [[4, 0], [0, 0]], 0.5)
    # The same starts in another order, another end where none can be.
    same = beam([-1, 0], [0, 3], [[-2, -np.inf], [-1, -999]], [[0, 0], [4, 1]], 0.5)
    assert largest_answer_difference(same, first) == 0
    share = 1 / (1 + np.exp(-2))  # of the span from 3 to 4
    moved = beam([0, -1], [3, 0], [[-1, -1000], [-2, -np.inf]], [[5, 0], [0, 0]], 0.5)
    assert largest_answer_difference(moved, first) == largest_answer_difference(first, moved) == pytest.approx(share)
    other = beam([0, -1], [3, 0], [[-1, -1000], [-2, -np.inf]], [[4, 0], [0, 0]], 0.0)
    assert largest_answer_difference(other, first) == pytest.approx(1 / (1 + np.exp(-0.5)) - 0.5)


def test_an_export_without_its_vocabulary_is_refused(exported, tmp_path):
    export = shutil.copytree(exported.folder / "served", tmp_path / "export")
    shutil.rmtree(export / "vocabulary")
    with pytest.raises(InputError, match="vocabulary has no vocab.txt"):
        Predictor(export)
    other = tiny_vocabulary()
    dataclasses.replace(other, pieces=(*other.pieces, "more")).save(export / "vocabulary")
    with pytest.raises(InputError, match="vocabulary is not the vocabulary of this export: its hash is"):
        Predictor(export)


def test_what_fits_no_task_is_refused(models, tmp_path):
    for export in (export_saved_model, export_litert):
        with pytest.raises(InputError, match="kind 'generator', which was not tuned for a task; fine-tune it first"):
            export(models / "generator", tmp_path / "out")
    assert list(pathlib.Path(tmp_path).iterdir()) == []
