"""An export answers strings as Keras does, whatever the strings, and is what TensorFlow Serving expects."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from electra_tf.errors import InputError
from electra_tf.serving import saved_model
from electra_tf.serving.saved_model import export_saved_model
from electra_tf.tasks.text_classification import ElectraTextClassifier
from tests.serving.conftest import LABELS, SEQUENCE_LENGTH

# `predict` and an export add up float32 in other orders, which differ by a few units of the last place.
TOLERANCE = 1e-5
TEXTS = ["a good film!", "", "the plot was dull and the film was very awful and bad", "\x00 ", "🎬 [CLS] 影"]


@pytest.fixture(scope="module")
def loaded(exports):
    return {kind: tf.saved_model.load(str(exports / kind / "1")) for kind in ("single", "pairs")}


def check_answers(answers, probabilities):
    np.testing.assert_allclose(answers["probabilities"], probabilities, atol=TOLERANCE)
    logits = np.exp(answers["logits"].numpy())
    np.testing.assert_allclose(logits / logits.sum(axis=1, keepdims=True), probabilities, atol=TOLERANCE)
    assert answers["labels"].numpy().tolist() == [LABELS[place].encode() for place in probabilities.argmax(axis=1)]


def test_strings_are_answered_as_by_keras(loaded, single):
    probabilities = single.predict(TEXTS, verbose=0)
    assert len({row.argmax() for row in probabilities}) > 1
    check_answers(loaded["single"].signatures["serving_default"](text=tf.constant(TEXTS)), probabilities)


def test_pairs_have_two_inputs(loaded, models):
    classifier = ElectraTextClassifier.from_preset(models / "pairs")
    second = ["bad", "a film", "fine " * 20, "", "x"]
    answers = loaded["pairs"].signatures["serving_default"](text_a=tf.constant(TEXTS), text_b=tf.constant(second))
    check_answers(answers, classifier.predict((TEXTS, second), verbose=0))


def test_token_ids_of_any_length_are_answered(loaded, single):
    features = single.preprocessor(TEXTS)
    check_answers(loaded["single"].signatures["token_ids"](**features), single.predict(TEXTS, verbose=0))
    longer = {name: tf.pad(values, [[0, 0], [0, 40 - SEQUENCE_LENGTH]]) for name, values in features.items()}
    check_answers(loaded["single"].signatures["token_ids"](**longer), single.predict(TEXTS, verbose=0))


@pytest.mark.parametrize("texts", [
    [], [b"\xff\xfe half \xe4\xbd"], [b"good " * 200_000], [b"x" * 1_000_000, b"y"], [""],
    ["\u2028", "\ud7ff\U0010ffff"],
], ids=["no text", "invalid UTF-8", "a megabyte of words", "a word of a megabyte", "empty", "odd characters"])
def test_texts_that_break_careless_programs_are_answered(loaded, single, texts):
    answers = loaded["single"].signatures["serving_default"](text=tf.constant(texts, tf.string))
    assert answers["labels"].shape == (len(texts),)
    check_answers(answers, single.predict(texts, verbose=0)) if texts else None


def test_a_row_of_too_many_ids_is_refused_by_name(loaded):
    ids = tf.ones([2, 41], tf.int32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="token_ids are longer than the 40 positions of the model"):
        loaded["single"].signatures["token_ids"](token_ids=ids, segment_ids=ids * 0, padding_mask=ids)


def test_each_weight_is_stored_once(exports, single):
    variables = (exports / "single" / "1" / "variables" / "variables.data-00000-of-00001").stat().st_size
    weights = sum(4 * np.prod(weight.shape) for weight in single.weights)
    assert weights <= variables < 1.5 * weights


def test_the_description_names_inputs_outputs_and_labels(exports):
    description = json.loads((exports / "pairs" / "export.json").read_text())
    assert description["labels"] == list(LABELS) and description["sequence_length"] == SEQUENCE_LENGTH
    assert description["signatures"]["serving_default"]["inputs"] == {
        "text_a": "string [batch]", "text_b": "string [batch]"}
    assert 0 <= description["largest_difference_from_keras"] < 1e-5


def test_saved_model_cli_finds_both_signatures(exports):
    cli = pathlib.Path(sys.executable).with_name("saved_model_cli")
    done = subprocess.run([cli, "show", "--all", "--dir", exports / "single" / "1"], capture_output=True, text=True,
                          check=True)
    shown = done.stdout[done.stdout.index("signature_def['serving_default']"):done.stdout.index("token_ids']:")]
    assert "inputs['text'] tensor_info:\n        dtype: DT_STRING\n        shape: (-1)" in shown
    for name, dtype, shape in (("labels", "STRING", "(-1)"), ("logits", "FLOAT", "(-1, 3)"),
                               ("probabilities", "FLOAT", "(-1, 3)")):
        assert f"outputs['{name}'] tensor_info:\n        dtype: DT_{dtype}\n        shape: {shape}" in shown
    for name in ("token_ids", "segment_ids", "padding_mask"):
        assert f"inputs['{name}'] tensor_info:\n        dtype: DT_INT32\n        shape: (-1, -1)" in done.stdout


def test_an_export_that_differs_from_keras_is_not_left_behind(models, tmp_path, monkeypatch):
    save = saved_model.save

    def save_something_else(module, folder):
        module.weights[-1].assign_add(tf.ones_like(module.weights[-1]) * [0, 0, 2e-4])
        save(module, folder)
        module.weights[-1].assign_sub(tf.ones_like(module.weights[-1]) * [0, 0, 2e-4])

    monkeypatch.setattr(saved_model, "save", save_something_else)
    with pytest.raises(InputError, match="the exported model differs from Keras by 2.0e-04 on sample texts, more than"):
        export_saved_model(models / "single", tmp_path / "export")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_refused(models, tmp_path):
    with pytest.raises(InputError, match="holds a model of kind 'discriminator', which was not tuned for a task"):
        export_saved_model(models / "discriminator", tmp_path / "export")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "work").write_text("mine")
    with pytest.raises(InputError, match=r"other holds other work \(work\)"):
        export_saved_model(models / "single", tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
